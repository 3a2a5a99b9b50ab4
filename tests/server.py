"""Start the app in a process of its own, for tests that look at it from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ("-m", "workbench", "app", "--port", "{port}")
STREAMLIT = ("-m", "streamlit", "run", str(ROOT / "workbench" / "app.py"), "--server.port", "{port}")

# laid before every other module of the process: writes down and refuses what would leave this machine
_NO_NETWORK = """
import os, sys

def hear(event, arguments):
    if event.startswith("socket.") and event[7:] in ("connect", "getaddrinfo", "gethostbyname", "sendto", "sendmsg"):
        where = [a for a in arguments if not hasattr(a, "fileno")][:1]
        host = where[0][0] if where and isinstance(where[0], tuple) else where[0] if where else None
        if event == "socket.connect" and not isinstance(where[0], tuple):
            return  # a local socket file
        if host in (None, "", "localhost", b"localhost", "::1") or str(host).startswith("127."):
            return
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {where}\\n")
        raise OSError("this test has no network")

sys.addaudithook(hear)
"""


def forbid_network(folder: Path) -> dict[str, str]:
    """The environment of a Python that cannot leave this machine, and writes tries into ``folder/network.txt``."""
    (folder / "sitecustomize.py").write_text(_NO_NETWORK, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "NETWORK_LOG": str(folder / "network.txt")}


class Server:
    """A running server: where it listens, where its runs lie, what it logged."""

    def __init__(
        self,
        home: Path,
        log: Path,
        *,
        command: tuple[str, ...] = COMMAND,
        folder: Path = ROOT,
        address: str = "127.0.0.1",
        environment: Mapping[str, str] = {},
    ) -> None:
        self.home, self.log, self.address = home, log, address
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://{address}:{self.port}"
        # one thread for the model: it shares the cores with the browser, and two threads that wait for each other
        # on a busy machine are many times slower than one
        self.process = subprocess.Popen(
            [sys.executable, *(part.format(port=self.port) for part in command)],
            cwd=folder,
            env={"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
            | os.environ
            | {"WORKBENCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
            | environment,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def get(self, path: str, host: str | None = None) -> tuple[int, str]:
        """Status and body of a GET, with another Host header if wanted."""
        request = urllib.request.Request(self.url + path, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, ""

    def ask(self, request: bytes, seconds: float = 10) -> bytes:
        """The beginning of the answer to raw bytes; empty if the server only hangs up."""
        with socket.create_connection((self.address, self.port), timeout=seconds) as connection:
            try:
                connection.sendall(request)
                return connection.recv(4096)
            except ConnectionError:
                return b""

    def wait(self, seconds: float = 240) -> None:
        """Until it answers; loading goes on meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/_stcore/health") == (200, "ok"):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        """End it as Ctrl-C in a terminal would, or a service manager; its exit code."""
        self.process.terminate()
        return self.process.wait(30)
