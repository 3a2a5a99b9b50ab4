"""Make chunks again with other seeds, as takes of their run, and choose the best of each, by a measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.engine.errors import SettingsError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.takes import make_take
from workbench.engine.measures import Measure
from workbench.engine.runs.measured.making import named, sound_of
from workbench.engine.runs.store import load_run
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.values import check_chunk
from workbench.engine.timing import Progress
from workbench.engine.visible import quoted

N_SEEDS = 4


@dataclass(frozen=True)
class Best:
    """What came of other seeds for one chunk.

    Attributes:
        chunk: index of the chunk.
        take: number of the best take; that of the one before if none was better.
        seed: of the best take.
        values: seed to value of the measure; that of the take before first, None where there was nothing to measure.
        is_better: whether it is another take than before.
    """

    chunk: int
    take: int
    seed: int
    values: dict[int, float | None]
    is_better: bool


def other_seeds(seed: int, count: int = N_SEEDS) -> list[int]:
    """``count`` seeds that follow ``seed``, far enough for those of the other chunks not to come again."""
    return [(seed + 10_007 * (k + 1)) % 2**31 for k in range(count)]


def best_of(
    pool: EnginePool,
    run_id: str,
    chunk: int,
    seeds: Sequence[int] = (),
    measure: str = "wer_percent",
    *,
    choose: bool = True,
    on_seed: Callable[[int, int], None] | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Best:
    """Speak chunk ``chunk`` of a saved run with each of ``seeds``, keep each as a take, and choose the best one.

    A seed that is only as good as the present one changes nothing; of equal ones the first is taken. Nothing is chosen
    where none is better.

    Args:
        pool: engines and voices.
        run_id: of a saved run.
        chunk: index of the chunk.
        seeds: () for ``other_seeds``.
        measure: by which the best is told; one that has a better way.
        choose: let the run sound with the best one.
        on_seed: called with (index, number of seeds) before each; may raise Cancelled. The takes so far are kept.
        on_step: as in ``Engine.fulfil``.

    Raises:
        SettingsError: the measure is unknown, has no better way, or needs what is not installed.
        RecogniserError: the measure listens, and nothing can.
        RunError: there is no such run or chunk.
        VoiceError, WeightsError: the run cannot be spoken again here.
        OutputError: a take cannot be kept.
    """
    (by,) = named([measure])[:1]
    if not by.better:
        raise SettingsError(f"{quoted(measure)} has no better way.", remedy="Choose one that has.")
    run = load_run(run_id, trajectories=False)
    check_chunk(run_id, chunk, len(run.chunks))
    before = run.takes[chunk] if run.takes else 1
    present = run.chunks[chunk].seed
    values: dict[int, float | None] = {present: by.value(sound_of(run, run.chunks[chunk]))}
    best, seed = before, present
    tried = list(dict.fromkeys(seeds or other_seeds(present)))
    for index, other in enumerate(tried):
        if on_seed is not None:
            on_seed(index, len(tried))
        take = make_take(
            run_id, chunk, pool=pool, seed=other, parent=before, on_step=on_step,
            on_made=lambda made: {by.name: by.value(sound_of(run, made))},
        )  # fmt: skip
        values[other] = take.measured[by.name]
        if _is_better(by, values[other], values[seed]):
            best, seed = take.number, other
        if by.better == "lower" and values[other] == 0.0:
            break  # there is no better one
    if choose and best != before:
        choosing.choose(run_id, {chunk: best})
    return Best(chunk, best, seed, values, best != before)


def _is_better(by: Measure, value: float | None, than: float | None) -> bool:
    if value is None or than is None:
        return than is None and value is not None
    return value < than if by.better == "lower" else value > than


def repair(
    pool: EnginePool,
    run_id: str,
    chunks: Sequence[int],
    measure: str = "wer_percent",
    *,
    n_seeds: int = N_SEEDS,
    on_try: Callable[[int, int], None] | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> list[Best]:
    """``best_of`` for each of ``chunks``; the better ones are chosen together, as one step that can be undone.

    Args:
        pool: engines and voices.
        run_id: of a saved run.
        chunks: indices of the chunks.
        measure: as in ``best_of``.
        n_seeds: other seeds for each.
        on_try: called with (tries so far, tries at most); may raise Cancelled. The better takes of the chunks that
            are finished are chosen then.
        on_step: as in ``Engine.fulfil``.

    Raises:
        WorkbenchError: as ``best_of``.
    """
    takes, whole = choosing.takes_of(run_id), len(chunks) * n_seeds
    found: list[Best] = []
    try:
        for done, chunk in enumerate(chunks):
            first = done * n_seeds

            def tell(index: int, n_tries: int, first: int = first) -> None:
                if on_try is not None:
                    on_try(first + index, whole)

            seeds = other_seeds(takes.of(chunk)[takes.ledger.number(chunk) - 1].seed, n_seeds)
            found.append(best_of(pool, run_id, chunk, seeds, measure, choose=False, on_seed=tell, on_step=on_step))
    finally:
        if better := {one.chunk: one.take for one in found if one.is_better}:
            choosing.choose(run_id, better)
    return found
