"""What a person can mend in the recipe."""

from __future__ import annotations

from workbench.engine.errors import WorkbenchError


class CorpusError(WorkbenchError):
    """A text source is not installed, or an earlier step has not been run."""


class TeacherError(WorkbenchError):
    """The teacher's files are missing, or are others than those the voice was made with."""
