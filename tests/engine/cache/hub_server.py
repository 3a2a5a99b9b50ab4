"""A server on 127.0.0.1 that speaks the Hugging Face Hub's protocol, and misbehaves on request.

It answers the model listing (``/api/models/...``), ``resolve`` with X-Repo-Commit, ETag, X-Linked-Etag and the redirect
to a content host (under another host name, as the real one), HEAD, GET and Range. The client under test is the real
huggingface_hub.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEWER = "fedcba9876543210fedcba9876543210fedcba98"


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Faults:
    """What goes wrong. Faults of files apply to the content of ``target``."""

    target: str = "model.safetensors"
    silent_api: bool = False  # accept the listing's request and never answer
    silent_file: bool = False  # the same for the content
    silent_after: int | None = None  # send this many bytes, then fall silent
    cut_after: int | None = None  # close the connection after this many bytes ...
    cut_times: int = 10**9  # ... so many times
    flip_byte: bool = False  # right size, wrong content
    html: bool = False  # a sign-in page with status 200
    html_api: bool = False
    encoding: str = ""  # Content-Encoding that nobody asked for
    endless: bool = False  # more bytes than announced, without end
    trickle_seconds: float = 0.0  # between single bytes
    status: int = 0  # answer of the content host
    status_headers: dict[str, str] = field(default_factory=dict)
    api_status: int = 0
    api_headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""  # in place of the right one
    commit: str = ""  # X-Repo-Commit in place of the right one
    no_checksums: bool = False
    drip: str = ""  # a byte now and then, without end: "listing" or "file" for the head, "chunk" for a chunk's


class HubServer:
    """Context manager; ``endpoint`` is its address, ``requests`` what it was asked: (method, path, headers)."""

    def __init__(
        self, repos: dict[str, dict[str, bytes]], lfs: tuple[str, ...] = (".safetensors", ".bin", ".pt")
    ) -> None:
        self.repos, self.lfs, self.faults = repos, lfs, Faults()
        self.commit = COMMIT
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.sent_bytes = 0
        self.closing = threading.Event()
        self.middle = threading.Event()  # set once part of the target's content is on its way
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                hub.handle(self, body=False)

            def do_GET(self) -> None:
                hub.handle(self, body=True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.content_host = f"http://localhost:{self.server.server_port}"

    def __enter__(self) -> HubServer:
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    # the protocol -----------------------------------------------------------------------------------------------------

    def handle(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = unquote(urlsplit(request.path).path)
        self.requests.append((request.command, path, {k.lower(): v for k, v in request.headers.items()}))
        try:
            if path.startswith("/api/models/"):
                self.listing(request, path.removeprefix("/api/models/"))
            elif path.startswith("/content/"):
                self.content(request, path.removeprefix("/content/"), body)
            else:
                self.file(request, path.lstrip("/"), body)
        except OSError:
            request.close_connection = True

    def answer(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        content: bytes = b"",
        body: bool = True,
    ) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)

    def listing(self, request: BaseHTTPRequestHandler, rest: str) -> None:
        faults, (repo, _, revision) = self.faults, rest.partition("/revision/")
        if faults.drip == "listing":
            return self.drip(request, b"HTTP/1.1 200 OK\r\nX-Long: ")
        if faults.silent_api:
            self.closing.wait(60)
            request.close_connection = True
            return
        if faults.html_api:
            return self.answer(request, 200, {"Content-Type": "text/html"}, b"<html>Sign in</html>")
        if faults.api_status:
            return self.answer(request, faults.api_status, dict(faults.api_headers), b"{}")
        if repo not in self.repos or (revision and revision not in (self.commit, "main")):
            code = "RepoNotFound" if repo not in self.repos else "RevisionNotFound"
            return self.answer(request, 404, {"X-Error-Code": code}, b'{"error": "not found"}')
        siblings = []
        for name, content in self.repos[repo].items():
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git_id(content)}
            if name.endswith(self.lfs):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append({"rfilename": name} if faults.no_checksums else entry)
        answer = {
            "_id": "0",
            "id": repo,
            "modelId": repo,
            "sha": self.commit,
            "private": False,
            "gated": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": siblings,
        }
        self.answer(request, 200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def file(self, request: BaseHTTPRequestHandler, path: str, body: bool) -> None:
        repo, _, rest = path.partition("/resolve/")
        revision, _, name = rest.partition("/")
        content = self.repos.get(repo, {}).get(name)
        if content is None or revision not in (self.commit, "main"):
            return self.answer(request, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.commit}, b"", body)
        headers = {"X-Repo-Commit": self.faults.commit or self.commit, "Accept-Ranges": "bytes"}
        if name.endswith(self.lfs):
            etag = self.faults.etag or hashlib.sha256(content).hexdigest()
            headers |= {
                "X-Linked-Etag": f'"{etag}"',
                "X-Linked-Size": str(len(content)),
                "ETag": '"elsewhere"',
                "Location": f"{self.content_host}/content/{repo}/{name}",
            }
            return self.answer(request, 302, headers, b"", body)
        self.answer(request, 200, headers | {"ETag": f'"{git_id(content)}"'}, content, body)

    def content(self, request: BaseHTTPRequestHandler, path: str, body: bool) -> None:
        repo, name = next((r, path[len(r) + 1 :]) for r in self.repos if path.startswith(f"{r}/"))
        content, faults = self.repos[repo][name], self.faults
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": '"content"', "Content-Length": str(len(content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if name == faults.target:
            if faults.status:
                return self.answer(request, faults.status, dict(faults.status_headers), b"", body)
            if faults.drip == "file":
                return self.drip(request, b"HTTP/1.1 200 OK\r\nX-Long: ")
            if faults.drip == "chunk":
                return self.drip(request, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;")
            if faults.html:
                page = b"<!doctype html><title>Sign in</title>".ljust(len(content))
                return self.answer(request, 200, {"Content-Type": "text/html; charset=utf-8"}, page, body)
            if faults.silent_file:
                self.closing.wait(60)
                request.close_connection = True
                return
            if faults.flip_byte:
                content = content[:-1] + bytes([content[-1] ^ 1])
            if faults.encoding:
                headers["Content-Encoding"] = faults.encoding
            if faults.endless:
                headers = {"ETag": '"content"', "Connection": "close"}
        request.send_response(206 if start else 200)
        for key, value in headers.items():
            request.send_header(key, value)
        request.end_headers()
        self.body(request, content[start:], name == faults.target)

    def drip(self, request: BaseHTTPRequestHandler, start: bytes) -> None:
        """Send ``start``, and then one byte after the other."""
        request.wfile.write(start)
        self.middle.set()
        while not self.closing.wait(0.02):
            request.wfile.write(b"x")
        request.close_connection = True

    def body(self, request: BaseHTTPRequestHandler, content: bytes, target: bool) -> None:
        """Send ``content`` in blocks, as the faults have it."""
        faults, sent, block = self.faults, 0, 1 << 16
        if target and faults.trickle_seconds:
            block = 1
        cut = faults.cut_after if faults.cut_times > 0 else None
        stop = min((n for n in (cut, faults.silent_after) if n is not None), default=None) if target else None
        while sent < len(content):
            piece = content[sent : sent + block if stop is None else min(sent + block, stop)]
            request.wfile.write(piece)
            sent += len(piece)
            self.sent_bytes += len(piece)
            if target:
                self.middle.set()
            if stop is not None and sent >= stop:
                if cut is None:
                    self.closing.wait(60)
                faults.cut_times -= 1
                request.wfile.flush()
                request.close_connection = True
                request.connection.shutdown(2)
                return
            if target and faults.trickle_seconds and self.closing.wait(faults.trickle_seconds):
                return
        while target and faults.endless and not self.closing.is_set():
            request.wfile.write(b"x" * block)


def tiny_safetensors(n_values: int = 4, name: str = "weight") -> bytes:
    """A whole safetensors file with one float32 tensor of ``n_values``."""
    header = json.dumps({name: {"dtype": "F32", "shape": [n_values], "data_offsets": [0, 4 * n_values]}}).encode()
    values = (bytes(range(251)) * (4 * n_values // 251 + 1))[: 4 * n_values]
    return struct.pack("<Q", len(header)) + header + values
