"""The wheel holds everything that the workbench needs, and works in an empty folder, offline, without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import soundfile

from tests.server import ROOT, Server, forbid_network

SOURCES = (
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "requirements.txt",
    "workbench",
    "cache",
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that the checkout stays as it is."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "hub", "imported"))
        else:
            shutil.copy(ROOT / name, source / name)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files as an installer lays them out."""
    folder = tmp_path_factory.mktemp("site-packages")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture
def outside(unpacked: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has installed the wheel, and no network."""
    (tmp_path / "user").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKBENCH_", "XDG_"))}
    offline = forbid_network(tmp_path)
    paths = os.pathsep.join((str(tmp_path), str(unpacked)))
    return kept | offline | {"PYTHONPATH": paths, "HOME": str(tmp_path / "user")}


def test_it_holds_the_voice_the_configuration_and_what_pages_are_drawn_with(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    held = set(archive.namelist())
    voice = ROOT / "cache" / "demo-voice"
    for path in (path for path in voice.rglob("*") if path.is_file()):
        name = f"workbench/bundled/demo-voice/{path.relative_to(voice).as_posix()}"
        assert archive.getinfo(name).file_size == path.stat().st_size
    for pattern in ("**/*.py", ".streamlit/*.toml", "ui/static/*", "ui/fonts/*", "engine/evaluation/*.csv"):
        present = {p.relative_to(ROOT).as_posix() for p in (ROOT / "workbench").glob(pattern) if p.is_file()}
        assert present and present <= held
    assert not [name for name in held if not name.startswith(("workbench/", "f5tts_workbench-"))]
    entries = next(name for name in held if name.endswith("entry_points.txt"))
    assert b"workbench = workbench.cli:main" in archive.read(entries)


def test_it_speaks_from_an_empty_folder(unpacked: Path, outside: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "workbench", "synth", "Hello.", "--nfe-step", "2", "--out", "h.wav", "--json"]
    done = subprocess.run(command, cwd=empty, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["out"] == "h.wav" and soundfile.info(empty / "h.wav").frames > 2400
    assert [path.name for path in empty.iterdir()] == ["h.wav"]
    assert not (unpacked / "runs").exists() and not (unpacked / "cache").exists()
    assert not (tmp_path / "network.txt").exists()


def test_doctor_finds_nothing_wrong_and_no_network(unpacked: Path, outside: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench", "doctor", "--json"]
    done = subprocess.run(command, cwd=tmp_path / "user", env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["a run will touch the network"]["state"] == "ok"
    assert str(unpacked) in checks["model demo-voice"]["detail"]
    assert not (tmp_path / "network.txt").exists()


def test_it_serves_the_app_from_an_empty_folder(unpacked: Path, outside: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = outside | {"WORKBENCH_MODEL": "none-such"}
    served = Server(tmp_path / "home", tmp_path / "log.txt", folder=empty, environment=environment)
    try:
        served.wait(60)
        assert served.get("/fonts/inter-latin-wght-normal.woff2")[0] == 200
        assert f"http://127.0.0.1:{served.port}" in served.log.read_text()
    finally:
        served.stop()
    assert not (tmp_path / "network.txt").exists() and list(empty.iterdir()) == []
