"""The arrays of takes after the first, ``takes/00003-002.npz``: read when they are asked for, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.engine.errors import RunError
from workbench.engine.runs.parts.stored import Parts

FOLDER = "takes"  # in the folder of a run


class TakeFile(Parts):
    """The file of one take, in place of that of its chunk.

    Args:
        folder: of the run.
        mel: the configuration of its mel, as in run.json.
        chunk: index of the chunk.
        take: number of the take.
    """

    def __init__(self, folder: Path, mel: Mapping[str, Any], chunk: int, take: int) -> None:
        super().__init__(folder / FOLDER, mel["n_mel_channels"], mel["target_sample_rate"])
        self._take = take
        self._name = f"{chunk:05d}-{take:03d}.npz"

    def path(self, index: int) -> Path:
        """Where its arrays are."""
        return self.folder / self._name

    def damaged(self, index: int, reason: str) -> RunError:
        """The error for a take that cannot be read; the others still can."""
        run_id = self.folder.parent.name
        return RunError(
            f"Take {self._take} of chunk {index + 1} of the run {run_id} cannot be read: {reason}.",
            remedy=f"Choose another one: `workbench runs choose {run_id} {index + 1} 1`.",
        )
