"""A cache on a read-only disk works, without one attempt to write into it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import TINY_ARCH
from tests.engine.cache.stocked import put_base, put_vocoder
from workbench.cli.parts.commands import app
from workbench.engine.cache import import_model, inventory, resolve, sweep_drafts, verify
from workbench.engine.cache.paths import cache_root, hub_root, user_hub_root
from workbench.engine.catalog import bundled_folder, get_model
from workbench.engine.checks.doctor import examine

# of PEP 578: name of the event to the places of the paths among its arguments
_WRITES = {
    "os.mkdir": (0,), "os.remove": (0,), "os.rmdir": (0,), "os.rename": (0, 1), "os.link": (0, 1), "os.symlink": (1,),
    "os.utime": (0,), "os.chmod": (0,), "os.chown": (0,), "os.truncate": (0,), "shutil.rmtree": (0,),
}  # fmt: skip
_watched: list[str] = []  # folders
_seen: list[str] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watched:
        return
    paths = [args[at] for at in _WRITES.get(event, ())]
    if event == "open" and (set(args[1] or "") & set("wax+") or args[2] & _FLAGS):
        paths = [args[0]]
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)):
            place = os.path.abspath(os.fsdecode(path))
            _seen.extend(f"{event} {place}" for folder in _watched if place.startswith(folder))


_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
sys.addaudithook(_hook)  # for good; it looks only while something is watched


@pytest.fixture
def read_only(tiny_folder: Path, demo_home: Path) -> Iterator[list[str]]:
    """A home with an import, two Hub caches and the demo voice; attempts to write into any of them."""
    source = Path(shutil.copytree(tiny_folder, demo_home / "source"))
    model = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}
    (source / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    import_model(source, name="tiny")
    for root in (hub_root(), user_hub_root()):
        put_base(root)
        put_vocoder(root)
    (cache_root() / "chunks").write_text("")  # where chunks are kept for reuse, nothing can be kept
    watched = [*(p for p in cache_root().iterdir() if p.name != "chunks"), user_hub_root()]
    before = _stamps(watched)
    assert {p.name for p in watched} >= {"hub", "imported", "demo-voice"}
    _watched[:] = map(str, watched)
    _seen.clear()
    yield _seen
    _watched.clear()
    assert _seen == [] and _stamps(watched) == before


def _stamps(folders: list[Path]) -> dict[Path, tuple[int, int, int]]:
    found = [p for folder in folders for p in (folder, *folder.rglob("*"))]
    return {p: (p.lstat().st_mtime_ns, p.lstat().st_size, p.lstat().st_mode) for p in found}


def test_the_watch_notices_a_write(tmp_path: Path) -> None:
    _watched[:] = [str(tmp_path)]
    try:
        (tmp_path / "a").write_text("b")
        (tmp_path / "c").mkdir()
        (tmp_path / "a").unlink()
        assert len(_seen) >= 3
    finally:
        _watched.clear()
        _seen.clear()


def test_lists_checks_and_paths(read_only: list[str]) -> None:
    assert {s.model for s in inventory() if s.state == "complete"} >= {"tiny", "demo-voice", "F5TTS_v1_Base"}
    assert resolve(get_model("F5TTS_v1_Base")).weights.is_file() and resolve(get_model("tiny"))
    assert verify("tiny").ok and verify("F5TTS_v1_Base").ok and verify("demo-voice").ok
    assert sweep_drafts() == []


@pytest.mark.parametrize(
    "words",
    [["cache", "ls"], ["cache", "ls", "--all", "--json"], ["models"], ["cache", "verify", "tiny"],
     ["cache", "rm", "tiny", "--dry-run"], ["plan", "Hello there, friend.", "-m", "tiny"]],
)  # fmt: skip
def test_commands_that_read(read_only: list[str], words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 0


def test_the_doctor_writes_no_probe(read_only: list[str]) -> None:
    _watched.append(str(cache_root()))
    assert {check.name for check in examine(run=False)} >= {"folder cache", "folder runs", "model tiny"}
    _watched.pop()


@pytest.mark.parametrize("model", ["tiny", "demo-voice"])
def test_speech_is_made_and_kept(read_only: list[str], model: str, tmp_path: Path) -> None:
    words = ["synth", "Hello.", "-m", model, "--nfe-step", "1", "--device", "cpu", "--out", str(tmp_path / "a.wav")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "saved as run" in done.output


def test_the_model_from_a_folder_that_is_read_only(read_only: list[str], tmp_path: Path) -> None:
    words = ["synth", "Hello.", "--nfe-step", "1", "--device", "cpu", "--no-save", "--out", str(tmp_path / "a.wav")]
    assert CliRunner().invoke(app, [*words, "--folder", str(bundled_folder())]).exit_code == 0
