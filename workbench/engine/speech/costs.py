"""A cost model of chunks, fitted to finished runs.

The transformer computes reference and chunk together. The time of its linear layers grows with the frames, the time of
attention with their square, and every call has a fixed time (kernel launches, text, start of the vocoder). So for
chunks of one model, device and number of evaluations: seconds = fixed + linear * frames + quadratic * frames**2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import REUSED

MIN_POINTS = 3  # number of unknowns
MIN_SIZES = 2  # points of one length do not predict other lengths


@dataclass(frozen=True)
class Point:
    """One finished chunk.

    Attributes:
        frames: mel frames of reference and chunk together.
        new_frames: frames of the chunk alone.
        seconds: total time of the chunk.
        n_passes: evaluations of the model; guidance doubles them.
        run_id: its run.
    """

    frames: int
    new_frames: int
    seconds: float
    n_passes: int
    run_id: str


_EVALUATIONS = {"euler": 1, "midpoint": 2, "rk4": 4}  # per step


def passes(settings: SynthesisSettings) -> int:
    """Return the number of evaluations of the model for one chunk."""
    guided = 2 if settings.cfg_strength >= 1e-5 else 1
    return settings.nfe_step * _EVALUATIONS[settings.ode_method] * guided


@dataclass(frozen=True)
class CostModel:
    """Seconds of a chunk = ``fixed`` + ``linear`` * frames + ``quadratic`` * frames**2. No coefficient is negative.

    ``error`` is the root mean square error of the fit in seconds, ``n_points`` the number of chunks it was fitted to.
    """

    fixed: float
    linear: float
    quadratic: float
    error: float = 0.0
    n_points: int = 0

    def seconds(self, frames: float) -> float:
        """Return the predicted seconds of a chunk of ``frames`` mel frames, including the reference."""
        return self.fixed + self.linear * frames + self.quadratic * frames * frames


@dataclass(frozen=True)
class Prediction:
    """Predicted cost of a plan.

    Attributes:
        total_seconds: of all chunks.
        first_seconds: of the first chunk, until the first audio.
        chunk_seconds: of each chunk.
        reference_share: part of all frames that belong to the reference, 0 to 1.
        audio_seconds: length of the speech before cross-fades.
    """

    total_seconds: float
    first_seconds: float
    chunk_seconds: tuple[float, ...]
    reference_share: float
    audio_seconds: float

    @property
    def rtf(self) -> float:
        return self.total_seconds / self.audio_seconds if self.audio_seconds else float("inf")


def points_of(documents: Iterable[Mapping[str, Any]], model: str, device: str, dtype: str) -> list[Point]:
    """Return the chunks of saved runs (``store.read_document``) of one model, device and number format."""
    found = []
    for run in documents:
        if (run.get("model"), run.get("device"), run.get("dtype")) != (model, device, dtype) or run.get("parent"):
            continue  # a run with a chunk made again repeats the times of its parent's chunks
        if run.get("request", {}).get("profile"):
            continue  # being profiled slowed it
        guided = 2 if run["settings"]["cfg_strength"] >= 1e-5 else 1
        for plan, row in zip(run["plans"], run["chunks"], strict=True):
            if row.get("made") == REUSED:
                continue
            n_passes = row["n_evaluations"] * guided
            found.append(Point(plan["duration_frames"], plan["new_frames"], row["total_seconds"], n_passes, run["id"]))
    return found


def fit(points: Sequence[Point], n_passes: int) -> CostModel | None:
    """Fit a cost model by non-negative least squares; None if there are too few points or only one length.

    If there are too few points with this number of passes, all points are used, scaled to it: nearly all of the time is
    spent in the solver, and is proportional to the passes.
    """
    from scipy.optimize import nnls

    own = [p for p in points if p.n_passes == n_passes]
    used = own if _suffice(own) else list(points)
    if not _suffice(used):
        return None
    frames = np.array([p.frames for p in used], float)
    seconds = np.array([p.seconds * n_passes / max(p.n_passes, 1) for p in used])
    unit = frames.max()  # gives the columns similar magnitudes, which the solver needs
    columns = np.stack([np.ones_like(frames), frames / unit, np.square(frames / unit)], axis=1)
    solution, _ = nnls(columns, seconds)
    error = float(np.sqrt(np.mean(np.square(columns @ solution - seconds))))
    fixed, linear, quadratic = (float(v) for v in solution / np.array([1.0, unit, unit * unit]))
    return CostModel(fixed, linear, quadratic, error, len(used))


def _suffice(points: Sequence[Point]) -> bool:
    return len(points) >= MIN_POINTS and len({p.frames for p in points}) >= MIN_SIZES


def predict(chunks: Sequence[Chunk], cost: CostModel, frames_per_second: float) -> Prediction:
    """Return the predicted cost of ``chunks``."""
    each = tuple(cost.seconds(c.duration_frames) for c in chunks)
    return Prediction(
        sum(each), each[0], each, reference_share(chunks), sum(c.new_frames for c in chunks) / frames_per_second
    )


def reference_share(chunks: Sequence[Chunk]) -> float:
    """Return the part of all frames, 0 to 1, that belong to the reference, which every chunk computes again."""
    frames = sum(c.duration_frames for c in chunks)
    return 1 - sum(c.new_frames for c in chunks) / frames if frames else 0.0


@dataclass(frozen=True)
class Option:
    """One chunk size for a text: number of chunks, length of the longest with its reference, and cost."""

    max_bytes: int
    n_chunks: int
    longest_seconds: float
    prediction: Prediction


def scan(
    plan: Callable[[SynthesisSettings], Sequence[Chunk]],
    settings: SynthesisSettings,
    sizes: Iterable[int],
    cost: CostModel,
    mel: MelConfig = MelConfig(),
) -> list[Option]:
    """Plan one text with each of ``sizes`` and predict the cost.

    Args:
        plan: the chunks of the text under other settings, as the engine would make them.
        settings: all but the chunk size.
        sizes: in bytes.
        cost: from ``fit``.
        mel: of the model.

    Raises:
        SettingsError, TextError: as ``plan``.
    """
    options = []
    for size in sizes:
        chunks = plan(settings.replace(max_chunk_bytes=size))
        longest = max(c.duration_frames for c in chunks) / mel.frames_per_second
        options.append(Option(size, len(chunks), longest, predict(chunks, cost, mel.frames_per_second)))
    return options


@dataclass(frozen=True)
class Recommendation:
    """A recommended chunk size and the reason."""

    max_bytes: int
    reason: str


def recommend(options: Sequence[Option], limit_seconds: float) -> Recommendation:
    """Return the size with the earliest first audio among those that take at most 10 % more than the fastest.

    Args:
        options: from ``scan``.
        limit_seconds: longest utterance in training; sizes with longer chunks are left out if there are others.
    """
    pool = [o for o in options if o.longest_seconds <= limit_seconds] or list(options)
    cheapest = min(o.prediction.total_seconds for o in pool)
    near = [o for o in pool if o.prediction.total_seconds <= 1.1 * cheapest]
    best = min(near, key=lambda o: (o.prediction.first_seconds, o.max_bytes))
    p = best.prediction
    reason = (
        f"{p.total_seconds:.1f} s in total, at most 10 % above the fastest size ({cheapest:.1f} s), and first audio "
        f"after {p.first_seconds:.1f} s. {p.reference_share:.0%} of the frames are the reference."
    )
    if len(pool) < len(options):
        reason += f" Sizes whose chunks exceed {limit_seconds:.0f} s with the reference were left out."
    return Recommendation(best.max_bytes, reason)
