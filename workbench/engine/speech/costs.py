"""A cost model of chunks, fitted to finished runs.

The transformer computes reference and chunk together. The time of its linear layers grows with the frames, the time of
attention with their square, and every call has a fixed time (kernel launches, text, start of the vocoder). So for
chunks of one model, device and number of evaluations: seconds = fixed + linear * frames + quadratic * frames**2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import UNMADE

MIN_POINTS = 3  # number of unknowns
MIN_POINTS_JOINT = 6  # one more than its unknowns
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
            if row.get("made") in UNMADE:
                continue
            n_passes = row["n_evaluations"] * guided
            found.append(Point(plan["duration_frames"], plan["new_frames"], row["total_seconds"], n_passes, run["id"]))
    return found


def fit(points: Sequence[Point], n_passes: int) -> CostModel | None:
    """Fit a cost model by non-negative least squares; None if there are too few points or only one length.

    Points with several numbers of passes are fitted by one law: a part of the time of a chunk grows with the passes,
    the rest (text, vocoder) does not. Points with one number of passes are scaled to ``n_passes``: nearly all of the
    time is spent in the solver.
    """
    used = list(points)
    if not _suffice(used):
        return None
    if len({p.n_passes for p in used}) > 1 and len(used) >= MIN_POINTS_JOINT:
        return _fit_jointly(used, n_passes)
    frames = np.array([p.frames for p in used], float)
    seconds = np.array([p.seconds * n_passes / max(p.n_passes, 1) for p in used])
    unit = float(frames.max())  # gives the columns similar magnitudes, which the solver needs
    columns = np.stack([np.ones_like(frames), frames / unit, np.square(frames / unit)], axis=1)
    fixed, linear, quadratic = _solved(columns, seconds)
    return _with_error(CostModel(fixed, linear / unit, quadratic / unit**2, n_points=len(used)), used, n_passes)


def _fit_jointly(points: Sequence[Point], n_passes: int) -> CostModel:
    """Fit seconds = a + b frames + passes * (c + d frames + e frames²), by relative errors, for ``n_passes``."""
    frames = np.array([p.frames for p in points], float)
    times = np.array([p.n_passes for p in points], float)
    seconds = np.array([p.seconds for p in points])
    unit, most = frames.max(), times.max()
    f, t, one = frames / unit, times / most, np.ones_like(frames)
    weight = 1 / np.maximum(seconds, seconds.max() * 1e-3)
    columns = np.stack([one, f, t, t * f, t * f * f], axis=1) * weight[:, None]
    a, b, c, d, e = solution = _solved(columns, seconds * weight)
    share, size = float(n_passes / most), float(unit)
    cost = CostModel(a + c * share, (b + d * share) / size, e * share / size**2, n_points=len(points))
    wrong = np.sqrt(np.mean(np.square(columns @ np.array(solution) - seconds * weight)))  # relative
    return replace(cost, error=float(wrong * np.mean([cost.seconds(p.frames) for p in points])))


def _solved(columns: np.ndarray, values: np.ndarray) -> list[float]:
    from scipy.optimize import nnls

    return [float(v) for v in nnls(columns, values)[0]]


def _with_error(cost: CostModel, points: Sequence[Point], n_passes: int) -> CostModel:
    wrong = [cost.seconds(p.frames) - p.seconds * n_passes / max(p.n_passes, 1) for p in points]
    return replace(cost, error=float(np.sqrt(np.mean(np.square(wrong)))))


def roughly(points: Sequence[Point], n_passes: int) -> CostModel | None:
    """Return ``fit``, or a cost that grows with frames and passes alone where the points are too alike for it.

    None without any point.
    """
    work = sum(p.frames * p.n_passes for p in points)
    if not work:
        return None
    plain = CostModel(0.0, sum(p.seconds for p in points) / work * n_passes, 0.0, n_points=len(points))
    return fit(points, n_passes) or _with_error(plain, points, n_passes)


@dataclass(frozen=True)
class Expectation:
    """The expected time of a text.

    Attributes:
        seconds: of all chunks, without loading.
        error: one standard deviation of ``seconds``; None where too few chunks were measured to know it.
        n_points: number of measured chunks it rests on.
    """

    seconds: float
    error: float | None
    n_points: int


def expect(chunks: Sequence[Chunk], points: Sequence[Point], n_passes: int) -> Expectation | None:
    """Return the expected time of ``chunks``, from ``points`` of this machine; None without any point.

    The error has two parts: of single chunks, which partly cancel each other, and of whole runs against each other, as
    when other programs were busy. With one run the second part is unknown; the first is then counted in full.
    """
    cost = roughly(points, n_passes)
    if cost is None:
        return None
    seconds = sum(cost.seconds(c.duration_frames) for c in chunks)
    runs: dict[str, list[float]] = {}
    costs = {k: roughly(points, k) or cost for k in {p.n_passes for p in points}}
    for p in points:
        taken = runs.setdefault(p.run_id, [0.0, 0.0])
        taken[0] += p.seconds
        taken[1] += costs[p.n_passes].seconds(p.frames)
    ratios = [measured / predicted - 1 for measured, predicted in runs.values() if predicted]
    if len(points) < MIN_POINTS:
        return Expectation(seconds, None, cost.n_points)
    if len(ratios) < 2:
        return Expectation(seconds, cost.error * len(chunks), cost.n_points)
    between = float(np.sqrt(np.mean(np.square(ratios))))
    return Expectation(seconds, float(np.hypot(cost.error * len(chunks) ** 0.5, between * seconds)), cost.n_points)


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
    slower = p.total_seconds / cheapest - 1 if cheapest else 0.0
    above = f"{slower:.0%} above the fastest size ({cheapest:.1f} s)" if slower >= 0.005 else "the fastest size"
    reason = (
        f"{p.total_seconds:.1f} s in total, {above}, and first audio after {p.first_seconds:.1f} s. "
        f"{p.reference_share:.0%} of the frames are the reference."
    )
    if len(pool) < len(options):
        reason += f" Sizes whose chunks exceed {limit_seconds:.0f} s with the reference were left out."
    return Recommendation(best.max_bytes, reason)
