"""Measures of runs, chunks, sounds and pairs. Tables, CSV, the index of runs and pages show all registered measures.

To add a measure, write a module here with a function under ``@measure``. Modules are registered in the order of their
names, the measures of a module in their order in the file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from workbench.engine.measures.registry import (
    CHUNK,
    COSTS,
    INSTANT,
    PAIR,
    RUN,
    SECONDS,
    SOUND,
    Measure,
    every,
    get,
    known,
    of_every_cost,
    row,
    values,
)  # fmt: skip
from workbench.engine.measures.subjects import Pair, Sound, Times

__all__ = [
    "CHUNK",
    "COSTS",
    "INSTANT",
    "PAIR",
    "RUN",
    "SECONDS",
    "SOUND",
    "Measure",
    "Pair",
    "Sound",
    "Times",
    "every",
    "get",
    "known",
    "of_every_cost",
    "row",
    "values",
]

for _found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
    import_module(f"{__name__}.{_found.name}")
