"""What can go wrong, said once: what happened, the value, and the remedy.

Pages show these with ``st.error``, the command line prints one line and exits with 2. Anything that is not a
``WorkbenchError`` is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno

_REMEDIES = {
    "Free some space or choose another place.": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "Choose a place that is yours.": (errno.EACCES, errno.EPERM, errno.EROFS),
    "Choose a folder that exists.": (errno.ENOENT, errno.ENOTDIR),
    "Choose a shorter name.": (errno.ENAMETOOLONG,),
    "Close some programs.": (errno.EMFILE, errno.ENFILE),
}


def reason_of(error: OSError | ValueError) -> str:
    """Why the system refused, in its own words but without the name of a file, which may be a temporary one."""
    return (error.strerror if isinstance(error, OSError) else "") or "the system cannot take this name"


def remedy_for(error: OSError | ValueError) -> str:
    """What to do about a place where nothing can be written: the remedy that fits the system's reason."""
    code = getattr(error, "errno", None)
    return next((remedy for remedy, codes in _REMEDIES.items() if code in codes), "Choose another place.")


class WorkbenchError(Exception):
    """A mistake a person can mend.

    Args:
        what: what happened, with the offending value.
        remedy: what to do about it, as an instruction. Appended to the message.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: one line."""
        return [f"{type(self).__name__}: {self}"]


# What was asked for --------------------------------------------------------------------------------------------------


class TextError(WorkbenchError):
    """The text cannot be spoken: empty, only punctuation, too long, or with characters the model never learnt."""


class SettingsError(WorkbenchError, ValueError):
    """A setting is unknown, of the wrong type or out of its range."""


class AudioError(WorkbenchError):
    """A recording cannot be used: not audio, empty, silent, not finite, too short or too long."""


class VoiceError(WorkbenchError):
    """A voice is unknown or its text is missing."""


class OutputError(WorkbenchError):
    """A result cannot be written where it was asked for."""


class RunError(WorkbenchError):
    """A saved run does not exist or cannot be read."""


class EngineError(WorkbenchError):
    """The engine cannot be used from here: from within its own callback, or after a fork."""


class JobError(WorkbenchError):
    """A job cannot be taken on, or it failed for a reason nobody foresaw."""


class ServerError(WorkbenchError):
    """The app cannot be served as it was asked for: the address, a host name or the port."""


class LabError(WorkbenchError):
    """The loading lab could not be set up, or was stopped from outside."""


# Models and their files ----------------------------------------------------------------------------------------------


class ModelError(WorkbenchError):
    """A model is unknown to the catalogue."""


class WeightsError(WorkbenchError):
    """Weights are missing, cut short, unsafe, or of another architecture."""


class CacheError(WorkbenchError):
    """The offline cache cannot do what was asked of it."""


class ImportRefused(CacheError):
    """A folder or archive does not hold a model that can be used here."""


class FetchError(CacheError):
    """A download did not end well. Nothing that is not whole was kept."""


class DeviceError(WorkbenchError):
    """The device or number format asked for does not exist on this machine."""


# Not a mistake -------------------------------------------------------------------------------------------------------


class Cancelled(WorkbenchError):
    """The work was stopped on request. Raise it from a progress callback to stop at the next step."""

    def __init__(self, what: str = "Cancelled.", *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
