"""Measure the time from the start of the app to a usable page, and the memory of a session."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from workbench.engine.checks.bench.sampling import OnRound, check_counts, quartiles
from workbench.engine.errors import ServerError

TOLERANCE_SECONDS = 3.0
_ROOT = str(Path(__file__).resolve().parents[4])  # so that the server finds the package from any folder
_PATIENCE_SECONDS = 120.0
_LAST_LINES = 400  # characters of the server's log that an error quotes
# of streamlit/proto/ForwardMsg.proto and BackMsg.proto; nothing else of Streamlit is needed to look at a page
_SCRIPT_FINISHED = 6
_SUCCESSFULLY = 0
_RERUN = bytes([11 << 3 | 2, 0])  # rerun_script, an empty ClientState: what a browser sends that opens the page


def app(*, rounds: int = 3, sessions: int = 10, on_round: OnRound | None = None) -> dict[str, Any]:
    """Start the app in a process of its own, open its first page as a browser does, and open further sessions.

    One start before the first round fills the disk cache.

    Args:
        rounds: starts that are measured.
        sessions: opened in each, beside the first.
        on_round: called with a line about each round.

    Returns:
        The JSON document of ``bench app``: seconds from the start until the server listens, until the first page is
        whole and until the model is loaded; memory then, and for each session; whether the page came within 3 s.

    Raises:
        ServerError: it does not start, or shows no page.
    """
    check_counts(rounds=rounds, sessions=sessions)
    _start(1)
    found = []
    for index in range(rounds):
        found.append(_start(sessions))
        if on_round:
            told = ", ".join(f"{name} {value:.2f} s" for name, value in found[-1].items() if name.endswith("seconds"))
            on_round(f"round {index + 1}/{rounds}: {told}")
    spreads = {name: quartiles([round_[name] for round_ in found]) for name in found[0]}
    return {
        "benchmark": "app", "cores": os.cpu_count(), "python": sys.version.split()[0], "sessions": sessions, **spreads,
        "tolerance_seconds": TOLERANCE_SECONDS, "is_within": spreads["usable_seconds"]["median"] <= TOLERANCE_SECONDS,
    }  # fmt: skip


def _start(sessions: int) -> dict[str, float]:
    """The figures of one start."""
    began = time.perf_counter()
    with _server() as (process, port, log), ExitStack() as open_pages:
        figures: dict[str, float] = {}

        def passed() -> float:
            if process.poll() is not None or time.perf_counter() - began > _PATIENCE_SECONDS:
                said = log.read_text(encoding="utf-8", errors="replace")[-_LAST_LINES:]
                raise ServerError("The app did not start.", remedy=f"It said: {said.strip() or 'nothing'}")
            return time.perf_counter() - began

        while not _listens(port):
            passed()
            time.sleep(0.01)
        figures["listening_seconds"] = passed()
        open_pages.enter_context(_session(port))
        figures["usable_seconds"] = passed()
        # of all its threads: what a machine with nothing else to do would need at most
        figures["usable_cpu_seconds"] = sum(psutil.Process(process.pid).cpu_times()[:2])
        while not re.search(r"preload (ready|failed)", log.read_text(encoding="utf-8", errors="replace")):
            passed()
            time.sleep(0.02)
        figures["preload_seconds"] = passed()
        memory = psutil.Process(process.pid).memory_info
        figures["ready_bytes"] = memory().rss
        for _ in range(sessions):
            open_pages.enter_context(_session(port))
        figures["session_bytes"] = max(0.0, (memory().rss - figures["ready_bytes"]) / sessions)
        return figures


@contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """A running app: its process, port and log. Ended with the block."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    paths = os.pathsep.join(path for path in (_ROOT, os.environ.get("PYTHONPATH", "")) if path)
    with TemporaryDirectory(prefix="app-") as folder:
        log = Path(folder, "log.txt")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench", "app", "--port", str(port)], cwd=folder, stdout=output,
                stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        try:
            yield process, port, log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


@contextmanager
def _session(port: int) -> Iterator[None]:
    """A session whose first page is whole. It stays open within the block.

    Raises:
        ServerError: the page ended otherwise, or does not come.
    """
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    try:
        socket_url = f"ws://127.0.0.1:{port}/_stcore/stream"
        with connect(socket_url, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None) as page:
            page.send(_RERUN)
            content, status = b"", None
            while status != _SUCCESSFULLY:
                message = page.recv(timeout=_PATIENCE_SECONDS)
                content += message if isinstance(message, bytes) else message.encode()
                status = field_of(message, _SCRIPT_FINISHED) if isinstance(message, bytes) else None
            if b"Synthesize" not in content:
                raise ServerError("The first page is not there.", remedy="Look at it in a browser.")
            yield
    except (WebSocketException, OSError) as error:
        raise ServerError(f"The app shows no page ({error}).", remedy="Look at it in a browser.") from error


def field_of(message: bytes, number: int) -> int | None:
    """The integer in field ``number`` of a protobuf message; None if it is not there or the message is cut."""
    at = 0
    try:
        while at < len(message):
            tag, at = _varint(message, at)
            kind = tag & 7
            if kind == 0:
                value, at = _varint(message, at)
                if tag >> 3 == number:
                    return value
            elif kind == 2:
                length, at = _varint(message, at)
                at += length
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            else:
                return None
    except IndexError:
        pass
    return None


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at
