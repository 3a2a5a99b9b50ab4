"""Results are written completely, under an unused name, and kept elsewhere if the place fails."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from workbench.engine.errors import OutputError
from workbench.engine.files import outputs


def _save(path: Path, before: outputs.Stamp | None, content: bytes) -> str:
    return outputs.save(path, content, before).name


@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_none_of_many_writers_at_once_loses_its_result(tmp_path, kind, existed):
    path = tmp_path / "speech.wav"
    if existed:
        path.write_bytes(b"of an earlier run")
    before = outputs.stamp(path)
    contents = [bytes([65 + k]) * 1000 for k in range(8)]
    pool = ThreadPoolExecutor(8) if kind == "threads" else ProcessPoolExecutor(4, get_context("fork"))
    with pool:
        names = list(pool.map(partial(_save, path, before), contents))
    assert sorted(names) == sorted(["speech.wav", *(f"speech-{k}.wav" for k in range(2, 9))])
    assert [(tmp_path / name).read_bytes() for name in names] == contents
    assert len(list(tmp_path.iterdir())) == 8


def test_a_name_that_was_given_is_overwritten_if_nobody_else_wrote_there(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(b"old")
    assert outputs.write_beside(path, b"new", outputs.stamp(path)) == path
    assert [p.name for p in tmp_path.iterdir()] == ["x.wav"]
    assert path.read_bytes() == b"new"


def _full(folder: Path, real, self, content):
    if self.parent == folder:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
    return real(self, content)


def test_a_full_disk_loses_nothing_and_leaves_nothing(tmp_path, monkeypatch):
    full, here = tmp_path / "full", tmp_path / "here"
    full.mkdir(), here.mkdir()
    monkeypatch.chdir(here)
    (here / "x.wav").write_bytes(b"another")
    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: _full(full, real, self, content))
    with pytest.raises(OutputError, match=r"No space left on device\. The result is in .*here/x-2\.wav instead\. Free"):
        outputs.save(full / "x.wav", b"speech", None)
    assert (here / "x-2.wav").read_bytes() == b"speech"
    assert (here / "x.wav").read_bytes() == b"another"
    assert not list(full.iterdir())


def test_without_any_place_the_message_says_so_and_names_no_temporary_file(tmp_path, monkeypatch):
    def never(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", never)
    with pytest.raises(OutputError) as found:
        outputs.save(tmp_path / "x.wav", b"speech", None)
    assert str(found.value) == (
        f"Cannot write {tmp_path}/x.wav: No space left on device. Free some space or choose another place."
    )


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EACCES, "Choose a folder that you may write to."),
        (errno.EROFS, "Choose a folder that you may write to."),
        (errno.ENOSPC, "Free some space or choose another place."),
        (errno.EDQUOT, "Free some space or choose another place."),
        (errno.ENAMETOOLONG, "Choose a shorter name."),
        (errno.EIO, "Choose another place."),
    ],
)
def test_the_remedy_fits_the_reason(tmp_path, monkeypatch, code, remedy):
    def refuse(self, content):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OutputError) as found:
        outputs.write_over(tmp_path / "x.wav", b"")
    assert found.value.remedy == remedy
    assert ".part" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("n" * 300 + ".wav", "name too long"),
        ("a\0b.wav", "does not allow this name"),
        ("no/x.wav", "No such file"),
        ("", "a folder"),
    ],
)
def test_impossible_places_are_refused_beforehand(tmp_path, name, reason):
    with pytest.raises(OutputError, match=reason):
        outputs.check_place(tmp_path / name)


def test_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(OutputError, match="pipe"):
        outputs.check_place(tmp_path / "x.wav")


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".wav")
    outputs.check_place(path)
    assert outputs.write_over(path, b"x").read_bytes() == b"x"
