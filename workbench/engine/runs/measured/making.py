"""Measure a run: each chunk, then all of it; words that are wrong, missing or repeated are kept too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.engine import measures
from workbench.engine.errors import RecogniserError, SettingsError, WorkbenchError
from workbench.engine.measures import INSTANT, SECONDS, SOUND, Measure, Sound, intelligibility
from workbench.engine.measures.intelligibility import steps_of
from workbench.engine.runs.measured.files import Measured, read_measured, write_measured
from workbench.engine.runs.store import load_run, run_folder
from workbench.engine.runs.takes import choosing
from workbench.engine.visible import quoted

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult, Run

GROUPS = {  # short names that people know, each for some measures
    "wer": ("wer_percent", "cer_percent"),
    "sim": ("speaker_similarity", "nearest_other_similarity"),
    "dnsmos": ("dnsmos_overall", "dnsmos_speech", "dnsmos_background"),
}
OnChunk = Callable[[int, int, str], None]


def named(names: Sequence[str] = ()) -> list[Measure]:
    """Return the measures of a sound called ``names`` (or by the short names ``GROUPS``); all of them without names.

    Raises:
        SettingsError: there is no such measure, or a package that it needs is not installed.
    """
    every = {m.name: m for cost in (INSTANT, SECONDS) for m in measures.every(SOUND, cost=cost)}
    if not names:
        return [m for m in every.values() if not m.lacking]
    wanted = dict.fromkeys(member for name in names for member in GROUPS.get(name.strip(), (name.strip(),)))
    for name in wanted:
        if name not in every:
            raise SettingsError(
                f"There is no measure {quoted(name)}.", remedy=f"Choose from {', '.join([*GROUPS, *every])}."
            )
        if every[name].lacking:
            raise SettingsError(f"{every[name].lacking}.", remedy="Or leave it out.")
    return [every[name] for name in wanted]


def of_run(names: Sequence[str]) -> list[Measure]:
    """Return the measures of a run or a sound called ``names``, or by the short names ``GROUPS``.

    Raises:
        SettingsError: there is no such measure of a run.
    """
    kinds = {m.name: m for m in measures.of_every_cost(measures.RUN, SOUND)}
    asked = dict.fromkeys(member for name in names for member in GROUPS.get(name.strip(), (name.strip(),)))
    unknown = next((name for name in asked if name not in kinds), None)
    if unknown is not None:
        raise SettingsError(
            f"There is no measure {quoted(unknown)}.", remedy=f"Choose from {', '.join([*GROUPS, *kinds])}."
        )
    return [kinds[name] for name in asked]


def measure_sound(sound: Sound, wanted: Sequence[Measure]) -> dict[str, float | None]:
    """Return name to value of ``wanted`` for one sound. Raises RecogniserError if nothing can listen."""
    return {m.name: m.value(sound) for m in wanted}


def measure_run(
    run_id: str, names: Sequence[str] = (), *, on_chunk: OnChunk | None = None, run: Run | None = None
) -> tuple[Measured, list[str]]:
    """Measure a saved run and keep the result in its folder, beside the measures made before.

    Args:
        names: of measures; () for all that can be made here.
        on_chunk: called with (index, number of chunks, text) before each chunk; may raise Cancelled, and nothing is
            written then.
        run: the run, if it is in memory.

    Returns:
        All measures of the run, and in words what could not be measured and why.

    Raises:
        SettingsError: a measure is unknown or needs a package that is not installed.
        RecogniserError: words were asked for by name, and nothing can listen.
        RunError: there is no such run, or it is damaged.
        OutputError: the result cannot be written.
    """
    wanted, folder = named(names), run_folder(run_id)
    run = run or load_run(run_id, trajectories=False)
    lacking = [m.lacking for m in _all() if m.lacking] if not names else []
    first = chunk_sound(run, 0)
    if any(map(_listens, wanted)):
        try:
            _ = first.heard
        except RecogniserError as error:
            if names:
                raise
            wanted, lacking = [m for m in wanted if not _listens(m)], [*lacking, f"WER and CER: {error}"]
    listened = any(map(_listens, wanted))
    rows, weights, steps, heard = [], [], [], []
    for index in range(len(run.chunks)):  # one in memory at a time: a run may be a book
        sound = chunk_sound(run, index) if index else first
        if on_chunk is not None:
            on_chunk(index, len(run.chunks), sound.text)
        rows.append(measure_sound(sound, wanted))
        weights.append({m.name: m.weight(sound) if m.weight else sound.seconds for m in wanted})
        if listened:
            steps.append(tuple(steps_of(sound)))
            heard.append(sound.heard.text)
    measured = Measured(
        _of_run(run, rows, weights, wanted),
        tuple(rows),
        tuple(steps),
        tuple(heard),
        first.heard.recogniser if listened else "",
        first.heard.language if listened else "",
        datetime.now(UTC).isoformat(timespec="seconds"),
        run.takes,
    ).over(read_measured(folder))
    write_measured(folder, measured)
    for index, take in enumerate(run.takes):
        choosing.note_measured(run_id, index, take, rows[index])
    return measured, list(dict.fromkeys(lacking))


def _listens(one: Measure) -> bool:
    return one.needs == intelligibility.NEEDS


def _all() -> list[Measure]:
    return [m for cost in (INSTANT, SECONDS) for m in measures.every(SOUND, cost=cost)]


def chunk_sound(run: Run, index: int) -> Sound:
    """Return chunk ``index`` of ``run`` as a sound, in the language of the model where it speaks only one."""
    return sound_of(run, run.chunks[index])


def sound_of(run: Run, result: ChunkResult) -> Sound:
    """Return a chunk or a take of ``run`` as a sound, as ``chunk_sound``."""
    from workbench.engine.catalog import get_model

    sound = Sound.of_chunk(result, run.mel_config, run)
    try:
        languages = get_model(run.model).languages
    except WorkbenchError:  # not in this catalogue
        languages = ()
    return dataclasses.replace(sound, language=languages[0]) if len(languages) == 1 else sound


def _of_run(
    run: Run,
    rows: Sequence[dict[str, float | None]],
    weights: Sequence[dict[str, float]],
    wanted: Sequence[Measure],
) -> dict[str, float | None]:
    """Return the measures of the whole run: cheap ones of its joined wave, the others as weighted means of its chunks.

    The wave of a long run is never in memory, so cheap ones are left out there.
    """
    whole = None if run.is_long else Sound.of_run(run)
    found: dict[str, float | None] = {}
    for m in wanted:
        if m.cost == INSTANT:
            found |= {m.name: m.value(whole)} if whole else {}
            continue
        pairs = [(v, w[m.name]) for row, w in zip(rows, weights, strict=True) if (v := row[m.name]) is not None]
        total = sum(weight for _, weight in pairs)
        found[m.name] = sum(value * weight for value, weight in pairs) / total if total else None
    return found
