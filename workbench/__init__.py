"""F5-TTS research workbench: speech, spectrograms and the time of every stage, offline.

The names below are the public interface for programs and notebooks; everything else may move between releases. They are
imported on first use, so that ``import workbench`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Engine": "speech.synthesis",
    "LoadSettings": "settings",
    "Run": "speech.results",
    "SynthesisSettings": "settings",
    "Voice": "speech.voices",
    "evaluate": "evaluation.running",
    "list_runs": "runs.store",
    "list_voices": "speech.voices",
    "load_engine": "jobs.pool",
    "load_run": "runs.store",
    "load_voice": "speech.voices",
    "make_voice": "speech.voices",
    "save_run": "runs.store",
    "speak_script": "scripts.speaking",
    "sweep": "sweeps.running",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    return getattr(import_module(f"workbench.engine.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
