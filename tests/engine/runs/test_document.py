"""run.json: every field is checked, old documents are completed, newer ones are named, reasons have no markup."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import damage
from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.runs import document, store
from workbench.engine.settings import SynthesisSettings

ID = "20260101-000000-abcdef"


@pytest.fixture(scope="module")
def whole(tiny_engine: Any, voice: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run with everything in it, outside of any home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(tmp_path_factory.mktemp("whole")))
        made = tiny_engine.run(
            "One two three. Four five six.", voice,
            SynthesisSettings(nfe_step=2, max_chunk_bytes=20, keep_trajectory=True),
        )  # fmt: skip
        folder = store.save_run(made)
        store.annotate(made.id, note="heard", star=True)
    return folder


@pytest.fixture
def spoil(whole: Path) -> Any:
    """Put a copy of the whole run into runs/, with fields of its run.json, or of its request, changed; ... leaves one
    out."""

    def make(**changes: Any) -> Path:
        shutil.rmtree(store.runs_root() / ID, ignore_errors=True)
        target = damage.spoilt(whole, store.runs_root() / ID, damage.Damage("none", lambda folder: None))
        document = json.loads((target / "run.json").read_text())
        for name, value in changes.items():
            holder = document["request"] if name in document["request"] else document
            if value is ...:
                del holder[name]
            else:
                holder[name] = value
        (target / "run.json").write_text(json.dumps(document))
        return target

    return make


def test_no_damage_of_one_field_or_file_ends_in_a_traceback(whole: Path) -> None:
    """One in twenty-five of some 2,600 damages; the fuzzer tries all."""
    for k, one in enumerate(damage.damages(whole)[::25]):
        run_id = f"20260101-000000-{k:06x}"
        damage.spoilt(whole, store.runs_root() / run_id, one)
        good, broken = store.scan()
        assert len(good) + len(broken) == 1, one.name
        assert all("\n" not in reason and len(reason) < 400 for _, reason in broken), one.name
        for act in (store.load_run, store.read_document, lambda i: store.load_wave(i, 0), store.summarise):
            try:
                act(run_id)
            except RunError as error:
                assert run_id in str(error), one.name
            except Exception as error:
                pytest.fail(f"{one.name}: {error!r}")
        store.delete_run(run_id)
        assert store.scan() == ([], []), one.name


def test_a_damaged_run_does_not_hide_the_others(spoil: Any, whole: Path) -> None:
    spoil(settings="x")
    damage.spoilt(whole, store.runs_root() / whole.name, damage.Damage("none", lambda folder: None))
    assert [run.id for run in store.list_runs()] == [whole.name]
    ((name, reason),) = store.broken_runs()
    assert name == ID and "settings" in reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"created_at": None}, "created_at"),
        ({"created_at": "yesterday"}, "created_at: is not a date"),
        ({"settings": {"nfe_step": 4000}}, "nfe_step is 4000, out of its range"),
        ({"settings": {"nfe_step": "5"}}, "nfe_step"),
        ({"load": {"dtype": "fp13"}}, "dtype is 'fp13', which is unknown"),
        ({"request": ...}, "request is missing"),
        ({"plans": []}, "plans"),
        ({"remake": {"run": "20260101-000000-abcdee", "chunk": 7}}, "remade_chunk is 7"),
        ({"remake": {"run": "../../etc", "chunk": 0}}, "parent"),
        ({"text": ...}, "text"),
        ({"format_version": 99}, "written by a newer version"),
        ({"format_version": "1"}, "format_version is 1"),
        ({"total_seconds": -1}, "total_seconds"),
    ],
)
def test_the_reason_names_the_field(spoil: Any, changes: dict[str, Any], said: str) -> None:
    spoil(**changes)
    ((_, reason),) = store.broken_runs()
    assert said in reason


def test_a_reason_quotes_no_markup(spoil: Any) -> None:
    spoil(model={"![](http://evil.test/x.png)": 1})
    ((_, reason),) = store.broken_runs()
    assert "![" not in reason
    spoil(load={"dtype": "![](http://evil.test/x.png)"})
    ((_, reason),) = store.broken_runs()
    assert "![" not in reason and "evil.test" in reason


def test_settings_of_a_newer_version_are_kept_and_named(spoil: Any) -> None:
    spoil(settings={"nfe_step": 2, "warmth": 0.5}, load={"cuda_graphs": True})
    (found,) = store.list_runs()
    assert found.settings == SynthesisSettings(nfe_step=2).as_dict()
    run = store.load_run(ID)
    assert run.unknown_settings == {"settings": {"warmth": 0.5}, "load": {"cuda_graphs": True}}
    again = dataclasses.replace(run, id="20260101-000001-abcdef")
    store.save_run(again)
    assert store.load_run(again.id).unknown_settings == run.unknown_settings


def test_what_older_programs_did_not_write_has_a_default(spoil: Any) -> None:
    names = (
        "environment",
        "utilisation",
        "loads",
        "envelope",
        "sweep",
        "parent",
        "remade_chunk",
        "mel_config",
        "weights",
    )
    spoil(settings={"nfe_step": 2}, **dict.fromkeys(names, ...))
    (found,) = store.list_runs()
    assert found.settings == SynthesisSettings(nfe_step=2).as_dict()
    assert (found.sweep, found.parent, found.remade_chunk, found.envelope) == ("", "", None, ())
    assert store.load_run(ID, trajectories=False).settings.nfe_step == 2


def test_a_copied_folder_is_a_run_of_its_own(spoil: Any) -> None:
    spoil()
    assert store.load_run(ID).id == store.list_runs()[0].id == ID


_MEASURE = """
import resource, sys
from workbench.engine.runs import store
peak = lambda: int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
before = peak()
assert len(store.broken_runs()) == 1
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.slow
def test_the_largest_document_takes_less_than_a_gigabyte(spoil: Any) -> None:
    folder = spoil()
    one = "[],"  # what takes most memory for its length
    content = '{"spans":[' + one * ((document.MAX_BYTES - 100) // len(one)) + "0]}"
    (folder / "run.json").write_text(content)
    took = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True).stdout
    assert float(took) < 900


def test_a_document_without_end_is_not_read_to_its_end(spoil: Any) -> None:
    folder = spoil()
    with (folder / "run.json").open("wb") as file:
        file.truncate(200 * 2**30)  # takes no disk
    ((_, reason),) = store.broken_runs()
    assert "larger than" in reason


def test_the_folder_of_runs_that_cannot_be_read_is_said_in_one_line(spoil: Any) -> None:
    store.runs_root().write_text("a file")
    with pytest.raises(WorkbenchError, match="cannot be read"):
        store.list_runs()


def test_strangers_in_the_folder_are_left_alone(spoil: Any) -> None:
    folder = spoil()
    root = store.runs_root()
    (root / "holiday.jpg").write_bytes(b"x")
    (root / "20260202-000000-abcdef").write_text("a file with the name of a run")
    (root / "notes").mkdir()
    (root / ".hidden").mkdir()
    before = {path.name for path in root.iterdir()}
    assert [run.id for run in store.list_runs()] == [folder.name] and store.broken_runs() == []
    assert {path.name for path in root.iterdir()} == before | {"index.sqlite"}
