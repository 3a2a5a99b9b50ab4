"""Find the package, in a checkout or installed from a wheel, and the folder of ``cache/`` and ``runs/``."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from workbench.engine.errors import SettingsError

PACKAGE = Path(__file__).resolve().parents[2]
ROOT = PACKAGE.parent  # of the checkout; site-packages otherwise
VOICE = "demo-voice"


def is_checkout() -> bool:
    """Whether the package stands in its source tree, which then holds ``cache/`` and ``runs/`` too."""
    return (ROOT / "pyproject.toml").is_file() and (ROOT / "cache" / "README.md").is_file()


def default_home() -> Path:
    """The checkout, or the user's data folder where the package was installed: never site-packages.

    Raises:
        SettingsError: the user has no home folder, as in some containers.
    """
    if is_checkout():
        return ROOT
    try:
        return platformdirs.user_data_path("f5tts-workbench", appauthor=False)
    except RuntimeError as error:
        raise SettingsError(
            "There is no home folder to keep models and runs in.",
            remedy="Set HOME, or WORKBENCH_HOME to a folder that you may write to.",
        ) from error


def shipped_voice() -> Path:
    """The demo voice that came with the package: in the checkout's cache, or inside the wheel."""
    return ROOT / "cache" / VOICE if is_checkout() else PACKAGE / "bundled" / VOICE


def voice_remedy(folder: Path) -> str:
    """How to get the demo voice back when what lies in ``folder`` is not whole."""
    if folder.resolve() != shipped_voice().resolve():
        return f"Delete {folder}; the demo voice that came with the workbench is used then."
    if is_checkout():
        return f"`git checkout cache/{VOICE}` brings the demo voice back."
    return "Install the workbench again (`pip install --force-reinstall --no-deps` and its wheel): it holds the voice."


def user_path(path: str | Path, named: str = "The path") -> Path:
    """``path`` as somebody typed it, with ``~`` expanded.

    Raises:
        SettingsError: it names a user, or a home folder, that this machine does not know.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError, ValueError) as error:
        raise SettingsError(
            f"{named} {str(path)!r} begins with a home folder that this machine does not know.",
            remedy="Write the whole path, from / on.",
        ) from error


def home() -> Path:
    """Folder that holds ``cache/`` and ``runs/``: ``$WORKBENCH_HOME``, the checkout, or the user's data folder.

    Read when needed, so that tests and notebooks can move it at any time.

    Raises:
        SettingsError: WORKBENCH_HOME is no folder, or none that can be read.
    """
    moved = os.environ.get("WORKBENCH_HOME")
    if not moved:
        return default_home()
    folder = user_path(moved, "WORKBENCH_HOME")
    why = ""
    try:
        for place in (folder, folder / "cache"):
            if place.exists() and not place.is_dir():
                why = "is not a folder" if place == folder else "has a file in the place of its folder cache"
            elif place.exists() and not os.access(place, os.R_OK | os.X_OK):
                why = "cannot be read (Permission denied)"
    except OSError as error:
        why = f"cannot be used ({error.strerror})"
    if why:
        raise SettingsError(f"WORKBENCH_HOME {moved!r} {why}.", remedy="Set it to a folder of your own.")
    return folder
