"""Make a chunk again with other seeds and keep the best, by a measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.engine.errors import RunError, SettingsError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.measures import Measure
from workbench.engine.runs.measured.making import chunk_sound, named
from workbench.engine.runs.store import load_run, save_run
from workbench.engine.speech.requests import Remake
from workbench.engine.timing import Progress
from workbench.engine.visible import quoted

if TYPE_CHECKING:  # it imports torch
    from workbench.engine.speech.results import Run

N_SEEDS = 4


@dataclass(frozen=True, eq=False)
class Best:
    """What came of other seeds.

    Attributes:
        run: with the best chunk; the run itself where none was better.
        values: seed to value of the measure; that of the present chunk first, None where there was nothing to measure.
        seed: of the best chunk.
    """

    run: Run
    values: dict[int, float | None]
    seed: int


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
    on_seed: Callable[[int, int], None] | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Best:
    """Speak chunk ``chunk`` of a saved run with each of ``seeds`` and save the run with the best one.

    A seed that is only as good as the present one changes nothing; of equal ones the first is taken. Nothing is saved
    where none is better.

    Args:
        pool: engines and voices.
        seeds: () for ``other_seeds``.
        measure: by which the best is told; one that has a better way.
        on_seed: called with (index, number of seeds) before each; may raise Cancelled, and nothing is saved then.
        on_step: as in ``Engine.fulfil``.

    Raises:
        SettingsError: the measure is unknown, has no better way, or needs what is not installed.
        RecogniserError: the measure listens, and nothing can.
        RunError: there is no such run or chunk.
        VoiceError, WeightsError: the run cannot be spoken again here.
        OutputError: the better run cannot be saved.
    """
    (by,) = named([measure])[:1]
    if not by.better:
        raise SettingsError(f"{quoted(measure)} has no better way.", remedy="Choose one that has.")
    run = load_run(run_id, trajectories=False)
    if not 0 <= chunk < len(run.chunks):
        raise RunError(f"{run_id} has no chunk {chunk}.", remedy=f"It has {len(run.chunks)}, counted from 0.")
    present = run.chunks[chunk].seed
    values, best = {present: by.value(chunk_sound(run, chunk))}, run
    tried = list(dict.fromkeys(seeds or other_seeds(present)))
    for index, seed in enumerate(tried):
        if on_seed is not None:
            on_seed(index, len(tried))
        request = run.request.replace(remake=Remake(run.id, chunk, seed), sweep="")
        made = pool.speak(request, base=run, on_step=on_step)
        values[seed] = by.value(chunk_sound(made, chunk))
        if _is_better(by, values[seed], values[best.chunks[chunk].seed]):
            best = made
        if by.better == "lower" and values[seed] == 0.0:
            break  # there is no better one
    if best is not run:
        save_run(best)
    return Best(best, values, best.chunks[chunk].seed)


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
) -> Run:
    """``best_of`` for each of ``chunks`` in turn, each on the run that the one before saved. Returns the last run.

    Args:
        on_try: called with (tries so far, tries at most); may raise Cancelled, and what is saved stays.

    Raises:
        WorkbenchError: as ``best_of``.
    """
    run, whole = load_run(run_id, trajectories=False), len(chunks) * n_seeds
    for done, chunk in enumerate(chunks):
        first = done * n_seeds

        def tell(index: int, n_tries: int, first: int = first) -> None:
            if on_try is not None:
                on_try(first + index, whole)

        seeds = other_seeds(run.chunks[chunk].seed, n_seeds)
        run = best_of(pool, run.id, chunk, seeds, measure, on_seed=tell, on_step=on_step).run
    return run
