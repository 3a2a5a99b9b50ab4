"""F5-TTS research workbench: speech, spectrograms and the time of every stage, offline.

Five names, imported on first use, so that ``import workbench`` stays light: ``load_engine``, ``Engine``, ``Voice``,
``SynthesisSettings``, ``Run``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Engine", "Run", "SynthesisSettings", "Voice", "load_engine"]

_HOMES = {
    "load_engine": "speech.synthesis",
    "Engine": "speech.synthesis",
    "Run": "speech.results",
    "Voice": "speech.voices",
    "SynthesisSettings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    return getattr(import_module(f"workbench.engine.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
