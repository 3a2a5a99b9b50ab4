"""Choose what to look at: A is the run you hear, B the run beside it; or a reference, or a file."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.runs import comparison
from workbench.engine.runs.store import RunSummary, list_runs
from workbench.ui import dock, document, style
from workbench.ui.resources import bundled_voices
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source

RUN, REFERENCE, FILE, NONE = "Run", "Reference", "File", "Nothing"
_LONGEST = 60  # characters of a value that differs
_UNHEARD = ("keep_trajectory",)  # settings that change no sample


def choose_run(label: str, key: str, runs: Sequence[RunSummary], wanted: str | None) -> str:
    """Draw a box with ``runs``, ``wanted`` preselected. Returns the id of the chosen run."""
    ids = [run.id for run in runs]
    labels = {run.id: sources.run_label(run) for run in runs}
    index = ids.index(wanted) if wanted in ids else 0
    return st.selectbox(label, ids, index=index, format_func=lambda i: labels.get(i, i), key=f"{key}_{wanted or ''}")


def choose() -> dict[str, Source]:
    """Draw the choice of A and B; return letter to chosen source, without those that cannot be read."""
    runs = list_runs()
    found: dict[str, Source] = {}
    for letter, place in zip("AB", st.columns(2, gap="large"), strict=True):
        with place:
            try:
                source = _choose_one(letter, runs, found.get("A"))
            except WorkbenchError as error:
                st.error(str(error))
                continue
            if source is not None:
                found[letter] = source
                dock.button(sources.playable(source), f"Play {letter}", key=f"play_{letter}", second=letter == "B")
    return found


def _choose_one(letter: str, runs: Sequence[RunSummary], first: Source | None) -> Source | None:
    """Draw the widgets of one letter. Raises WorkbenchError if the source cannot be read."""
    held = document.current() if letter == "A" else document.second()
    kinds = [RUN, REFERENCE, FILE] if letter == "A" else [NONE, RUN, REFERENCE, FILE]
    usual = (RUN if runs else REFERENCE) if letter == "A" else (RUN if held else NONE)
    label = "Look at" if letter == "A" else "Compare with"
    kind = st.segmented_control(label, kinds, default=usual, required=True, key=f"kind_{letter}_{held or ''}")
    if letter == "B" and kind != RUN and held:
        st.session_state["kind_B_"] = kind  # the same choice, when there is no run beside the one you hear
        document.compare_with(None)
    if kind == RUN:
        return _choose_run_and_part(letter, runs, held, first)
    if kind == REFERENCE:
        names = [voice.name for voice in bundled_voices()]
        return sources.of_voice(st.selectbox(f"Reference {letter}", names, key=f"voice_{letter}"))
    if kind == FILE:
        longest = f"{sources.FILE_MAX_SECONDS:.0f} s at most"
        upload = st.file_uploader(f"File {letter}: WAV, FLAC, OGG or MP3, {longest}", key=f"file_{letter}")
        return sources.of_file(upload.name, upload.getvalue()) if upload is not None else None
    return None


def _choose_run_and_part(
    letter: str, runs: Sequence[RunSummary], held: str | None, first: Source | None
) -> Source | None:
    if not runs:
        style.empty(
            "No run yet. Make one on the page <b>Synthesize</b>, or choose a reference.", synthesize="Synthesize"
        )
        return None
    known = {run.id: run for run in runs}
    if held and held not in known:
        st.caption("The run you hear is still being made, or could not be saved. Saved runs:")
    usual = held if held in known or letter == "A" else next((i for i in known if i != document.current()), None)
    one, two = st.columns([3, 2], gap="small")
    with one:
        run_id = choose_run(f"Run {letter}", f"run_{letter}", runs, usual)
    if letter == "A" and run_id != held and held in known:
        document.show(run_id)
    if letter == "B" and run_id != held and run_id != document.current():
        document.compare_with(run_id)
    with two:
        return sources.of_run(run_id, _choose_part(letter, known[run_id], first))


def _choose_part(letter: str, run: RunSummary, first: Source | None) -> int | None:
    """Draw the choice of a chunk; None is the whole run. B begins at the chunk of A."""
    options = [*([] if run.is_long else [-1]), *range(run.n_chunks)]  # None would be an empty box
    if len(options) < 2 or (run.n_chunks == 1 and not run.is_long):
        return None
    asked = st.query_params.get("chunk", "")
    wanted = int(asked) - 1 if letter == "A" and asked.isdecimal() and asked.isascii() else None
    if letter == "B" and first is not None and first.chunk is not None:
        wanted = first.chunk
    index = options.index(wanted) if wanted in options else 0
    part = st.selectbox(
        f"Part {letter}", options, index=index, key=f"chunk_{letter}_{run.id}_{'' if letter == 'A' else wanted}",
        format_func=lambda k: "the whole run" if k < 0 else f"chunk {k + 1} of {run.n_chunks}",
    )  # fmt: skip
    return part if part >= 0 else None


def differences(found: dict[str, Source]) -> dict[str, str]:
    """Return letter to what sets its source apart from the other, in words: "seed 2, 16 steps"."""
    ids = {letter: source.run_id for letter, source in found.items()}
    known = {run.id: run for run in list_runs()}
    runs = [known[i] for i in ids.values() if i in known]
    if len(found) < 2 or len(runs) < 2 or runs[0].id == runs[1].id:
        return {letter: source.title for letter, source in found.items()}
    rows = comparison.differing(runs)
    heard = [row for row in rows if row["setting"] not in _UNHEARD]
    said = {letter: ", ".join(_told(row["setting"], row[run_id]) for row in heard) for letter, run_id in ids.items()}
    return {letter: words or "the same settings" for letter, words in said.items()}


def _told(setting: str, value: object) -> str:
    shown = " ".join(str(value).split())
    short = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return f"{setting.replace('_', ' ')} {'unset' if value is None else short}"
