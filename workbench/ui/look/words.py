"""The words of a source with their times, as a recogniser from the cache hears them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial

import streamlit as st

from workbench import figures
from workbench.engine.asr.recogniser import Word, best_recogniser, load_recogniser
from workbench.engine.catalog import RecogniserSpec
from workbench.engine.errors import RecogniserError, WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.runs.measured.words import NAME, Words, hear_words, read_words, words_in_run
from workbench.engine.runs.store import run_folder
from workbench.ui.parts import watch
from workbench.ui.resources import job_manager, kept, saved_run
from workbench.ui.runs.sources import Source


def tiers(source: Source) -> list[figures.Tier]:
    """Return the words of ``source`` as far as they were heard, and its chunks; [] if neither is known."""
    found = []
    if (heard := of(source)) is not None:
        found.append(figures.Tier("words", [(w.start, w.end, w.text) for w in heard]))
    if source.intervals and (len(source.intervals) > 1 or not found):
        name = "chunks" if source.run_id else "words"
        found.append(figures.Tier(name, [(low, high, text) for low, high, text in source.intervals if text]))
    return found


def of(source: Source) -> tuple[Word, ...] | None:
    """Return the words of ``source`` in seconds from its start; None if nobody listened to all of it."""
    if not source.run_id:
        job = watch.remembered(_key(source))
        found: tuple[Word, ...] | None = job.result if job is not None and job.state == DONE else None
        return found
    run, stored = saved_run(source.run_id), _stored(source)
    if source.chunk is not None:
        return stored.of(run.chunks[source.chunk].wave)
    return words_in_run(run, stored)


def offer(found: Mapping[str, Source]) -> None:
    """Draw a button for each source that listens to it, or say why nothing can; nothing where the words are known."""
    unheard = {letter: source for letter, source in found.items() if of(source) is None}
    said = []
    for letter, source in unheard.items():
        try:
            spec = best_recogniser(source.language)
        except RecogniserError as error:
            said.append(str(error))
        else:
            _button(source, letter, spec)
    for why in dict.fromkeys(said):
        st.caption(f"The row Chunks shows whole chunks, not words. {why}")


def _button(source: Source, letter: str, spec: RecogniserSpec) -> None:
    about = f"{spec.name} listens once; the words are kept with the run." if source.run_id else f"{spec.name} listens."
    if st.button(f"Find the words of {letter}", icon=":material/hearing:", key=f"words_{letter}", help=about):
        work = _hear_run if source.run_id else _hear_wave
        try:
            job = job_manager().start(f"Words of {source.title}", partial(work, source=source), lane=SPEECH_LANE)
        except WorkbenchError as error:
            st.error(str(error))
            return
        watch.remember(_key(source), job)
    watch.watch(_key(source))


def _key(source: Source) -> str:
    return "words_" + hashlib.sha256(source.key.encode()).hexdigest()[:16]


def _indices(source: Source) -> list[int]:
    return list(range(len(saved_run(source.run_id).chunks))) if source.chunk is None else [source.chunk]


def _stored(source: Source) -> Words:
    folder = run_folder(source.run_id)
    try:
        stamp = (folder / NAME).stat().st_mtime_ns
    except OSError:
        return Words()
    return kept().get(("words", source.run_id, stamp), lambda: read_words(folder))


def _hear_run(job: Job, source: Source) -> None:
    run, known = saved_run(source.run_id), _stored(source)
    missing = [index for index in _indices(source) if known.of(run.chunks[index].wave) is None]
    if missing:
        hear_words(run, missing, on_chunk=lambda done, n: job.report(done / n, f"chunk {done + 1} of {n}"))


def _hear_wave(job: Job, source: Source) -> tuple[Word, ...]:
    job.doing = "listening"
    return load_recogniser(language=source.language).words(source.wave, source.sample_rate, language=source.language)
