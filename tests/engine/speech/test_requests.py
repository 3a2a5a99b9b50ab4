"""A request survives JSON unchanged, and errors in it are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.engine.errors import SettingsError
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.requests import Remake, SpeechRequest, VoiceRef

VOICE = VoiceRef("0" * 64, "Ann", "Some words.", "en", "/somewhere/ann.wav")
WHOLE = SpeechRequest(
    "Hello 你好.", VOICE, SynthesisSettings(nfe_step=5, fix_duration=3.5), "tiny", "/models/tiny", True,
    LoadSettings(device="cpu", dtype="fp32"), Remake("20260101-000000-abcdef", 2, 7, "Other words."), "sizes",
)  # fmt: skip


def test_a_request_comes_back_from_json() -> None:
    assert SpeechRequest.from_dict(json.loads(json.dumps(WHOLE.as_dict()))) == WHOLE


def test_what_is_missing_has_its_default() -> None:
    voice = {"id": "0", "name": "Ann", "ref_text": "Some words."}
    found = SpeechRequest.from_dict({"text": "Hello.", "voice": voice, "settings": {"seed": 3}})
    assert found == SpeechRequest("Hello.", VoiceRef("0", "Ann", "Some words."), SynthesisSettings(seed=3))


def _changed(place: str, value: Any) -> dict[str, Any]:
    found = WHOLE.as_dict()
    *path, last = place.split(".")
    holder: Any = found
    for name in path:
        holder = holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return found


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("tempo", 1, "SpeechRequest has no field 'tempo'"),
        ("voice.accent", "x", "VoiceRef has no field 'accent'"),
        ("remake.chunks", [1], "Remake has no field 'chunks'"),
        ("settings.warmth", 1, "There is no setting 'warmth'"),
        ("load.graphs", True, "There is no setting 'graphs'"),
        ("text", ..., "SpeechRequest.text is missing"),
        ("voice", ..., "SpeechRequest.voice is missing"),
        ("text", 5, "text is 5, not a text"),
        ("text", None, "text is None, not a text"),
        ("voice", "Ann", "VoiceRef is 'Ann', not an object"),
        ("voice", None, "VoiceRef is None, not an object"),
        ("settings", [], "SynthesisSettings is a list, not an object"),
        ("random_weights", 1, "random_weights is 1, not true or false"),
        ("remake.chunk", True, "chunk is True, not a whole number"),
        ("settings.nfe_step", 0, "nfe_step is 0, out of its range"),
        ("load.dtype", "fp8", "dtype is 'fp8', which is unknown"),
    ],
)
def test_what_is_wrong_is_named(place: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        SpeechRequest.from_dict(_changed(place, value))
    assert said in str(error.value)
