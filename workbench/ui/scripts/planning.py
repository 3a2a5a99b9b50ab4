"""Plan the text of the form: as a script if it names voices, else as an ordinary text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from workbench.engine.catalog import get_model
from workbench.engine.errors import TextError, WorkbenchError
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.scripts import Cast, Fit, Row, compose, fit, rows_of_plan
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.passages.planning import plan_script
from workbench.engine.speech.recordings import library
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import number_languages
from workbench.engine.speech.voices import Voice
from workbench.engine.text import speakers
from workbench.engine.text.preparing import Prepared, prepare
from workbench.ui import resources
from workbench.ui.parts.plan_view import Plan
from workbench.ui.scripts import session

PASSAGES_KEPT = 20_000


@dataclass(frozen=True)
class ScriptPlan(Plan):
    """The plan of a script.

    Attributes:
        request: with the script and its fitted speeds; None where a voice is unknown.
        voices: name of each speaker to the voice.
        rows: passages beside their times.
        parts: (place in the text, prepared) of each passage.
        strangers: names that no voice has.
    """

    request: SpeechRequest | None = None
    voices: dict[str, Voice] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    parts: tuple[tuple[int, Prepared], ...] = ()
    strangers: tuple[str, ...] = ()


def plan_of(text: str, voice: Voice, settings: SynthesisSettings, model: str) -> ScriptPlan | None:
    """Return the plan of a script; None where ``text`` names no voice."""
    return _plan(text, voice, settings, model) if "[" in text or "{" in text else None


def is_script(found: Plan | None) -> bool:
    """Whether ``found`` is the plan of a script."""
    return hasattr(found, "strangers")  # not isinstance: the class may have been reloaded


def scripted(request: SpeechRequest, voice: Voice) -> SpeechRequest:
    """Return the ``request`` of a form with the script of its text, if it is one.

    Raises:
        WorkbenchError: the script cannot be spoken.
    """
    found = plan_of(request.text, voice, request.settings, request.model)
    if found is None:
        return request
    if found.error or found.request is None:
        raise TextError(found.error)
    for one in found.voices.values():
        resources.remember_voice(one)
    return request.replace(voice=found.request.voice, script=found.request.script)


def _plan(text: str, voice: Voice, settings: SynthesisSettings, model: str) -> ScriptPlan | None:
    told, loaded = session.cast(voice), resources.engine_if_loaded(model)
    own = tuple((name, one.id) for name, one in told.own.items())
    extra = tuple((name, *sorted(values.items())) for name, values in told.settings.items())
    key = (text, voice.id, voice.name, settings, model, own, tuple(told.aliases.items()), repr(extra), library.stamp(),
           session.gap_seconds(), session.limits(), id(loaded), resources.vocabulary(model) is None)  # fmt: skip
    return _planned(key, told)


@st.cache_resource(show_spinner="Planning the passages", show_time=True, max_entries=32)
def _planned(key: tuple[Any, ...], _told: Cast) -> ScriptPlan | None:
    """The plan of a script, kept; None for an ordinary text. ``key`` is everything that it depends on."""
    text, _, _, settings, model, *_rest = key
    gap, limits = key[9], key[10]
    strangers: tuple[str, ...] = ()
    try:
        strangers = tuple(speakers.strangers(text, _told.names))
        request, voices = compose(text, _told, settings, gap_seconds=gap, model=model)
        if request.script is None:
            return None
        return _of_script(request, voices, model, limits)
    except WorkbenchError as error:
        return ScriptPlan(None, error=str(error), strangers=strangers)


@st.cache_resource(show_spinner=False, max_entries=4)
def _passages(model: str, engine_id: int, unknown: bool) -> dict[Any, Any]:
    """What was planned of single passages: of a book in which one was changed, one is planned again."""
    return {}


def _of_script(request: SpeechRequest, voices: dict[str, Voice], model: str, limits: Fit) -> ScriptPlan:
    engine, known = resources.engine_if_loaded(model), resources.vocabulary(model)
    spec = get_model(model) if engine is None else engine.loaded.spec
    kept = _passages(model, id(engine), known is None)
    if len(kept) > PASSAGES_KEPT:
        kept.clear()

    def prepared(words: str, voice: Voice, settings: SynthesisSettings) -> Prepared:
        key = (words, voice.language, settings.numbers)
        if key not in kept:
            languages = number_languages(spec.languages, voice.language, settings)
            kept[key] = engine.prepare(words, voice, settings) if engine else prepare(words, known, languages)
        found: Prepared = kept[key]
        return found

    window = engine.loaded.window_frames if engine else WINDOW_FRAMES[spec.backbone]
    script = request.script
    assert script is not None
    parts: tuple[tuple[int, Prepared], ...] = ()
    try:
        request = fit(request, voices, prepared, window, limits, kept)
        parts = tuple(
            (p.start, prepared(request.text[p.start : p.end], voices[p.speaker], request.settings_of(k)))
            for k, p in enumerate(script.passages)
        )
        chunks = plan_script(request, voices, prepared, window, kept=kept)
    except WorkbenchError as error:
        return ScriptPlan(None, error=str(error), request=request, voices=voices, parts=parts, window_frames=window)
    rate = next(iter(voices.values())).mel_config.target_sample_rate
    rows = tuple(rows_of_plan(request, chunks, rate))
    return ScriptPlan(None, tuple(chunks), window_frames=window, request=request, voices=voices, rows=rows, parts=parts)
