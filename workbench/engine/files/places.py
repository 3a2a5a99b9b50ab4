"""Where the package stands, in a checkout or installed from a wheel, and what follows from it."""

from __future__ import annotations

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
