"""What the form knows of scripts beside their text: who is cast, the gap, the limits of speed. Kept by the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.runs.store import run_folder
from workbench.engine.scripts import Cast, Fit, Sheet
from workbench.engine.speech.requests import SpeechRequest, VoiceRef
from workbench.engine.speech.voices import Voice
from workbench.engine.text import speakers
from workbench.ui import resources

_OWN, _ALIASES, _SETTINGS = "script_own", "script_aliases", "script_settings"
GAP, LIMITS = "script_gap", "script_limits"  # keys of the widgets


def cast(main: Voice) -> Cast:
    """Return the voices that the text of the form may name; ``main`` speaks what no tag names."""
    return Cast(main, own(), st.session_state.get(_SETTINGS, {}), aliases(), load=resources.bundled_voice)


def own() -> dict[str, Voice]:
    """Return name to voice of those that are not in the library: of a file that was opened, or of a run."""
    found = {}
    for name, ref in st.session_state.get(_OWN, {}).items():
        try:
            found[name] = resources.pool().voice(ref)
        except WorkbenchError:  # gone from memory, or its run was deleted: the text then says that the voice is unknown
            continue
    return found


def aliases() -> dict[str, str]:
    """Return name in the script to the voice that speaks it."""
    return dict(st.session_state.get(_ALIASES, {}))


def cast_as(name: str, voice: str) -> None:
    """Let ``voice`` of the library speak what the script says ``name`` says."""
    st.session_state[_ALIASES] = {**aliases(), name: voice}


def gap_seconds() -> float:
    """Return the silence between passages without a pause or a time."""
    return float(st.session_state.get(GAP, 0.0))


def limits() -> Fit:
    """Return the speeds within which passages are fitted into their times."""
    low, high = st.session_state.get(LIMITS, (Fit().slowest, Fit().fastest))
    return Fit(low, high)


def take(sheet: Sheet, told: Cast) -> None:
    """Keep the voices and settings of a file that was opened, instead of those before."""
    for voice in told.own.values():
        resources.remember_voice(voice)
    _keep({name: voice.ref for name, voice in told.own.items()}, told.aliases, told.settings, sheet.gap_seconds)


def adopt(run_id: str, request: SpeechRequest) -> None:
    """Keep the voices of the script of a saved run, from the recordings in its folder, instead of those before."""
    library = {speakers.key(voice.name) for voice in resources.bundled_voices()}
    placed = request.stored([voice.id for voice in request.voices])
    found: dict[str, VoiceRef] = {}
    for one in placed.script.speakers if placed.script else ():
        if speakers.key(one.name) not in library or not _is_bundled(one.voice):
            found[one.name] = one.voice.replace(recording=str(run_folder(run_id) / one.voice.recording))
    _keep(found, {}, {}, placed.script.gap_seconds if placed.script else 0.0)


def _is_bundled(voice: VoiceRef) -> bool:
    try:
        return resources.bundled_voice(voice.name).id == voice.id
    except WorkbenchError:
        return False


def _keep(
    voices: Mapping[str, VoiceRef], names: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]], gap: float
) -> None:
    state = st.session_state
    state[_OWN], state[_ALIASES] = dict(voices), dict(names)
    state[_SETTINGS] = {name: dict(values) for name, values in settings.items() if values}
    state[GAP] = gap
