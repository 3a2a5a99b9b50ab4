"""The reference recording that a saved run keeps beside it."""

from __future__ import annotations

from workbench.engine.errors import RunError
from workbench.engine.runs.paths import run_folder
from workbench.engine.speech.results import Run

FILE = "reference.wav"
_MAX_BYTES = 64 * 2**20  # five minutes of float32 and more; what is larger is none


def reference_recording(run: Run) -> bytes | None:
    """reference.wav of ``run``'s folder; None if it is not saved, holds none, or that is no WAV."""
    try:
        path = run_folder(run.id) / FILE
        if not path.is_file():  # a pipe or a device would be read for ever
            return None
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (RunError, OSError):
        return None
    is_wav = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    return content if is_wav and len(content) <= _MAX_BYTES else None
