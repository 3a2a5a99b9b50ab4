"""Take part in a listening test: one trial at a time, names hidden."""

from __future__ import annotations

import dataclasses
import secrets
import time
from html import escape

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.listening import answers, design, records, sounds
from workbench.engine.listening.answers import NO_DIFFERENCE
from workbench.engine.listening.design import Trial
from workbench.engine.listening.records import ListeningTest
from workbench.ui import dock, style

_QUESTIONS = {
    design.ABX: "X is one of A and B. Which?",
    design.PREFERENCE: "Which sounds better?",
    design.SCORE: "How good does this speech sound?",
}
_PLACES = {design.ABX: ("A", "B", "X"), design.PREFERENCE: ("1", "2"), design.SCORE: ("the sound",)}
# label and key of each answer; the scores are those of ITU-T P.800
_ANSWERS = {
    design.ABX: {1: ("X is A", "1"), 2: ("X is B", "2")},
    design.PREFERENCE: {1: ("1 is better", "1"), NO_DIFFERENCE: ("No difference", "0"), 2: ("2 is better", "2")},
    design.SCORE: {
        score: (f"{score} · {word}", str(score))
        for score, word in zip(answers.SCORES, ("bad", "poor", "fair", "good", "excellent"), strict=True)
    },
}  # fmt: skip
_PLAY_KEYS = {"A": "A", "B": "B", "X": "X", "1": "Q", "2": "W", "the sound": "P"}


def show(test: ListeningTest) -> None:
    """Draw the start, the next trial, or the thanks."""
    key = st.query_params.get("me", "")
    if not records.KEY.fullmatch(key):
        _start(test)
        return
    try:
        trial = answers.next_trial(test, key)
        if trial is None:
            st.success(f"All {test.n_trials} trials are answered. Thank you.", icon=":material/check:")
        else:
            _trial(test, key, trial)
    except WorkbenchError as error:
        st.error(str(error))


def _start(test: ListeningTest) -> None:
    st.header(_question(test))
    st.caption("Use headphones and one volume for all trials. You may play each sound as often as you like. "
               "An answer is final. If you close this page, its address continues where you were.")  # fmt: skip
    st.text_input("Your name, if you want it beside your answers", key="listen_me",
                  max_chars=answers.LISTENER_MAX_CHARACTERS)  # fmt: skip
    if st.button("Start", type="primary", key="listen_start", icon=":material/headphones:"):
        st.session_state[f"listener_{test.name}"] = st.session_state.listen_me
        st.query_params["me"] = records.new_key()
        st.rerun()


def _trial(test: ListeningTest, key: str, trial: Trial) -> None:
    """Draw one trial: its sounds and the buttons that answer it."""
    place = f"{test.name}:{key}:{trial.number}"
    if st.session_state.get("listen_place") != place:
        st.session_state.listen_place, st.session_state.listen_since = place, time.monotonic()
        st.session_state.setdefault("listen_nonce", secrets.token_hex(16))
    st.progress(trial.number / test.n_trials, text=f"Trial {trial.number + 1} of {test.n_trials}")
    st.header(_question(test))
    keyboard = st.session_state.get("listen_keys", False)
    _players(test, trial, keyboard)
    with st.container(horizontal=True, key="listen_answers"):
        for choice, (label, shortcut) in _ANSWERS[test.kind].items():
            st.button(label, key=f"choice_{choice}_{trial.number}", shortcut=shortcut if keyboard else None,
                      on_click=_answer, args=(test, key, trial, choice))  # fmt: skip
    if "listen_error" in st.session_state:
        st.error(st.session_state.pop("listen_error"))
    # a button, because shortcuts do nothing while a toggle has the focus
    st.button("Answer by the buttons only" if keyboard else "Answer by keyboard", key="listen_keyboard",
              icon=":material/keyboard:", type="tertiary", on_click=_turn_keyboard,
              help="Each button shows the key that presses it; the sounds get buttons of their own.")  # fmt: skip


def _turn_keyboard() -> None:
    st.session_state.listen_keys = not st.session_state.get("listen_keys", False)


def _question(test: ListeningTest) -> str:
    return style.plain(test.question) or _QUESTIONS[test.kind]


def _players(test: ListeningTest, trial: Trial, keyboard: bool) -> None:
    names = _PLACES[test.kind]
    files = sounds.of_trial(test, trial, [st.session_state.listen_nonce] * len(names))
    with st.container(horizontal=True, key="listen_sounds"):
        for name, file in zip(names, files, strict=True):
            title = f"Sound {name}" if len(names) > 1 else "The sound"
            sound = dataclasses.replace(dock.of_bytes(file, title), is_blind=True)
            key = f"play_{name}_{trial.number}"
            if not keyboard:
                dock.button(sound, f"Play {name}", key=key)
            elif st.button(f"Play {name}", key=key, shortcut=_PLAY_KEYS[name], icon=":material/play_arrow:"):
                dock.play(sound)


def _answer(test: ListeningTest, key: str, trial: Trial, choice: int) -> None:
    """Keep the answer. Called when a button was pressed."""
    seconds = time.monotonic() - st.session_state.get("listen_since", time.monotonic())
    listener = st.session_state.get(f"listener_{test.name}", "")
    try:
        answers.answer(test, key, trial, choice, listener=listener, seconds=seconds)
    except WorkbenchError as error:
        st.session_state.listen_error = str(error)


def head(test: ListeningTest) -> None:
    """Draw the name of the test, without anything that tells what it compares."""
    style.facts({"test": escape(test.name), "trials": str(test.n_trials)})
