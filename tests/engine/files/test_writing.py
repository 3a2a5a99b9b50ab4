"""A file is replaced in one step: a failure leaves the old content and no draft."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.engine.files import writing


@pytest.mark.parametrize("broken", ["write_bytes", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "lock.json"
    writing.write_json(path, {"b": 1, "a": "ä"})

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Path, broken, full)
        writing.write_json(path, {})
    assert path.read_text(encoding="utf-8") == '{\n "a": "ä",\n "b": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["lock.json"]


def test_the_content_is_on_the_disk_before_the_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), sync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("rename"), replace(self, to))[1])
    assert writing.write_whole(tmp_path / "x", b"content").read_bytes() == b"content"
    assert steps == ["fsync", "rename"]


def test_the_git_id_is_that_of_git(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"what is up, doc?")
    assert writing.git_id_of(tmp_path / "x") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
