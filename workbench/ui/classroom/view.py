"""Draw a stop of the guided path: the question, the prediction, and then what was measured."""

from __future__ import annotations

import numpy as np
import streamlit as st

from workbench import figures
from workbench.classroom.code import find
from workbench.classroom.stops import STOPS, Stop
from workbench.classroom.values import Measured, Question, unfit
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.results import Run
from workbench.ui import dock
from workbench.ui.classroom import measured, progress
from workbench.ui.parts import tables

PLACE = "views/{}.py"


def steps() -> None:
    """Draw the eight stops as a row to choose from; those with a prediction have a tick."""
    said = progress.predictions()

    def title(index: int) -> str:
        return f"{'✓ ' if STOPS[index].key in said else ''}{index + 1} {STOPS[index].title}"

    def chosen() -> None:
        progress.go(st.session_state["class_steps"])

    st.session_state["class_steps"] = progress.at()
    st.segmented_control("Stop", range(len(STOPS)), format_func=title, key="class_steps", on_change=chosen,
                         required=True, label_visibility="collapsed")  # fmt: skip


def stop(index: int, run: Run) -> None:
    """Draw stop ``index`` about ``run``."""
    here = STOPS[index]
    st.header(f"{index + 1} · {here.title}")
    why_not = unfit(run, needs_states=here.needs_states)
    if why_not:
        st.info(f"This stop cannot measure the run you hear. {why_not}", icon=":material/swap_horiz:")
        offer_run()
        return
    question = here.ask(run)
    st.markdown(_plain(question.text))
    said = progress.predictions().get(here.key)
    if said is None:
        predict(here, question)
        return
    found = measured.measured(here, run)
    if found is None:
        st.caption(f"You said {shown(said, question)}. Measuring on this machine …")
        return
    compare(here, question, said, found)
    explain(here, run, found)


def predict(here: Stop, question: Question) -> None:
    """Draw the form of the prediction."""
    whole = float(question.step).is_integer()
    kind = int if whole else float
    with st.form(f"class_{here.key}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        value = st.number_input(
            f"Your prediction{', ' + question.unit if question.unit else ''}", kind(question.low), kind(question.high),
            None, kind(question.step), key=f"class_said_{here.key}", placeholder="a number", width=220,
        )  # fmt: skip
        if st.form_submit_button("Predict, then see", type="primary", icon=":material/visibility:"):
            if value is None:
                st.warning("Give a number first: a wrong one teaches more than none.")
            else:
                progress.predict(here, float(value))
                st.rerun()


def shown(value: float, question: Question) -> str:
    """Return a value with its unit, as exact as the question."""
    return f"{_digits(value, question)} {question.unit}".strip()


def _digits(value: float, question: Question) -> str:
    return f"{value:.{0 if float(question.step).is_integer() else 2}f}"


def verdict(said: float, question: Question, found: Measured) -> str:
    """Return how far the prediction lies from the measurement, in words."""
    off = said - found.value
    if abs(off) <= question.near:
        return "You saw it coming."
    unit = question.unit if question.unit in ("s", "%") else ""  # a count needs none, and one "chunks" would be wrong
    return f"Too {'high' if off > 0 else 'low'}, by {_digits(abs(off), question)} {unit}".strip() + "."


def compare(here: Stop, question: Question, said: float, found: Measured) -> None:
    """Draw prediction and measurement side by side."""
    one, two, three = st.columns([1, 1, 3], vertical_alignment="bottom")
    one.metric("You said", shown(said, question))
    two.metric("Measured here", shown(found.value, question))
    with three.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{verdict(said, question, found)}**")
        if st.button("Predict again", key=f"class_again_{here.key}", type="tertiary", icon=":material/undo:"):
            progress.predict(here, None)
            st.rerun()


def explain(here: Stop, run: Run, found: Measured) -> None:
    """Draw pictures, sounds, three sentences, the evidence, and where to go from here."""
    if found.pictures:
        for column, (title, mel) in zip(st.columns(len(found.pictures)), found.pictures, strict=True):
            column.image(figures.mel_png(np.repeat(mel, 2, axis=0)), width="stretch", caption=title, alt=f"Mel {title}")
    st.markdown(_plain(" ".join(found.why)))
    if found.sounds:
        with st.container(horizontal=True):
            for k, (title, wave) in enumerate(found.sounds):
                sound = dock.of_bytes(to_bytes(wave, run.sample_rate), title, timeline=f"class:{here.key}:{run.id}")
                dock.button(sound, title, key=f"dock_class_{here.key}_{k}", second=k > 0)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.html(tables.words_table(("measured", "value"), found.evidence, "What was measured"))
    with right:
        onward(here, run)


def onward(here: Stop, run: Run) -> None:
    """Draw the links: the page where the thing itself is, its lesson, and its line of code."""
    view, title = here.page
    query = {"run": run.id, "stop": str(STOPS.index(here) + 1)}
    st.page_link(PLACE.format(view), label=f"See it on the page **{title}**", icon=":material/open_in_new:",
                 query_params=query)  # fmt: skip
    lesson = here.lesson
    st.markdown(f"Lesson {lesson.number}, *{lesson.title}*: `notebooks/{lesson.stem}.ipynb`")
    found = find(here.code)
    st.markdown(f"The line that {here.code.why}: `{found.place}`")
    st.code(found.source, language="python", wrap_lines=True)


def onwards(index: int) -> None:
    """Draw the buttons to the stops before and after."""
    with st.container(horizontal=True):
        if index and st.button(f"Back: {STOPS[index - 1].title}", key="class_back", icon=":material/arrow_back:"):
            progress.go(index - 1)
            st.rerun()
        if index + 1 < len(STOPS):
            is_done = STOPS[index].key in progress.predictions()
            label = f"Next: {STOPS[index + 1].title}"
            if st.button(label, key="class_next", icon=":material/arrow_forward:",
                         icon_position="right", type="primary" if is_done else "secondary"):  # fmt: skip
                progress.go(index + 1)
                st.rerun()


def summary(run: Run) -> None:
    """Draw a table of all predictions beside what has been measured so far."""
    said = progress.predictions()
    if len(said) < 2:
        return
    rows = []
    for k, here in enumerate(STOPS):
        if here.key not in said or unfit(run, needs_states=here.needs_states):
            continue
        question, found = here.ask(run), measured.known(here, run)
        rows.append({
            "stop": f"{k + 1} {here.title}", "you said": shown(said[here.key], question),
            "measured": shown(found.value, question) if found else "not yet",
            "": verdict(said[here.key], question, found) if found else "",
        })  # fmt: skip
    with st.expander(f"Your predictions, {len(rows)} of {len(STOPS)}", icon=":material/checklist:"):
        st.dataframe(rows, hide_index=True, placeholder=tables.NO_VALUE, alt="Predictions and measurements")
        if st.button("Begin again", key="class_restart", icon=":material/restart_alt:"):
            said.clear()
            progress.go(0)
            st.rerun()


def offer_run() -> None:
    """Draw the button that makes a run for the class, and its job."""
    label = "Speak the text of the class"
    if st.button(label, type="primary", icon=":material/graphic_eq:", key="class_speak",
                 help="Three sentences in small chunks, with the states of the ODE kept."):  # fmt: skip
        measured.speak()
        st.rerun()  # the job is drawn above


def _plain(text: str) -> str:
    """Escape Markdown in a sentence that holds the visitor's own words; no heading, no link, no formula."""
    for sign in r"\`*_[]<>#$~|:":
        text = text.replace(sign, f"\\{sign}")
    return text
