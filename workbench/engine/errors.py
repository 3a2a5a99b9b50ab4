"""Errors that users can correct. Each message says what happened, with the value, and the remedy.

Pages show these with ``st.error``, the command line prints one line and exits with 2. Anything that is not a
``WorkbenchError`` is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno

_REMEDIES = {
    "Free some space or choose another place.": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "Choose a folder that you may write to.": (errno.EACCES, errno.EPERM, errno.EROFS),
    "Choose a folder that exists.": (errno.ENOENT, errno.ENOTDIR),
    "Choose a shorter name.": (errno.ENAMETOOLONG,),
    "Close some programs.": (errno.EMFILE, errno.ENFILE),
}


def reason_of(error: OSError | ValueError) -> str:
    """Return the system's message without the file name, which may be a temporary one."""
    return (error.strerror if isinstance(error, OSError) else "") or "the system does not allow this name"


def remedy_for(error: OSError | ValueError) -> str:
    """Return the remedy for ``error``, raised by a place where nothing can be written."""
    code = getattr(error, "errno", None)
    return next((remedy for remedy, codes in _REMEDIES.items() if code in codes), "Choose another place.")


class WorkbenchError(Exception):
    """An error that the user can correct.

    Args:
        what: what happened, with the wrong value.
        remedy: what to do, as an instruction. Appended to the message.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy

    def _render_traceback_(self) -> list[str]:
        """Return the one line that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def told(error: BaseException) -> str:
    """Return one line about any error, for those who asked for the work."""
    if isinstance(error, WorkbenchError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There is not enough memory. Make the chunks smaller, or free the device."
    first = (str(error).splitlines() or [""])[0][:200]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"This failed: {said}. The log has the details."


# Requests and results ------------------------------------------------------------------------------------------------


class TextError(WorkbenchError):
    """The text cannot be spoken: empty, only punctuation, too long, or with characters outside the vocabulary."""


class SettingsError(WorkbenchError, ValueError):
    """A setting is unknown, of the wrong type or out of its range."""


class AudioError(WorkbenchError):
    """A recording cannot be used: not audio, empty, silent, not finite, too short or too long."""


class VoiceError(WorkbenchError):
    """A voice is unknown or its text is missing."""


class RecogniserError(WorkbenchError):
    """Nothing can listen to a recording: the package or a model is missing, or it heard no words."""


class OutputError(WorkbenchError):
    """A result cannot be written at the requested place."""


class RunError(WorkbenchError):
    """A saved run does not exist or cannot be read."""


class MissingRunError(RunError):
    """There is no such run, or no longer."""


class ListeningError(WorkbenchError):
    """A listening test does not exist, cannot be made or read, or an answer does not belong to it."""


class EngineError(WorkbenchError):
    """The engine cannot be used here: within its own callback, or after a fork."""


class JobError(WorkbenchError):
    """A job cannot be queued, or it failed unexpectedly."""


class PackageError(WorkbenchError):
    """An optional package that this needs is not installed."""


class ServerError(WorkbenchError):
    """The app cannot be served with this address, host name or port."""


class LabError(WorkbenchError):
    """The loading lab could not be set up, or its process was ended."""


# Models and their files ----------------------------------------------------------------------------------------------


class ModelError(WorkbenchError):
    """A model is unknown to the catalogue."""


class WeightsError(WorkbenchError):
    """Weights are missing, cut short, unsafe, or of another architecture."""


class CacheError(WorkbenchError):
    """The offline cache cannot complete the request."""


class ImportRefused(CacheError):
    """A folder or archive does not hold a usable model."""


class FetchError(CacheError):
    """A download failed. No incomplete file was kept under its final name."""


class DeviceError(WorkbenchError):
    """The device or number format does not exist on this machine."""


# Cancellation --------------------------------------------------------------------------------------------------------


class Cancelled(WorkbenchError):
    """The work was cancelled. Raise this from a progress callback to stop at the next step."""

    def __init__(self, what: str = "Cancelled.", *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
