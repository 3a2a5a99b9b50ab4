"""What a chunk costs: a fixed part, a part per frame, and a part per frame squared, fitted to finished runs.

The transformer works on reference and chunk together. Its linear layers cost in proportion to the frames, attention
to their square, and every call has a price of its own (launches, text, vocoder start). Hence, for chunks of one model,
device and number of evaluations: seconds = fixed + linear * frames + quadratic * frames**2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.speech.text import Chunk

MIN_POINTS = 3  # as many as there are unknowns
MIN_SIZES = 2  # points of one length say nothing about another


@dataclass(frozen=True)
class Point:
    """One finished chunk.

    Attributes:
        frames: mel frames of reference and chunk together.
        new_frames: of these, the chunk's own.
        seconds: what it took.
        n_passes: evaluations of the model; guidance makes two of each step.
        run_id: where it comes from.
    """

    frames: int
    new_frames: int
    seconds: float
    n_passes: int
    run_id: str


_EVALUATIONS = {"euler": 1, "midpoint": 2, "rk4": 4}  # per step


def passes(settings: SynthesisSettings) -> int:
    """Evaluations of the model that one chunk takes."""
    guided = 2 if settings.cfg_strength >= 1e-5 else 1
    return settings.nfe_step * _EVALUATIONS[settings.ode_method] * guided


@dataclass(frozen=True)
class CostModel:
    """seconds of a chunk = ``fixed`` + ``linear`` * frames + ``quadratic`` * frames**2; none of them is negative.

    ``error`` is the root mean square of what the fit leaves, in seconds; ``n_points`` what it stands on.
    """

    fixed: float
    linear: float
    quadratic: float
    error: float = 0.0
    n_points: int = 0

    def seconds(self, frames: float) -> float:
        """Predicted seconds of a chunk of ``frames`` mel frames, reference included."""
        return self.fixed + self.linear * frames + self.quadratic * frames * frames


@dataclass(frozen=True)
class Prediction:
    """What a plan will cost.

    Attributes:
        total_seconds: all chunks.
        first_seconds: the first chunk, after which something can be heard.
        chunk_seconds: each.
        reference_share: part of all frames that are made again and thrown away, 0 to 1.
        audio_seconds: of speech, before cross-fades.
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
    """The chunks of saved runs (``runs.read_document``) made by one model on one device."""
    found = []
    for run in documents:
        if (run.get("model"), run.get("device"), run.get("dtype")) != (model, device, dtype) or run.get("parent"):
            continue  # a remade run repeats the times of its parent's chunks
        guided = 2 if run["settings"]["cfg_strength"] >= 1e-5 else 1
        for plan, row in zip(run["plans"], run["chunks"], strict=True):
            n_passes = row["n_evaluations"] * guided
            found.append(Point(plan["duration_frames"], plan["new_frames"], row["total_seconds"], n_passes, run["id"]))
    return found


def fit(points: Sequence[Point], n_passes: int) -> CostModel | None:
    """Least squares with no negative part; None if the points are too few or all of one length.

    Where the points of this number of passes are too few, those of other numbers stand in, scaled: nearly all of the
    time is the solver's, which is proportional to them.
    """
    from scipy.optimize import nnls

    own = [p for p in points if p.n_passes == n_passes]
    used = own if _suffice(own) else list(points)
    if not _suffice(used):
        return None
    frames = np.array([p.frames for p in used], float)
    seconds = np.array([p.seconds * n_passes / max(p.n_passes, 1) for p in used])
    unit = frames.max()  # columns of one magnitude, or the solver sees only the square
    columns = np.stack([np.ones_like(frames), frames / unit, np.square(frames / unit)], axis=1)
    solution, _ = nnls(columns, seconds)
    error = float(np.sqrt(np.mean(np.square(columns @ solution - seconds))))
    fixed, linear, quadratic = (float(v) for v in solution / np.array([1.0, unit, unit * unit]))
    return CostModel(fixed, linear, quadratic, error, len(used))


def _suffice(points: Sequence[Point]) -> bool:
    return len(points) >= MIN_POINTS and len({p.frames for p in points}) >= MIN_SIZES


def predict(chunks: Sequence[Chunk], cost: CostModel, frames_per_second: float) -> Prediction:
    """What ``chunks`` will cost under ``cost``."""
    each = tuple(cost.seconds(c.duration_frames) for c in chunks)
    return Prediction(
        sum(each), each[0], each, reference_share(chunks), sum(c.new_frames for c in chunks) / frames_per_second
    )


def reference_share(chunks: Sequence[Chunk]) -> float:
    """Part of the frames of all chunks that belong to the reference, made again for each and thrown away; 0 to 1."""
    frames = sum(c.duration_frames for c in chunks)
    return 1 - sum(c.new_frames for c in chunks) / frames if frames else 0.0


@dataclass(frozen=True)
class Option:
    """One chunk size over a text: how many chunks, how long the longest is with its reference, what they cost."""

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
    """A chunk size and why."""

    max_bytes: int
    reason: str


def recommend(options: Sequence[Option], limit_seconds: float) -> Recommendation:
    """The size with the earliest first audio among those that cost at most 10 % more than the cheapest.

    Args:
        options: from ``scan``.
        limit_seconds: the longest the model was trained on; sizes beyond are left out while there are others.
    """
    pool = [o for o in options if o.longest_seconds <= limit_seconds] or list(options)
    cheapest = min(o.prediction.total_seconds for o in pool)
    near = [o for o in pool if o.prediction.total_seconds <= 1.1 * cheapest]
    best = min(near, key=lambda o: (o.prediction.first_seconds, o.max_bytes))
    p = best.prediction
    reason = (
        f"{p.total_seconds:.1f} s in all, at most 10 % above the cheapest size ({cheapest:.1f} s), and first audio "
        f"after {p.first_seconds:.1f} s. {p.reference_share:.0%} of the frames are the reference, made again."
    )
    if len(pool) < len(options):
        reason += f" Sizes whose chunks exceed {limit_seconds:.0f} s with the reference were left out."
    return Recommendation(best.max_bytes, reason)
