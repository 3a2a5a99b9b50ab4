"""The loading lab: exact counts, complete times, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from workbench.engine.errors import Cancelled, LabError, SettingsError, TextError
from workbench.engine.settings import LabLoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.text import chunk_text
from workbench.engine.speech.voices import load_voice, make_voice
from workbench.lab import measuring
from workbench.lab.cell import Workload
from workbench.lab.keeper import FOLDER_PREFIX
from workbench.lab.probe import LiveTimeline, Probe
from workbench.lab.strategies import BUG, OURS, STRATEGIES
from workbench.lab.text_169 import TEXT_169, TEXT_169_CHUNK_BYTES

KEYS = {"strategy", "network", "total_seconds", "loads", "requests", "timeouts", "network_wait_seconds", "load_seconds",
        "synthesis_seconds", "idle_share", "spans", "utilisation", "bytes_read"}  # fmt: skip
ON_CPU = LabLoadSettings(device="cpu")
QUICK: dict[str, Any] = {"timeout_seconds": 1, "nfe_step": 5, "load": ON_CPU, "limit_seconds": 280}


@pytest.fixture(scope="module", autouse=True)
def own_corner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary folder of its own, so that what stays behind is seen; and one thread a cell, for others run too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("lab")))
        yield


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """The bug and ours before a black hole, with a time-out of one second."""
    return measuring.run(measuring.LabPlan(**QUICK))


def cell(document: dict[str, Any], strategy: str) -> dict[str, Any]:
    return next(c for c in document["cells"] if c["strategy"] == strategy)


def left_behind() -> tuple[list[str], list[str]]:
    """Folders and processes of the labs of this module."""
    folders = [p.name for p in Path(os.environ["TMPDIR"]).glob(f"{FOLDER_PREFIX}*")]
    processes = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            ours = "workbench.lab." in line and process.environ().get("TMPDIR") == os.environ["TMPDIR"]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        processes += [line] if ours else []
    return folders, processes


def wait_until_gone(seconds: float = 20) -> None:
    """What is left ends within moments; this says so if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and left_behind() != ([], []):
        time.sleep(0.05)
    assert left_behind() == ([], [])


def test_the_text_has_169_characters_and_three_chunks() -> None:
    assert len(TEXT_169) == 169
    assert len(chunk_text(TEXT_169, TEXT_169_CHUNK_BYTES)) == 3


def test_a_cell_plans_its_text_as_the_engine_does(demo_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the reference has a long silence, which does not slow the speech."""
    half = len((whole := load_voice()).audio) // 2
    pieces = [whole.audio[:half], np.zeros(3 * 24_000, np.float32), whole.audio[half:]]
    halting = make_voice(to_bytes(np.concatenate(pieces), 24_000), whole.ref_text)
    monkeypatch.setattr("workbench.engine.speech.voices.load_voice", lambda *args, **kwargs: halting)
    settings = SynthesisSettings(max_chunk_bytes=TEXT_169_CHUNK_BYTES)
    order = {"model": "demo-voice", "repo": "", "weights": "", "text": f"There were 23,000 boats. {TEXT_169}",
             "runs": 1, "settings": settings.as_dict(), "load": {"device": "cpu"}}  # fmt: skip
    work = Workload(order, Probe(LiveTimeline(0.0, lambda document: None)))
    assert work.chunks == demo_engine.plan(order["text"], halting, settings)


def test_the_bug_is_counted_exactly(measured: dict[str, Any]) -> None:
    bug = cell(measured, BUG)
    assert (bug["loads"], bug["requests"], bug["timeouts"], bug["connects"]) == (3, 6, 6, 6)
    assert [r["outcome"] for r in bug["server_log"]] == ["never answered"] * 6
    assert [Path(r["path"]).name for r in bug["server_log"]] == ["config.yaml", "pytorch_model.bin"] * 3
    assert measuring.predict(BUG, 3, 1) == (6, 6)
    assert 6.0 <= bug["network_wait_seconds"] < 7.5


def test_ours_asks_nobody_and_loads_once(measured: dict[str, Any]) -> None:
    ours = cell(measured, OURS)
    assert (ours["loads"], ours["requests"], ours["timeouts"], ours["connects"]) == (1, 0, 0, 0)
    assert ours["server_log"] == []
    assert ours["network_wait_seconds"] == 0


def test_every_second_has_a_name(measured: dict[str, Any]) -> None:
    for found in measured["cells"]:
        assert sum(s["seconds"] for s in found["spans"]) == pytest.approx(found["total_seconds"], rel=0.03)
        ends = [s["start_seconds"] + s["seconds"] for s in found["spans"]]
        following = [s["start_seconds"] for s in found["spans"][1:]]
        assert all(start >= end - 1e-3 for end, start in zip(ends, following, strict=False)), "spans overlap"
    spans = cell(measured, BUG)["spans"]
    assert sum(s["seconds"] for s in spans if s["name"] == "resolve") == pytest.approx(6.0, abs=1.5)


def test_they_speak_the_same(measured: dict[str, Any]) -> None:
    """The strategies differ in their loading alone: every sample is the same."""
    assert len({c["audio_sha256"] for c in measured["cells"]}) == 1


def test_the_document(measured: dict[str, Any]) -> None:
    bug, ours = cell(measured, BUG), cell(measured, OURS)
    assert (measured["text_chars"], measured["n_chunks"]) == (169, 3)
    assert measured["ratio"] == pytest.approx(bug["total_seconds"] / ours["total_seconds"])
    (run_ratio,) = measured["run_ratios"].values()
    assert run_ratio == pytest.approx(bug["run_seconds"][0] / ours["run_seconds"][0])
    for found in measured["cells"]:
        assert found.keys() >= KEYS
        assert 0 <= found["idle_share"] <= 1
        assert found["state"] == "finished"
    assert bug["idle_share"] * bug["total_seconds"] >= 4.5  # it sat and waited for most of its six seconds


def test_the_log_tells_the_bug(measured: dict[str, Any]) -> None:
    lines = cell(measured, BUG)["log"]
    assert sum("network attempt" in line and "outcome=timeout" in line for line in lines) == 6
    assert sum("cache hit" in line for line in lines) == 6
    assert any("vocoder loaded times=3" in line for line in lines)
    assert not any("network attempt" in line for line in cell(measured, OURS)["log"])


def test_nothing_stays_behind(measured: dict[str, Any]) -> None:
    assert left_behind() == ([], [])


def test_with_local_files_only_the_bug_loads_but_does_not_ask() -> None:
    document = measuring.run(measuring.LabPlan(strategies=[BUG], networks=["local-files"], **QUICK))
    found = cell(document, BUG)
    assert (found["loads"], found["requests"], found["server_requests"]) == (3, 0, 0)
    assert document["ratio"] is None


def test_cancelling_takes_everything_along() -> None:
    state = measuring.LabState()

    def stop_in_the_first_cell() -> None:
        if state.current is not None:
            raise Cancelled()

    with pytest.raises(Cancelled):
        measuring.run(measuring.LabPlan(**QUICK), state=state, check=stop_in_the_first_cell)
    assert left_behind() == ([], [])


@pytest.mark.parametrize(("number", "busy_with"), [(signal.SIGTERM, '"prepare"'), (signal.SIGKILL, '"cell"')])
def test_killing_the_lab_leaves_nothing(number: int, busy_with: str) -> None:
    """The process that asked for the lab dies without a word, while one of the lab's processes works."""
    command = [sys.executable, "-m", "workbench", "lab", "loading", "--timeout", "1", "--json"]
    asked = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not any(f'"task": {busy_with}' in p for p in left_behind()[1]):
        time.sleep(0.05)
    assert left_behind()[0], "it never began"
    asked.send_signal(number)
    asked.wait(20)
    wait_until_gone()


def test_a_killed_keeper_is_cleared_up_after() -> None:
    state = measuring.LabState()

    def kill_it() -> None:
        with contextlib.suppress(psutil.ZombieProcess):  # killed by an earlier call, not yet waited for
            keeper = next((c for c in psutil.Process().children() if "workbench.lab.keeper" in c.cmdline()), None)
            if state.folder and keeper is not None:
                keeper.kill()

    with pytest.raises(LabError, match="was killed"):
        measuring.run(measuring.LabPlan(**QUICK), state=state, check=kill_it)
    wait_until_gone()


def test_a_cell_that_takes_too_long_is_stopped_and_said_so() -> None:
    document = measuring.run(measuring.LabPlan(strategies=[BUG], **(QUICK | {"limit_seconds": 1})))
    (found,) = document["cells"]
    assert (found["state"], document["ratio"]) == ("stopped at the limit", None)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"strategies": ["magic"]}, SettingsError), ({"networks": []}, SettingsError),
        ({"timeout_seconds": 0}, SettingsError), ({"timeout_seconds": 1.5}, SettingsError),
        ({"runs": 0}, SettingsError), ({"text": "  "}, TextError), ({"limit_seconds": float("nan")}, SettingsError),
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        measuring.LabPlan(**wrong)


def test_the_guilty_lines_are_found_in_the_source() -> None:
    lines = STRATEGIES[BUG].code.splitlines()
    (number,) = STRATEGIES[BUG].guilty_lines
    assert 'Vocos.from_pretrained("charactr/vocos-mel-24khz")' in lines[number - 1]
    assert "loop over chunks" in STRATEGIES[BUG].guilty_lines[number]
    assert STRATEGIES[OURS].guilty_lines == {}
    for strategy in STRATEGIES.values():
        assert len(strategy.paragraph) > 80
        assert '"""' not in strategy.code
        compile(strategy.code, strategy.name, "exec")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--strategy", "magic"], "There is no strategy 'magic'"),
        (["--network", "wifi"], "There is no network 'wifi'"),
        (["--text", "Hello.", "--text-169"], "exclude each other"),
        (["--timeout", "0"], "Choose whole seconds"),
        (["--model", "nobody"], "There is no model 'nobody'"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from workbench.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["lab", "loading", *words])
    output = capsys.readouterr()
    assert ended.value.code == 2
    assert told in output.err and output.err.count("\n") == 1 and output.out == ""
