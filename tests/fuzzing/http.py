"""Requests: unusual paths, methods, headers, ranges, origins and websocket frames for the real app on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand
from tests.fuzzing.worker import MEMORY_BYTES, ROOT, memory_bytes

_START_SECONDS = 90.0
_ANSWER_SECONDS = 10.0
_WAIT_SECONDS = 0.5
_SETTLED_BYTES = 1_200_000_000  # of a server that holds torch and the model
_DAMAGED = "20260101-000000-abcdef"
_METHODS = ("GET",) * 8 + ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "get", "X" * 40, "")
_IDS = (
    *(
        "unknown",
        "%00",
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "%ff%fe",
        "x" * 3000,
        "%0d%0aX-Y:z",
        "é".encode().decode("latin-1"),
    ),
    *(
        "20260101-000000-ffffff",
        "20260101-000000-abcdef%0a",
        "*",
        "{id}",
        "None",
        "%F0%9F%98%80",
        "20260101-000000-ABCDEF",
    ),
)
_NUMBERS = ("0", "1", "2", "-1", "00", "1e3", "9" * 19, "9" * 5000, "%30", "٣", "0x0", "")
_PATHS = (
    *("/", "/runs", "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/_stcore/script-health-check"),
    *("/fonts/inter-latin-wght-normal.woff2", "/fonts/", "/fonts/../app.py", "/fonts/%2e%2e/routes.py", "/fonts/%00"),
    *("/media/x.wav", "/media/..%2f..%2fetc%2fpasswd", "/static/js/x", "/component/x/y", "/component/..%2f..%2fx"),
    *("/_stcore/upload_file/x/y", "/_stcore/metrics", "/_stcore/message?hash=x", "//evil.test", "/?run=%ff", "*", "/%"),
    *("/api/", "/api/runs//audio.wav", "/" + "a/" * 2000, "/?" + "x=1&" * 3000, "/~/+/oscillator", "http://evil.test/"),
)
_RANGES = (
    *(
        "bytes=0-99",
        "bytes=-1",
        "bytes=0-",
        "bytes=5-2",
        "bytes=99999999999999999999-",
        "bytes=-0",
        "bytes=a-b",
        "x=0-1",
    ),
    *("bytes=0-0," * 500 + "1-1", "bytes=", "bytes", "bytes=0-" + "9" * 5000, "bytes=0-1,1-2", "\u0661=1", "bytes=--1"),
)
_HOSTS = ("evil.test", "", "localhost", "[::1]", "127.0.0.1:99999", "a@b", "127.0.0.1.evil.test", "x" * 5000, "\xff")
_ORIGINS = (
    *("http://evil.test", "null", "", "file://", "http://localhost", "https://[::1", "http://127.0.0.1.evil.test"),
    *("x" * 3000, "http://[bad", "\xff", "http://evil.test:99999999", "chrome-extension://a"),
)
_HEADERS = (
    *(
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
    ),
    *(
        "Transfer-Encoding: x",
        "X: " + "y" * 70_000,
        "Cookie: " + "a=b; " * 500,
        "Cookie: _streamlit_xsrf=2|x|y|z",
        "no colon",
    ),
    *(
        "Upgrade: h2c",
        "Connection: Upgrade",
        "X-Forwarded-For: evil",
        "Accept-Encoding: gzip;q=x",
        "If-Range: x",
        "A\x00: b",
    ),
    *(
        "If-Modified-Since: x",
        "If-None-Match: " + '"a",' * 300,
        "Content-Type: multipart/form-data; boundary=x",
        " folded",
    ),
    *(
        "Sec-WebSocket-Version: 99",
        "X-Streamlit-User: e30",
        "Forwarded: for=x;host=evil.test",
        "Authorization: Basic x",
    ),
)
_PROTOCOLS = ("streamlit", "streamlit, x", "x" * 500, ", ,", "streamlit, e30, y")
# Streamlit ends a session that sends no protobuf, or a frame of text, with a traceback in the log, and goes on
_STREAMLITS_OWN = ("google.protobuf.message.DecodeError", "KeyError: 'bytes'")
_HEALTH = b"GET /_stcore/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_SPY = '''"""Notes every connection and look-up that leaves this machine, and refuses it."""
import os, sys

def spy(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo" and arguments[0]:
        host = os.fsdecode(arguments[0])
    elif event == "socket.gethostbyname":
        host = str(arguments[0])
    elif event in ("socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    else:
        return
    if not host.startswith(("127.", "localhost", "::1", "0.0.0.0")):
        with open(os.environ["FUZZ_SPY"], "a") as file:
            file.write(f"{event} {host}\\n")
        raise PermissionError(host)

sys.addaudithook(spy)
'''


class Http(Kind):
    """Odd requests to the running app. The server is one for all cases: what it logs late is told of the next case."""

    name = "http"
    about = "odd requests and websocket frames: the server lives, answers no 5xx, logs no traceback, calls nobody"
    may_start_programs = True

    def prepare(self, folder: Path) -> None:
        self.good = seeds.run().name
        home = Path(shutil.copytree(seeds.home(), folder / "home"))
        damaged = Path(shutil.copytree(home / "runs" / self.good, home / "runs" / _DAMAGED))
        (damaged / "chunks.npz").write_bytes((damaged / "chunks.npz").read_bytes()[:3000] + b"\0" * 2000)
        (folder / "spy").mkdir()
        (folder / "spy" / "sitecustomize.py").write_text(_SPY, "utf-8")
        self.log, self.calls = folder / "log.txt", folder / "calls.txt"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = os.environ | {
            "WORKBENCH_HOME": str(home),
            "WORKBENCH_MODEL": "tiny",
            "HOME": str(folder),
            "FUZZ_SPY": str(self.calls),
            "PYTHONPATH": os.pathsep.join([str(folder / "spy"), str(ROOT)]),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "streamlit", "run", "workbench/app.py", "--server.port", str(self.port)]
        with self.log.open("w") as log:
            self.server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_well():
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        self.baseline = max(_SETTLED_BYTES, memory_bytes(self.server.pid)["VmRSS"])

    def close(self) -> None:
        if hasattr(self, "server"):
            self.server.terminate()
            self.server.wait(30)

    def check(self, source: Source, place: Path) -> int:
        said, called = self.log.stat().st_size, self._calls()
        ask = self._websocket if source.random.random() < 0.4 else self._request
        status = self._answer(*ask(source))
        source.note(f"status {status}")
        demand(status not in (500, 502, 503, 504), f"answered with {status}")
        demand(self._is_well(), "the server is not well any more")
        new = self.log.read_bytes()[said:].decode("utf-8", "replace")
        raised = [line for line in _raised(new) if not line.startswith(_STREAMLITS_OWN)]
        demand(not raised, f"a traceback in the log: {raised[:1]}")
        demand(self._calls() == called, f"the server called: {self._calls()[len(called) :][:80]}")
        used = memory_bytes(self.server.pid).get("VmRSS", 0) - self.baseline
        demand(used < MEMORY_BYTES, f"the server takes {used / 1e9:.1f} GB more")
        return used

    def _calls(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""

    def _is_well(self) -> bool:
        try:
            return self._answer(_HEALTH, patience=_ANSWER_SECONDS) == 200
        except OSError:
            return False

    def _answer(self, request: bytes, more: bytes = b"", *, patience: float = _WAIT_SECONDS) -> int:
        """Status of the answer to raw bytes; 0 if the connection is closed, or nothing comes, without one."""
        with socket.create_connection(("127.0.0.1", self.port), _ANSWER_SECONDS) as connection:
            start = b""
            try:
                connection.sendall(request)
                connection.settimeout(patience)  # what waits for more bytes gets none
                start = connection.recv(4096)
                if more and b" 101 " in start[:20]:
                    connection.sendall(more)
                    connection.recv(4096)
            except OSError:  # closed, or waiting for bytes that do not come
                pass
        words = start.split(b" ", 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    def _path(self, source: Source) -> str:
        random = source.random
        if random.random() < 0.4:
            return random.choice(_PATHS)
        run_id = random.choice((self.good, self.good, _DAMAGED, _DAMAGED, random.choice(_IDS)))
        name = random.choice(("audio", random.choice(_NUMBERS), random.choice(_NUMBERS)))
        return f"/api/{random.choice(('runs', 'runs', 'jobs'))}/{run_id}/{name}.wav"

    def _request(self, source: Source) -> tuple[bytes]:
        """A request of any method and path, some with odd headers, some damaged as bytes."""
        random = source.random
        method, path = random.choice(_METHODS), self._path(source)
        host = f"127.0.0.1:{self.port}" if random.random() < 0.8 else random.choice(_HOSTS)
        lines = [f"{method} {path} HTTP/{random.choice(('1.1',) * 9 + ('1.0', '2.0', '9', ''))}", f"Host: {host}"]
        if random.random() < 0.4:
            lines.append(f"Range: {random.choice(_RANGES)}")
        if random.random() < 0.3:
            lines.append(f"Origin: {random.choice(_ORIGINS)}")
        lines += random.sample(_HEADERS, random.choice((0, 0, 0, 1, 2)))
        body = random.choice((b"", b"", b"x" * 100, b"0\r\n\r\n", b"--x\r\n\r\n"))
        if method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        source.note(f"{lines[0][:120]} | {' | '.join(line[:40] for line in lines[2:])}")
        raw = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "replace") + body
        return (raw if random.random() < 0.85 else damage.in_bytes(random, raw),)

    def _websocket(self, source: Source) -> tuple[bytes, bytes]:
        """A handshake under any origin, and frames that hold anything."""
        random = source.random
        own = f"127.0.0.1:{self.port}"
        origin = f"http://{own}" if random.random() < 0.5 else random.choice(_ORIGINS)
        host = own if random.random() < 0.9 else random.choice(_HOSTS)
        lines = [
            *("GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Upgrade: websocket"),
            *("Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"),
            f"Sec-WebSocket-Protocol: {random.choice(_PROTOCOLS)}",
        ]
        frames = b"".join(_frame(source) for _ in range(random.choice((1, 1, 3))))
        source.note(f"websocket of {origin[:60]} with {len(frames)} bytes of frames")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace"), frames


def _frame(source: Source) -> bytes:
    """A masked frame: any opcode, a message of the pages damaged or whole, or a length that is a lie."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    random = source.random
    message = BackMsg()
    message.rerun_script.query_string = random.choice(("", "run=x", "%ff", "a=" + "b" * 5000))
    message.rerun_script.page_script_hash = random.choice(("", "x", "\u202e"))
    message.rerun_script.page_name = random.choice(("", "runs", "../x"))
    payload = message.SerializeToString()
    if random.random() < 0.6:
        payload = damage.in_bytes(random, payload)
    first = random.choice((0x82, 0x82, 0x82, 0x81, 0x80, 0x02, 0x88, 0x89, 0x8F, 0xF2))
    size = len(payload) if random.random() < 0.9 else random.choice((0, 10**6, 2**40, 2**63 - 1))
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 2**16:
        head = bytes([first, 0x80 | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first, 0x80 | 127]) + struct.pack(">Q", size)
    mask = random.randbytes(4)
    return head + mask + bytes(byte ^ mask[k % 4] for k, byte in enumerate(payload))


def _raised(log: str) -> list[str]:
    """The line that ends each traceback of ``log``."""
    blocks = (block.splitlines()[1:] for block in log.split("Traceback (most recent call last)")[1:])
    return [next((line for line in b if line.strip() and not line.startswith(" ")), "")[:160] for b in blocks]
