"""A Hub on loopback that answers, answers late, refuses, or accepts a request and never answers.

Serves the real huggingface_hub client: the part of the Hub's protocol that a full cache uses (HEAD of
``/{repo}/resolve/{revision}/{file}``), and a log of all requests.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from workbench.engine.files.writing import sha256_of

BEHAVIOURS = ("answering", "slow", "refusing", "blackhole")


@dataclass(frozen=True)
class Request:
    """One request: ``seconds`` since the server started, method, path and outcome."""

    seconds: float
    method: str
    path: str
    outcome: str

    def as_dict(self) -> dict[str, float | str]:
        """Ready for JSON."""
        return asdict(self)


def _digest(file: Path) -> str:
    """The name of the blob that a link of a snapshot points to; the sha256 of a file on a disk without links."""
    return Path(os.readlink(file)).name if file.is_symlink() else sha256_of(file)


class LoopbackHub:
    """A context manager on a free port of 127.0.0.1.

    Args:
        hub: folder in the Hugging Face layout with the files to serve.
        behaviour: one of ``BEHAVIOURS``.
        delay_seconds: delay of the answers with behaviour "slow".

    Attributes:
        endpoint: value for HF_ENDPOINT.
        requests: log in order of arrival. Refused connections are not in it.
    """

    def __init__(self, hub: Path, behaviour: str = "answering", delay_seconds: float = 2.0) -> None:
        self.hub, self.behaviour, self.delay_seconds = hub, behaviour, delay_seconds
        self.requests: list[Request] = []
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._began = time.perf_counter()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._reserved: socket.socket | None = None
        self.endpoint = ""

    def __enter__(self) -> LoopbackHub:
        if self.behaviour == "refusing":
            # bound but not listening: the kernel refuses, and no other process can take the port
            self._reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._reserved.bind(("127.0.0.1", 0))
            self.endpoint = f"http://127.0.0.1:{self._reserved.getsockname()[1]}"
            return self
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="loopback hub", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._reserved is not None:
            self._reserved.close()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Write nothing to standard error: the log is ``requests``."""

            def do_HEAD(self) -> None:
                hub._take(self, body=False)

            def do_GET(self) -> None:
                hub._take(self, body=True)

        return Handler

    def _take(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        """Log the request, then answer according to ``behaviour``."""
        path = unquote(urlsplit(request.path).path)
        found = self._find(path)
        outcome = "never answered" if self.behaviour == "blackhole" else "200" if found else "404"
        with self._lock:
            self.requests.append(Request(time.perf_counter() - self._began, request.command, path, outcome))
        if self.behaviour == "blackhole":
            self._closing.wait()
            request.close_connection = True
            return
        if self.behaviour == "slow" and self._closing.wait(self.delay_seconds):
            request.close_connection = True
            return
        try:
            self._answer(request, found, body)
        except OSError:  # the client has closed the connection
            request.close_connection = True

    def _find(self, path: str) -> tuple[str, Path] | None:
        """(commit, file) of a ``resolve`` path, or None."""
        repo, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        root = self.hub / f"models--{repo.replace('/', '--')}"
        try:
            commit = (root / "refs" / "main").read_text(encoding="utf-8").strip()
        except OSError:
            return None
        file = root / "snapshots" / commit / name
        inside = ".." not in Path(name).parts and not Path(name).is_absolute()
        known = inside and revision in ("main", commit) and file.is_file()
        return (commit, file) if known else None

    def _answer(self, request: BaseHTTPRequestHandler, found: tuple[str, Path] | None, body: bool) -> None:
        if found is None:
            request.send_response(404)
            request.send_header("X-Error-Code", "EntryNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        commit, file = found
        request.send_response(200)
        # the name of the blob that a snapshot's link points to is its etag, as in every Hugging Face cache
        for name, value in (
            ("X-Repo-Commit", commit),
            ("ETag", f'"{_digest(file)}"'),
            ("Content-Length", str(file.stat().st_size)),
        ):
            request.send_header(name, value)
        request.end_headers()
        if body:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    request.wfile.write(block)
