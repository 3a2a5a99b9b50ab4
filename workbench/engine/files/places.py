"""Find the package, in a checkout or from a wheel, and the folder of ``cache/`` and ``runs/``."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from workbench.engine.errors import SettingsError

PACKAGE = Path(__file__).resolve().parents[2]
ROOT = PACKAGE.parent  # root of the checkout; site-packages if installed
VOICE = "demo-voice"


def is_checkout() -> bool:
    """Whether the package is in its source tree, which then holds ``cache/`` and ``runs/`` too."""
    return (ROOT / "pyproject.toml").is_file() and (ROOT / "cache" / "README.md").is_file()


def default_home() -> Path:
    """Return the checkout, or the user's data folder if the package is installed; never site-packages.

    Raises:
        SettingsError: the user has no home folder, as in some containers.
    """
    if is_checkout():
        return ROOT
    try:
        return platformdirs.user_data_path("f5tts-workbench", appauthor=False)
    except RuntimeError as error:
        raise SettingsError(
            "There is no home folder for models and runs.",
            remedy="Set HOME, or set WORKBENCH_HOME to a folder that you may write to.",
        ) from error


def shipped_voice() -> Path:
    """Return the folder of the demo voice that came with the package: in the checkout's cache or in the wheel."""
    return ROOT / "cache" / VOICE if is_checkout() else PACKAGE / "bundled" / VOICE


def voice_remedy(folder: Path) -> str:
    """Return how to restore the demo voice if its ``folder`` is incomplete."""
    if folder.resolve() != shipped_voice().resolve():
        return f"Delete {folder}; then the demo voice that came with the workbench is used."
    if is_checkout():
        return f"Restore the demo voice: `git checkout cache/{VOICE}`."
    return "Install the workbench again (`pip install --force-reinstall --no-deps` and its wheel): it holds the voice."


def user_path(path: str | Path, named: str = "The path") -> Path:
    """Return ``path`` with ``~`` expanded.

    Raises:
        SettingsError: ``path`` begins with a home folder that does not exist on this machine.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError, ValueError) as error:
        raise SettingsError(
            f"{named} {str(path)!r} begins with a home folder that this machine does not know.",
            remedy="Give the absolute path, starting with /.",
        ) from error


def home() -> Path:
    """Return the folder of ``cache/`` and ``runs/``: ``$WORKBENCH_HOME``, the checkout, or the user's data folder.

    Reads the variable at every call, so that tests and notebooks can change it at any time.

    Raises:
        SettingsError: WORKBENCH_HOME is not a folder or cannot be read.
    """
    moved = os.environ.get("WORKBENCH_HOME")
    if not moved:
        return default_home()
    folder = user_path(moved, "WORKBENCH_HOME")
    why = ""
    try:
        for place in (folder, folder / "cache"):
            if place.exists() and not place.is_dir():
                why = "is not a folder" if place == folder else "has a file named cache instead of a folder"
            elif place.exists() and not os.access(place, os.R_OK | os.X_OK):
                why = "cannot be read (Permission denied)"
    except OSError as error:
        why = f"cannot be used ({error.strerror})"
    if why:
        raise SettingsError(f"WORKBENCH_HOME {moved!r} {why}.", remedy="Set it to a folder of your own.")
    return folder
