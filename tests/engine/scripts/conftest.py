"""Three voices, and a script of five passages with two pauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from workbench.engine.scripts import Cast, compose
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import Voice, load_voice

SCRIPT = """[Nora] The lake was calm. A boat went by, slowly. [pause 0.7s]
[Arthur speed=0.9 seed=4] I do not believe a word of it.
[Clara] Then come and see. [pause 300ms]
[Nora nfe=3] He never does.
[Arthur] Not today."""
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=30)


@pytest.fixture(scope="session")
def cast() -> Cast:
    """The library, prepared once, with Nora as the main voice."""
    voices: dict[str, Voice] = {}

    def load(name: str) -> Voice:
        if name.lower() not in voices:
            voices[name.lower()] = load_voice(name)
        return voices[name.lower()]

    return Cast(load("Nora"), load=load)


@pytest.fixture(scope="session")
def speak(tiny_engine: Any, cast: Cast) -> Any:
    """Speak a text on the tiny engine; returns the run."""

    def spoken(text: str, settings: SynthesisSettings = QUICK, **rest: Any) -> Any:
        request, voices = compose(text, cast, settings, **{"model": "tiny", **rest})
        return fulfilled(tiny_engine, request, voices, cast)

    return spoken


def fulfilled(engine: Any, request: Any, voices: Mapping[str, Voice], cast: Cast, **how: Any) -> Any:
    """The run of a composed request."""
    first = next((one for one in voices.values() if one.id == request.voice.id), cast.main)
    return engine.fulfil(request, first, voices=voices, **how)


@pytest.fixture(scope="session")
def run(speak: Any) -> Any:
    """The run of ``SCRIPT``."""
    return speak(SCRIPT)
