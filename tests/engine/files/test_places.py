"""A checkout keeps its files inside, an installed package in the user's data folder; remedies fit each case."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workbench.engine.cache import resolve
from workbench.engine.catalog import bundled_folder, get_model
from workbench.engine.errors import SettingsError, WeightsError
from workbench.engine.files import places
from workbench.engine.files.places import home


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if the package lay in site-packages, with its demo voice, and the user had a home; that folder."""
    package = tmp_path / "site-packages" / "workbench"
    shutil.copytree(places.shipped_voice(), package / "bundled" / "demo-voice")
    (package.parent / "pyproject.toml").write_text("some other package's, left there by mistake")
    monkeypatch.setattr(places, "PACKAGE", package)
    monkeypatch.setattr(places, "ROOT", package.parent)
    monkeypatch.delenv("WORKBENCH_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


def test_a_checkout_is_its_own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_HOME")
    assert places.is_checkout() and home() == Path(__file__).resolve().parents[3]
    assert bundled_folder() == home() / "cache" / "demo-voice"
    assert "git checkout" in places.voice_remedy(bundled_folder())


def test_an_installed_package_keeps_the_users_files_outside_of_itself(installed: Path) -> None:
    assert home().is_relative_to(installed / "user") and not home().exists()
    assert bundled_folder() == installed / "site-packages" / "workbench" / "bundled" / "demo-voice"
    assert resolve(get_model("demo-voice")).weights.parent == bundled_folder()


def test_without_a_home_folder_the_remedy_is_a_variable(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(SettingsError, match="WORKBENCH_HOME"):
        home()


def test_what_is_missing_is_brought_back_as_it_was_installed(installed: Path) -> None:
    (bundled_folder() / "vocab.txt").unlink()
    with pytest.raises(WeightsError, match="Install the workbench again") as caught:
        resolve(get_model("demo-voice"))
    assert "git" not in str(caught.value)
    shutil.rmtree(bundled_folder())
    spec = get_model("demo-voice")
    assert "Install the workbench again" in spec.not_runnable and "git" not in spec.not_runnable
