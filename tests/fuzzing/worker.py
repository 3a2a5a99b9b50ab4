"""The process of one case: limits, watches over files, programs and the network, and its result."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, refusals
from workbench.engine.errors import WorkbenchError

ROOT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 1 << 30  # above the baseline: the promise
ASKED_BYTES = 3 << 29  # address space also counts arenas and the stacks of threads
_HARD_BYTES = 4 << 30  # no single case may take the machine down
CPU_SECONDS = 10
_FILE_BYTES = 3 << 30
_PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pty.spawn", "os.fork")
_LOCAL = ("127.", "localhost", "::1")


def memory_bytes(pid: int | str = "self") -> dict[str, int]:
    """VmPeak, VmSize, VmHWM and VmRSS of a process, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Vm")}


def run_case(kind: Kind, seed: int, case: int, place: Path) -> None:
    """Run a case and write ``place/outcome.json``. Called in a process of its own, which ends after it."""
    before = memory_bytes()
    _enter(place, before["VmSize"])
    seen = _watch(place, kind.may_start_programs)
    outcome: dict[str, Any] = {"outcome": "fine"}
    elsewhere = 0
    try:
        elsewhere = kind.check(Source(seed, kind.name, case, place / "notes"), place) or 0
    except WorkbenchError:
        outcome = {"outcome": "refused"}
    except BaseException as error:  # SystemExit and KeyboardInterrupt as well: none of them belongs here
        outcome = {"outcome": "wrong"} | _described(error)
    if refusals and outcome["outcome"] == "fine":
        outcome = {"outcome": "refused"}
    after = memory_bytes()
    outcome["peak_bytes"] = max(0, after["VmHWM"] - before["VmRSS"], elsewhere)
    asked = after["VmPeak"] - before["VmSize"]
    if seen:
        outcome |= {"outcome": "wrong", "what": seen[0], "where": "watch"}
    elif outcome["peak_bytes"] > MEMORY_BYTES:
        outcome |= {"outcome": "wrong", "what": "takes more than 1 GB of memory", "where": "process"}
    elif asked > ASKED_BYTES and outcome["outcome"] != "wrong":
        outcome |= {"outcome": "wrong", "what": f"asked for {asked / 1e9:.1f} GB of memory", "where": "memory"}
    (place / "outcome.json").write_text(json.dumps(outcome), "utf-8")


def _enter(place: Path, size: int) -> None:
    """Move this process into ``place``, with its limits."""
    os.chdir(place)
    (place / "tmp").mkdir()
    tempfile.tempdir = str(place / "tmp")
    os.environ |= {
        "WORKBENCH_HOME": str(place / "home"),
        "HF_HOME": str(place / "huggingface"),
        "HOME": str(place),
        "TMPDIR": str(place / "tmp"),
    }
    words = os.open(place / "words", os.O_CREAT | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(words, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_AS, (size + _HARD_BYTES,) * 2)
    used = resource.getrusage(resource.RUSAGE_SELF)
    end = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
    resource.setrlimit(resource.RLIMIT_CPU, (end, end + 1))


def _watch(place: Path, may_start_programs: bool) -> list[str]:
    """Note, and refuse, programs that are started, files written outside ``place``, and connections to other hosts."""
    seen: list[str] = []
    inside = (str(place) + os.sep, "/dev/")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        said = ""
        if event in _PROGRAMS and not may_start_programs:
            said = f"started a program: {event} {str(arguments)[:80]}"
        elif event == "open" and isinstance(arguments[0], (str, bytes)) and _writes(arguments):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            said = "" if f"{path}/".startswith(inside) else f"wrote outside: {path}"
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = str(arguments[1][0])
            said = "" if host.startswith(_LOCAL) else f"connected to {host}"
        elif event == "socket.getaddrinfo" and arguments[0] is not None:
            host = os.fsdecode(arguments[0])
            said = "" if host.startswith(_LOCAL) or not host else f"looked up {host}"
        if said:
            seen.append(said)
            raise PermissionError(said)

    sys.addaudithook(hook)
    return seen


def _writes(arguments: tuple[Any, ...]) -> bool:
    _path, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _described(error: BaseException) -> dict[str, str]:
    """Type, first line and the innermost frame of the product (else of the fuzzer) that ``error`` passed through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(ROOT))]
    own = [f for f in frames if "/tests/" not in f.filename]
    own = own or [f for f in frames if not f.filename.endswith("/kind.py")] or frames
    where = f"{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}" if own else "unknown"
    words = (str(error).splitlines() or [""])[0][:160]
    return {"what": f"{type(error).__name__}: {words}", "where": where}
