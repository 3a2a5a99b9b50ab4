"""Compare two or more runs: settings, words, sound, time of each stage, pitch and mels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.runs import comparison
from workbench.engine.runs.comparison import MelComparison
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.measured.files import read_measured
from workbench.engine.runs.store import RunSummary, read_document, run_folder, version_of
from workbench.engine.signal import spectra
from workbench.ui import dock, resources
from workbench.ui.compare import words
from workbench.ui.compare.address import LETTERS, MAX_RUNS
from workbench.ui.parts import tables
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import run_view, sources

_UNHEARD = ("text", "keep_trajectory")  # of what differs, not in the title of a sound: the words say it, or nothing


def _compared(first: str, second: str) -> MelComparison:
    key = ("compared", first, second, _version(first) + _version(second))
    a, b = (resources.saved_run(run_id) for run_id in (first, second))

    def compared() -> MelComparison:
        pitches = (measures.Sound.of_run(a).pitch, measures.Sound.of_run(b).pitch)
        return comparison.compare_mels(a.mel, b.mel, pitches)

    with st.spinner("Aligning the mels"):
        return resources.kept().get(key, compared)


def _document(run_id: str) -> RunDocument:
    return resources.kept().get(("document", run_id, _version(run_id)), lambda: read_document(run_id))


def _times(run_id: str) -> measures.Times:
    return measures.Times.of_run({**_document(run_id)})


def _version(run_id: str) -> tuple[int, ...]:
    return version_of(run_folder(run_id))


def compare(runs: Sequence[RunSummary]) -> None:
    """Draw the comparison of ``runs``, named A, B, C in this order.

    Raises:
        RunError: a run cannot be read.
    """
    if len(runs) > MAX_RUNS:
        st.warning(f"Only the first {MAX_RUNS} of {len(runs)} ticked runs are compared.", icon=":material/rule:")
        runs = runs[:MAX_RUNS]
    _settings(runs)
    names = dict(zip(LETTERS, runs, strict=False))
    words.show(
        {letter: _document(run.id) for letter, run in names.items()},
        {letter: read_measured(run_folder(run.id)) for letter, run in names.items()},
    )
    if any(run.is_long for run in runs):
        _timings(runs)
        st.caption("A run this long is not drawn as a whole: compare chunks on the page Listen and look.")
        return
    _players(runs)
    _timings(runs)
    _mels(runs)


def _settings(runs: Sequence[RunSummary]) -> None:
    st.header("What differs")
    names = {run.id: LETTERS[k] for k, run in enumerate(runs)}
    rows = [{names.get(key, key): _shown(value) for key, value in row.items()} for row in comparison.differing(runs)]
    if rows:
        st.dataframe(rows, hide_index=True, alt="Settings that differ, one column per run")
    else:
        st.caption("Nothing: all have the same model, voice, text and settings.")


def _shown(value: Any) -> str:
    """Return ``value`` as text, so that a column has one type; None is "unset"."""
    return "unset" if value is None else str(value)


def sound_of(letter: str, run: RunSummary, runs: Sequence[RunSummary]) -> dock.Sound:
    """Return ``run`` for the player, with a title that says how it differs from the other ``runs``."""
    rows = comparison.differing(runs)
    what = ", ".join(f"{row['setting']} {_shown(row[run.id])}" for row in rows if row["setting"] not in _UNHEARD)
    sound = dock.of_run(resources.saved_run(run.id))
    return dataclasses.replace(sound, title=f"{letter} · {dock.shortened(what) if what else sound.title}")


def _players(runs: Sequence[RunSummary]) -> None:
    st.header("Side by side, at true loudness")
    st.caption("X switches between A and the other one at the same instant; = dB brings both to one level.")
    width = 2 if len(runs) == 4 else min(len(runs), 3)
    for first in range(0, len(runs), width):
        for place, k in zip(st.columns(width), range(first, min(first + width, len(runs))), strict=False):
            letter, run = LETTERS[k], runs[k]
            with place:
                source = sources.of_run(run.id, None)
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{letter}** · {source.seconds:.2f} s", width="content")
                    dock.button(sound_of(letter, run, runs), f"Play {letter}", key=f"play_{letter}", second=k > 0)
                st.text(sources.run_label(run))
                st.caption(_heard(source))


def _heard(source: sources.Source) -> str:
    """Return one line with every measure of a sound that needs no extra package: those are slow to import."""
    sound = sources.measurable(source)
    quick = [m for m in measures.every(measures.SOUND) if not m.needs]
    return " · ".join(f"{m.label} {m.shown(m.value(sound))}" for m in quick)


def _timings(runs: Sequence[RunSummary]) -> None:
    st.header("Where the time went")
    times = {LETTERS[k]: _times(run.id) for k, run in enumerate(runs)}
    stages = {letter: found.stages for letter, found in times.items()}
    run_view.bars(
        figures.stages_by_run(stages, dark=is_dark()), "compare_stages",
        "Seconds of each stage, one bar per run; the numbers are in the table below",
    )  # fmt: skip
    rows = [
        {"run": letter, "audio (s)": round(run.seconds, 2), "total (s)": round(run.total_seconds, 2),
         "chunks": run.n_chunks} | measures.row(measures.RUN, times[letter])
        for letter, run in zip(LETTERS, runs, strict=False)
    ]  # fmt: skip
    tables.measured(rows, "Timings, one row per run")


def _mels(runs: Sequence[RunSummary]) -> None:
    st.header("Mels and pitch")
    names = {run.id: f"{LETTERS[k]}" for k, run in enumerate(runs)}
    by_id = {run.id: run for run in runs}
    first, second = runs[0].id, runs[1].id
    if len(runs) > 2:
        one, two = st.columns(2)
        first = one.selectbox("From", list(names), format_func=names.__getitem__, key="mel_from")
        second = two.selectbox("To", [i for i in names if i != first], format_func=names.__getitem__, key="mel_to")
    found = _compared(first, second)
    config = sources.of_run(first, None).config
    hz, rate = spectra.mel_hz(config), config.frames_per_second
    a, b = names[first], names[second]
    panels: list[figures.Panel] = [
        figures.SpectrumPanel(f"{a}: mel", found.a, hz, rate),
        figures.SpectrumPanel(f"{b}: mel{f', on the time axis of {a}' if found.warped else ''}", found.b, hz, rate),
        figures.DifferencePanel(f"{b} minus {a}", found.change, hz, rate),
    ]
    if found.pitches is not None:
        title = f"F0: {a} orange, {b} blue{f', on the time axis of {a}' if found.warped else ''}"
        panels.insert(0, figures.PitchPanel(title, found.pitches[0], over=found.pitches[1], names=(a, b)))
    how = (
        f"They differ in length: {b} is time-aligned to {a} (dynamic time warping over cepstra)."
        if found.warped
        else "They have the same length and are compared frame by frame."
    )
    if len({run.text for run in runs if run.id in (first, second)}) > 1:
        how += " Their texts differ, so the distortion says little about the voice."
    distances = [(m.label, m.shown(found.measured[m.name])) for m in measures.every(measures.PAIR)]
    st.markdown(" · ".join(f"{label[:1].upper()}{label[1:]} **{value}**" for label, value in distances) + f". {how}")
    figure = dock.bind(figures.stack(panels, dark=is_dark(), panel_pixels=150), sound_of(a, by_id[first], runs))
    st.plotly_chart(
        figure, theme=None, key="compare_mels", config=figures.CONFIG,
        alt=f"Pitch and mels of run {a} and run {b}, and the difference of the mels",
    )  # fmt: skip
