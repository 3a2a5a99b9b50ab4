"""Drafts of living processes stay, drafts of dead processes are removed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workbench.engine.files import leftovers
from workbench.engine.files.leftovers import claim, sweep

WRITER = """
import sys
from pathlib import Path
from workbench.engine.files.leftovers import claim
with claim(Path(sys.argv[1])) as draft:
    (draft / "half").write_text("x")
    print("ready", flush=True)
    sys.stdin.read()
"""


def _age(path: Path, seconds: float) -> None:
    for p in (path, *path.rglob("*")):
        os.utime(p, (p.stat().st_atime, p.stat().st_mtime - seconds))


def test_a_draft_lasts_as_long_as_its_process(tmp_path: Path) -> None:
    draft = tmp_path / ".run.part"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(draft)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    _age(draft, 86_400)
    assert sweep(tmp_path) == [] and (draft / "half").exists(), "its writer lives, however old it is"
    with pytest.raises(FileExistsError, match="another process"), claim(draft):
        pass
    writer.kill()
    writer.communicate()
    assert sweep(tmp_path) == [draft] and not any(tmp_path.iterdir())


def test_a_draft_of_another_thread_stays(tmp_path: Path) -> None:
    swept: list[Path] = []
    with claim(tmp_path / ".run.part") as draft:
        worker = threading.Thread(target=lambda: swept.extend(sweep(tmp_path)))
        worker.start()
        worker.join()
        assert not swept and draft.is_dir()
        draft.rename(tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["run"], "neither draft nor mark stay"


def test_what_fails_within_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), claim(tmp_path / "new" / ".run.part") as draft:
        (draft / "half").write_text("x")
        raise ValueError
    assert not any((tmp_path / "new").iterdir())


def test_the_dead_writer_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    draft = tmp_path / ".run.part"
    draft.mkdir()
    (draft / "half").write_text("x")
    with claim(draft):
        assert not any(draft.iterdir())


def test_without_a_mark_an_hour_decides(tmp_path: Path) -> None:
    old, new, file = tmp_path / ".old.part", tmp_path / ".new.part", tmp_path / ".speech.wav.part"
    for path in (old, new):
        path.mkdir()
    file.write_text("x")
    (tmp_path / "kept").mkdir()
    for path in (old, file, tmp_path / "kept"):
        _age(path, leftovers.UNOWNED_SECONDS + 10)
    assert sweep(tmp_path) == [old, file]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".new.part", "kept"]


def test_nothing_to_sweep_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(tmp_path / "nowhere") == []

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    (tmp_path / ".run.part").mkdir()
    (tmp_path / ".run.part.owner").write_text("")
    monkeypatch.setattr(os, "open", refuse)
    assert sweep(tmp_path) == [] and (tmp_path / ".run.part").is_dir()
