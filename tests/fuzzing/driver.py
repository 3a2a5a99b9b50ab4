"""Run the cases of all kinds one after the other and report the findings."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzzing.kind import Kind
from tests.fuzzing.worker import MEMORY_BYTES, memory_bytes, run_case

WALL_SECONDS = 40.0  # a machine may be busy; the limit on processor time is the strict one
_POLL_SECONDS = 0.005


@dataclass
class Finding:
    """One place where the product did what it must not, and the first case that led there."""

    case: int
    what: str
    where: str
    notes: str
    times: int = 1

    def line(self, kind: str, seed: int) -> str:
        """The command that shows it again, and what it shows."""
        more = f" ({self.times} times)" if self.times > 1 else ""
        about = f"; case: {self.notes}" if self.notes else ""
        again = f"python scripts/fuzz.py {kind} --seed {seed} --case {self.case}"
        return f"{again}  # {self.what} at {self.where}{more}{about}"


@dataclass
class Report:
    """What became of the cases of one kind."""

    kind: str
    seed: int
    cases: int = 0
    refused: int = 0
    peak_bytes: int = 0
    seconds: float = 0.0
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, case: int, outcome: dict[str, Any], notes: str) -> Finding | None:
        """Count an outcome. Returns the finding if it is a new one."""
        self.cases += 1
        self.refused += outcome["outcome"] == "refused"
        self.peak_bytes = max(self.peak_bytes, outcome.get("peak_bytes", 0))
        if outcome["outcome"] != "wrong":
            return None
        # a process that died says nothing of the place: the last thing it was given tells such findings apart
        where = notes.rpartition("; ")[2][:12] if outcome["where"] in ("process", "memory") else outcome["where"]
        key = (_sort(outcome["what"]), where)
        if key in self.findings:
            self.findings[key].times += 1
            return None
        self.findings[key] = Finding(case, outcome["what"], outcome["where"], notes)
        return self.findings[key]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        found = [vars(f) | {"reproduce": f.line(self.kind, self.seed).split("  #")[0]} for f in self.findings.values()]
        return {
            "cases": self.cases,
            "refused": self.refused,
            "peak_bytes": self.peak_bytes,
            "seconds": round(self.seconds, 1),
            "findings": found,
        }


def _sort(what: str) -> str:
    """What findings of one sort have in common: the type of an exception, the words of a broken promise."""
    name, _, words = what.partition(": ")
    return re.sub(r"[^a-z ].*", "", words) if name == "Violation" else name


def run_kind(
    kind: Kind, seed: int, *, cases: int | None = None, seconds: float | None = None, only: int | None = None
) -> Report:
    """Run cases 0, 1, ... of ``kind`` until there were ``cases`` of them or ``seconds`` are over; or just ``only``.

    New findings are printed as they come.
    """
    report, began = Report(kind.name, seed), time.monotonic()
    base = Path(tempfile.mkdtemp(prefix=f"workbench-fuzz-{kind.name}-"))
    try:
        kind.prepare(base / "seeds")
        case = only or 0
        while not _is_over(report.cases, time.monotonic() - began, 1 if only is not None else cases, seconds):
            outcome, notes = _in_a_process(kind, seed, case, base / "case")
            found = report.add(case, outcome, notes)
            if found is not None:
                print(found.line(kind.name, seed), flush=True)
            case += 1
    finally:
        kind.close()
        shutil.rmtree(base, ignore_errors=True)
    report.seconds = time.monotonic() - began
    return report


def _is_over(done: int, took: float, cases: int | None, seconds: float | None) -> bool:
    return (cases is not None and done >= cases) or (seconds is not None and took >= seconds)


def _in_a_process(kind: Kind, seed: int, case: int, place: Path) -> tuple[dict[str, Any], str]:
    """Outcome and notes of a case that runs in a fork of this process, watched from here."""
    _remove(place)
    (place / "home").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            run_case(kind, seed, case, place)
            code = 0
        finally:
            os._exit(code)
    died = _wait(child)
    notes = place / "notes"
    said = "; ".join(notes.read_text("utf-8").splitlines()[-4:]) if notes.exists() else ""
    try:
        outcome = json.loads((place / "outcome.json").read_text("utf-8"))
    except (OSError, ValueError):
        outcome = {"outcome": "wrong", "what": died or "the process ended without a word", "where": "process"}
    _remove(place)
    return outcome, said


def _wait(child: int) -> str:
    """Wait for ``child``, end it where it passes a limit, and say how it died; "" if it ended by itself."""
    began, baseline, verdict = time.monotonic(), memory_bytes(child).get("VmRSS", 0), ""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - began > WALL_SECONDS:
            verdict = f"hangs: not over after {WALL_SECONDS:.0f} s"
        elif memory_bytes(child).get("VmRSS", 0) - baseline > MEMORY_BYTES:
            verdict = "takes more than 1 GB of memory"
        if verdict:
            _kill(child)
            os.waitpid(child, 0)
            return verdict
        time.sleep(_POLL_SECONDS)
    _kill(child)  # what it may have started
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "takes more than 10 s of processor time" if name == "SIGXCPU" else f"died of {name}"
    return ""


def _kill(child: int) -> None:
    """End the session of ``child``."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _remove(place: Path) -> None:
    """Remove a case's folder, also where the case took its permissions away."""
    if not place.exists():
        return
    for folder, names, _ in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(place, ignore_errors=True)
