"""Export a run for other tools: sound, subtitles, CSV, Praat TextGrid, Perfetto trace, and a zip of all.

To add an export, write a module here with a function of a run under ``@export``. Pages, zip and command line then
offer it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from workbench.engine.runs.exports.registry import Export, every, export, get

__all__ = ["Export", "every", "export", "get"]

for _found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
    import_module(f"{__name__}.{_found.name}")
