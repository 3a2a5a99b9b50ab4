"""Small things every training shares: a CSV curve with a progress line, and checkpoints that are never half written."""

from __future__ import annotations

import csv
import logging
import os
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger("training.demo_voice")


class Curve:
    """A CSV file of one row per report, appended to when a training resumes; every row is logged as one line."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.columns = path, columns
        if not path.exists():
            self._write(columns)

    def _write(self, row: tuple[Any, ...]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)

    def add(self, *values: float | int | str) -> None:
        """Append one row, in the order of the columns."""
        shown = tuple(f"{v:.5g}" if isinstance(v, float) else str(v) for v in values)
        self._write(shown)
        log.info("%s  %s", self.path.stem, "  ".join(f"{c} {v}" for c, v in zip(self.columns, shown, strict=True)))


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Save beside, then rename: an interrupted write never costs the last good checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)
