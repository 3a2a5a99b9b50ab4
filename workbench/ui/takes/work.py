"""The bench of one chunk, below its row: its takes side by side, and the form that makes another one."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.takes import TakeJob, fresh_seed
from workbench.engine.runs.takes.values import Take, Takes
from workbench.engine.settings import SynthesisSettings, describe
from workbench.ui import dock, resources
from workbench.ui.parts import watch
from workbench.ui.takes import state

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


def bench(run: Run, takes: Takes, index: int) -> None:
    """Draw the takes of chunk ``index`` and the form below its row."""
    with st.container(border=True, key=f"takes_bench_{index}"):
        for take in takes.of(index):
            _take(run, take)
        _form(run, takes, index)
        key = job_key(run, index)
        watch.watch(key)


def job_key(run: Run, index: int) -> str:
    """Under this key the session remembers the job that makes a take of chunk ``index``."""
    return f"take_{run.id}_{index}"


def _take(run: Run, take: Take) -> None:
    """Draw one take, to be chosen, with a button that plays it: the chosen one in slot A, the others in slot B."""
    index = take.chunk.index
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"takes_take_{index}_{take.number}"
    ):
        st.html(_facts(run, take))
        if take.is_chosen:
            st.button("Chosen", key=f"takes_choose_{index}_{take.number}", icon=":material/check:", disabled=True)
        elif st.button(
            "Choose", key=f"takes_choose_{index}_{take.number}", disabled=take.is_failed,
            help=f"Let the run sound with take {take.number}. Undo takes it back.",
        ):  # fmt: skip
            state.choose(run, {index: take.number})


def _facts(run: Run, take: Take) -> str:
    cells = [f"take {take.number}", f"seed {take.seed}"]
    cells += [f"speed {take.speed:g}"] if take.speed is not None else []
    if take.is_failed:
        cells = [f"take {take.number}", f'<span class="wb-badge is-bad">failed</span> {escape(take.error)}']
    else:
        cells += [f"{take.audio_seconds:.2f} s", f"RTF {measures.get('rtf').shown(take.rtf)}"]
        cells += [f"from take {take.parent}"] if take.parent else ["as first made"]
    cells += _measured(take)
    sound = "" if take.is_failed else dock.html_button(
        state.sound_of(run, take), "A" if take.is_chosen else "B", second=not take.is_chosen
    )  # fmt: skip
    words = f'<div class="wb-take-words">{escape(take.chunk.text)}</div>'
    inside = "".join(f"<span>{cell}</span>" for cell in cells)
    css = "wb-take-row is-chosen" if take.is_chosen else "wb-take-row"
    label = f"Take {take.number} of chunk {take.chunk.index + 1}{', chosen' if take.is_chosen else ''}"
    facts = f'<div><div class="wb-take-facts">{inside}</div>{words}</div>'
    return f'<div class="{css}" role="group" aria-label="{label}">{sound}{facts}</div>'


def _measured(take: Take) -> list[str]:
    known = {m.name: m for m in measures.of_every_cost(measures.SOUND)}
    shown = [(known[name], value) for name, value in take.measured.items() if name in known and value is not None]
    return [f"{m.label} {m.shown(value)}" for m, value in shown[:2]]


def _form(run: Run, takes: Takes, index: int) -> None:
    """Draw words, seed and speed, and the button that makes a take of them."""
    chosen = next(take for take in takes.of(index) if take.is_chosen)
    knob = next(row for row in describe(SynthesisSettings) if row["name"] == "speed")
    # a new seed is offered after each take; words and speed stay as they were typed
    named = f"{run.id}_{index}_{chosen.number}"
    keys = {"words": f"takes_words_{named}", "seed": f"takes_seed_{named}_{takes.count(index)}",
            "speed": f"takes_speed_{named}"}  # fmt: skip
    with st.container(key=f"takes_form_{index}", gap="small"):
        said = chosen.words or chosen.chunk.written or chosen.chunk.text
        st.text_area("Words", said, key=keys["words"], height=80)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.number_input(
                "Seed", 0, 2**31 - 1, fresh_seed(takes, index), key=keys["seed"], width=150,
                help="The offered one is new to this run. The same words, seed and speed give the same sound.",
            )  # fmt: skip
            speed = chosen.speed or run.request.settings_of(chosen.chunk.passage).speed
            st.number_input(
                "Speed", knob["low"], knob["high"], speed, 0.05, key=keys["speed"], width=130, help=knob["help"]
            )
            job = watch.remembered(job_key(run, index))
            st.button(
                "Make take", key=f"takes_make_{index}", type="primary", icon=":material/refresh:",
                disabled=job is not None and job.is_active, on_click=_make, args=(run, index, keys),
            )  # fmt: skip
    if problem := st.session_state.pop("takes_problem", ""):
        st.error(problem)


def _make(run: Run, index: int, keys: dict[str, str]) -> None:
    """Queue the take that the form asks for (a callback)."""
    wanted = {name: st.session_state[key] for name, key in keys.items()}
    try:
        job = resources.job_manager().submit(TakeJob(run.id, index, **wanted))
    except WorkbenchError as error:
        st.session_state.takes_problem = str(error)
        return
    watch.remember(job_key(run, index), job)
