"""The fuzzer detects planted faults, prints the command that repeats them, and finds none in a short real run."""

from __future__ import annotations

import _socket
import faulthandler
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fuzzing import driver, worker
from tests.fuzzing.damage import in_bytes, in_json
from tests.fuzzing.drawing import Source
from tests.fuzzing.driver import run_kind
from tests.fuzzing.kind import Kind, Violation
from workbench.engine.errors import TextError

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("texts", "scripts", "audio", "runs", "long", "voices", "models", "archives", "bundles", "http")
SHORT = ("--seed", "1", "--cases", "12")


@pytest.fixture(scope="module")
def short_run() -> dict[str, Any]:
    """The document of a short run of every kind."""
    command = [sys.executable, "scripts/fuzz.py", *SHORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip(), done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_run_finds_nothing(short_run: dict[str, Any], kind: str) -> None:
    report = short_run["kinds"][kind]
    assert report["cases"] == 12 and report["peak_bytes"] < 2**30
    assert [(f["reproduce"], f["what"], f["where"]) for f in report["findings"]] == []


class _Planted(Kind):
    """Whatever a test wants to happen in a case."""

    name = "planted"

    def __init__(self, act: Any) -> None:
        self.act = act

    def check(self, source: Source, place: Path) -> None:
        source.note("planted")
        self.act(place)


def _found(act: Any, cases: int = 1) -> list[str]:
    return [f"{f.what} at {f.where}" for f in run_kind(_Planted(act), 7, cases=cases).findings.values()]


def _raise(error: BaseException) -> Any:
    def act(_: Path) -> None:
        raise error

    return act


def test_a_refusal_is_right_and_counted() -> None:
    report = run_kind(_Planted(_raise(TextError("No."))), 7, cases=3)
    assert (report.cases, report.refused, report.findings) == (3, 3, {})


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (_raise(KeyError("x")), "KeyError: 'x'"),
        (_raise(Violation("one is two")), "Violation: one is two"),
        (_raise(SystemExit(0)), "SystemExit"),
        (lambda _: (faulthandler.disable(), os.kill(os.getpid(), 11)), "died of SIGSEGV"),
        (lambda _: os._exit(3), "ended without a word"),
        (lambda _: os.system("true"), "started a program: os.system"),
        (lambda place: (place.parent / "elsewhere").write_text("x"), "wrote outside"),
        (lambda _: _socket.socket().connect(("192.0.2.1", 80)), "connected to 192.0.2.1"),
        (lambda _: np.empty(1_700_000_000, np.uint8), "asked for 1.7 GB of memory"),
        (lambda _: bytearray(6_000_000_000), "MemoryError"),
    ],
)
def test_what_must_not_happen_is_found(act: Any, said: str) -> None:
    (found,) = _found(act)
    assert said in found


def test_memory_that_is_used_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driver, worker):
        monkeypatch.setattr(module, "MEMORY_BYTES", 10**8)
    assert _found(lambda _: b"x" * 5 * 10**7) == []
    assert _found(lambda _: b"x" * 2 * 10**8) == ["takes more than 1 GB of memory at process"]


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WALL_SECONDS", 0.3)
    (found,) = _found(lambda _: time.sleep(60))
    assert "hangs" in found
    monkeypatch.setattr(worker, "CPU_SECONDS", 0)
    monkeypatch.setattr(driver, "WALL_SECONDS", 30)

    def spin(_: Path) -> None:
        while True:
            pass

    (found,) = _found(spin)
    assert "processor time" in found


def test_a_finding_names_the_case_that_shows_it_again(capfd: pytest.CaptureFixture[str]) -> None:
    def act(place: Path) -> None:
        assert (place / "notes").read_text() == "planted\n"
        raise KeyError("x")

    report = run_kind(_Planted(act), 7, cases=2, only=431)
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("python scripts/fuzz.py planted --seed 7 --case 431  # KeyError: 'x' at tests/test_fuzz.py:")
    assert report.as_dict()["findings"][0]["reproduce"] == "python scripts/fuzz.py planted --seed 7 --case 431"
    same = run_kind(_Planted(_raise(KeyError("x"))), 7, cases=5)
    assert [f.times for f in same.findings.values()] == [5]


def test_a_case_is_the_same_wherever_it_is_drawn() -> None:
    from hypothesis import strategies as st

    def drawn(case: int) -> tuple[Any, ...]:
        source = Source(7, "x", case)
        document = {"a": [1, {"b": "c"}], "d": None}
        return (
            source.draw(st.lists(st.text() | st.floats())),
            in_json(source, document),
            in_bytes(source.random, b"abc"),
        )

    first = [drawn(case) for case in range(10)]
    assert repr(first[::-1]) == repr([drawn(case) for case in reversed(range(10))])
    assert len({repr(values) for values in first}) == 10
