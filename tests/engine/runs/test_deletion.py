"""Deleting runs: only the link of a linked run, also damaged runs; leftovers of killed programs are removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from workbench.engine.errors import RunError
from workbench.engine.files.leftovers import UNOWNED_SECONDS, claim
from workbench.engine.runs import store

ID = "20260101-000000-abcdef"


@pytest.fixture
def root() -> Path:
    store.runs_root().mkdir(parents=True)
    return store.runs_root()


def test_of_a_linked_run_only_the_link_goes(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "run.json").write_text("{}")
    (root / ID).symlink_to(target)
    assert store.is_link(ID) and [name for name, _ in store.broken_runs()] == [ID]
    assert store.delete_run(ID) == 0
    assert not os.path.lexists(root / ID) and (target / "run.json").read_text() == "{}"


@pytest.mark.parametrize("target", ["nowhere", ID])
def test_a_link_that_leads_nowhere_is_listed_and_can_be_deleted(root: Path, target: str) -> None:
    (root / ID).symlink_to(target)
    assert [name for name, _ in store.broken_runs()] == [ID]
    assert store.delete_run(ID) == 0 and store.broken_runs() == []


def test_a_folder_that_may_not_be_read_is_deleted_all_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.rmtree

    def strict(path: Path) -> None:  # root, as which tests may run, would not be stopped
        if any(each.stat().st_mode & 0o700 != 0o700 for each in (path, path / "inner")):
            raise PermissionError(13, "Permission denied")
        real(path)

    monkeypatch.setattr(shutil, "rmtree", strict)
    inner = root / ID / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    inner.chmod(0)
    (root / ID).chmod(0o500)
    store.delete_run(ID)
    assert list(root.iterdir()) == []


def test_a_folder_that_may_not_be_read_is_listed_with_the_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ID).mkdir()
    (root / ID / "run.json").write_text("{}")

    def closed(self: Path, *given: object, **named: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)  # root, as which tests may run, may read everything
    ((name, reason),) = store.broken_runs()
    assert name == ID and "Permission denied" in reason


def test_what_killed_programs_left_is_swept_when_runs_are_listed(root: Path) -> None:
    old = [root / f".{ID}.part", root / f".{ID}.0a1b2c3d.deleted"]
    for path in old:
        path.mkdir()
        (path / "chunks.npz").write_bytes(b"half")
        for each in (path / "chunks.npz", path):
            os.utime(each, (1, 1))
    young = root / ".20260102-000000-abcdef.part"
    young.mkdir()
    with claim(root / ".20260103-000000-abcdef.part") as owned:
        os.utime(owned, (1, 1))
        store.list_runs()
        assert owned.exists()
    assert young.exists() and not any(path.exists() for path in old)
    assert UNOWNED_SECONDS >= 600


def test_a_run_set_aside_can_be_put_back_for_an_hour(root: Path) -> None:
    (root / ID).mkdir()
    (root / ID / "run.json").write_text("{}")
    old = (root / ID / "run.json").stat().st_mtime - 30 * UNOWNED_SECONDS
    for path in (root / ID / "run.json", root / ID):
        os.utime(path, (old, old))
    hidden = store.set_aside(ID)
    assert store.broken_runs() == [] and store.sweep_leftovers() == [] and hidden.is_dir()  # however old its files are
    assert store.put_back(hidden) == ID and (root / ID / "run.json").read_text() == "{}"
    hidden = store.set_aside(ID)
    os.utime(hidden, (old, old))
    assert store.sweep_leftovers() == [hidden] and list(root.iterdir()) == []
    with pytest.raises(RunError, match="cannot be brought back"):
        store.put_back(hidden)
    with pytest.raises(RunError, match="no run"):
        store.set_aside(ID)


def test_a_run_set_aside_is_removed_at_once_if_asked_and_a_link_keeps_its_target(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "audio.wav").write_bytes(b"x" * 100)
    shutil.copytree(target, root / ID)
    assert store.remove_aside(store.set_aside(ID)) >= 100 and list(root.iterdir()) == []
    (root / ID).symlink_to(target)
    assert store.remove_aside(store.set_aside(ID)) == 0 and (target / "audio.wav").exists()
    assert list(root.iterdir()) == []


def test_a_run_with_the_same_id_is_not_replaced_by_one_put_back(root: Path) -> None:
    (root / ID).mkdir()
    hidden = store.set_aside(ID)
    (root / ID).mkdir()
    with pytest.raises(RunError):
        store.put_back(hidden)
    assert hidden.is_dir()
