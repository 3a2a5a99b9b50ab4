"""Notes and stars written by many processes at once: none fails and none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.engine.errors import OutputError, RunError
from workbench.engine.runs import notes
from workbench.engine.runs.notes import read_notes, write_notes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs" / "20260101-000000-abcdef"
    made.mkdir(parents=True)
    return made


def test_many_threads_and_processes_write_and_none_is_lost(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from workbench.engine.runs.notes import write_notes\n"
        f"for k in range(40): write_notes(Path({str(folder)!r}), {{'note': f'process {{k}}'}})"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(write_notes, folder, {"star": True} if k % 2 else {"note": f"{k}"}) for k in range(120)]
        assert all(isinstance(read_notes(folder), dict) for _ in range(50))
    assert [one.exception() for one in done] == [None] * 120
    assert other.wait(30) == 0, other.communicate()[1]
    found = json.loads((folder / "notes.json").read_text())
    assert found["star"] is True and found["note"]
    assert [path.name for path in folder.iterdir()] == ["notes.json"]


def test_the_note_survives_the_star_of_another_at_the_same_moment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and writing are one step: a change that comes between them would be lost."""
    real = notes.write_json

    def slow(path: Path, content: dict) -> None:
        if "other" not in started:
            started["other"] = pool.submit(write_notes, folder, {"star": True})
            assert not started["other"].done()
        real(path, content)

    started: dict = {}
    monkeypatch.setattr(notes, "write_json", slow)
    with ThreadPoolExecutor(1) as pool:
        write_notes(folder, {"note": "heard"})
        started["other"].result(20)
    assert read_notes(folder) == {"note": "heard", "star": True}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"note": 5, "star": true}', {"star": True}),
        ('{"note": "x", "star": "yes"}', {"note": "x"}),
        ('{"note": "\\ud800"}', {}),
        ("[" * 100_000, {}),
        ("null", {}),
        (json.dumps({"note": "x" * 5000}), {"note": "x" * notes.MAX_CHARACTERS}),
    ],
)
def test_damaged_notes_are_no_notes_and_are_kept_aside(folder: Path, content: str, found: dict) -> None:
    (folder / "notes.json").write_text(content)
    assert read_notes(folder) == found
    write_notes(folder, {"star": False})
    assert read_notes(folder)["star"] is False
    if not found:
        assert (folder / "notes.damaged.json").read_text() == content


def test_a_disk_that_is_full_or_a_run_that_is_gone_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="No space left"):
        patch.setattr(notes, "write_json", full)
        write_notes(folder, {"note": "x"})
    folder.rmdir()
    with pytest.raises(RunError, match="There is no run"):
        write_notes(folder, {"note": "x"})
    assert not folder.exists()
