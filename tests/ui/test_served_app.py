"""The served app, started from a folder with a conflicting configuration."""

from __future__ import annotations

import base64
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server import COMMAND, ROOT, STREAMLIT, Server, forbid_network
from workbench.ui.guard import security_headers

HOSTILE = """
[server]
address = "0.0.0.0"
allowedHosts = []
corsAllowedOrigins = ["http://evil.test"]
enableCORS = false
enableXsrfProtection = false
enableStaticServing = true
enableAgentApi = true
baseUrlPath = "elsewhere"
maxUploadSize = 5000
[browser]
gatherUsageStats = true
serverAddress = "evil.test"
[theme]
base = "http://evil.test/theme.toml"
"""
EVIL = ("http://evil.test", "https://evil.test:443", "http://8.8.8.8", "http://[2001:db8::1]", "null", "file://")


@pytest.fixture(scope="module", params=[COMMAND, STREAMLIT], ids=["workbench app", "streamlit run"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in a hostile folder, without a network. Nothing it meets may be a bug to it, or make it look outside."""
    folder = tmp_path_factory.mktemp("served")
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text(HOSTILE)
    (folder / ".streamlit" / "secrets.toml").write_text('WORKBENCH_MODEL = "from the secrets"\n')
    (folder / "home").mkdir()
    environment = forbid_network(folder) | {"WORKBENCH_MODEL": "none-such", "HOME": str(folder)}
    for name in [name for name in os.environ if name.startswith("STREAMLIT_")]:
        environment[name] = ""
    running = Server(folder / "home", folder / "log.txt", command=request.param, folder=folder, environment=environment)
    try:
        running.wait(60)
        yield running
    finally:
        code = running.stop()
    log = running.log.read_text()
    assert "Exception in ASGI application" not in log, log[-4000:]
    assert code in (0, -15), log[-4000:]
    tried = folder / "network.txt"
    assert not tried.exists(), tried.read_text()


def _request(path: str = "/", method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def _handshake(host: str, origin: str | None) -> bytes:
    more = {"Origin": origin} if origin is not None else {}
    return _request(
        "/_stcore/stream", Host=host, Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Version="13",
        Sec_WebSocket_Key=base64.b64encode(bytes(16)).decode(), Sec_WebSocket_Protocol="streamlit", **more,
    )  # fmt: skip


def test_it_listens_on_this_machine_only_and_serves_the_workbench(served: Server) -> None:
    heard = {c.laddr.ip for c in psutil.Process(served.process.pid).net_connections("inet") if c.status == "LISTEN"}
    assert heard == {"127.0.0.1"}
    status, page = served.get("/")
    assert status == 200 and "<title>Streamlit</title>" in page
    assert served.get("/fonts/LICENSE-Inter.txt")[0] == 200
    assert f"http://127.0.0.1:{served.port}" in served.log.read_text()


def test_the_folder_it_is_started_from_decides_nothing(served: Server) -> None:
    own = f"127.0.0.1:{served.port}"
    assert _status(served.ask(_request(Host="evil.test"))) == 400  # allowedHosts
    assert served.get("/elsewhere/_stcore/health")[1] != "ok"  # baseUrlPath
    assert served.get("/app/static/x")[0] in (200, 404)  # the page itself, or nothing: no folder is served
    answer = served.ask(_request("/_stcore/agent/interact", "POST", Host=own, Content_Length="0"))
    assert _status(answer) in (403, 404)  # enableAgentApi
    upload = served.ask(_request("/_stcore/upload_file/a/b", "PUT", Host=own, Content_Length="0"))
    assert _status(upload) in (400, 403)  # enableXsrfProtection
    assert "from the secrets" not in served.log.read_text()


def test_no_origin_host_or_header_makes_it_look_anything_up(served: Server) -> None:
    own = f"127.0.0.1:{served.port}"
    assert _status(served.ask(_handshake(own, f"http://{own}"))) == 101
    assert _status(served.ask(_handshake(own, None))) == 101
    for origin in EVIL:
        assert _status(served.ask(_handshake(own, origin))) == 403
        assert _status(served.ask(_handshake("evil.test", origin))) in (400, 403)
        for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x.wav", "/_stcore/upload_file/a/b"):
            for method in ("GET", "OPTIONS", "PUT"):
                assert _status(served.ask(_request(path, method, Host=own, Origin=origin, Content_Length="0"))) == 403
    forwarded = {"X_Forwarded_Host": "evil.test", "X_Forwarded_For": "8.8.8.8", "X_Forwarded_Proto": "https",
                 "Forwarded": "for=8.8.8.8;host=evil.test", "X_Real_IP": "8.8.8.8", "Referer": EVIL[0]}  # fmt: skip
    assert _status(served.ask(_request(Host=own, **forwarded))) == 200
    for path in ("http://evil.test/", "//evil.test/x", "/\\\\evil.test\\x", "evil.test:443"):
        assert _status(served.ask(_request(path, Host=own))) < 500


def test_every_answer_carries_the_security_headers(served: Server) -> None:
    own = f"127.0.0.1:{served.port}"
    asked = [
        _request(path, Host=own)
        for path in ("/", "/runs", "/_stcore/health", "/fonts/LICENSE-Inter.txt", "/dock/dock.js",
                     "/api/sounds/x.wav", "/api/runs/x/audio.wav", "//x/y")
    ]  # fmt: skip
    asked += [_request(Host="evil.test"), _request(Host=own, Origin=EVIL[0]), _request("/", "DELETE", Host=own)]
    for request in asked:
        head = served.ask(request).split(b"\r\n\r\n")[0].decode("latin-1").lower().split("\r\n")
        for name, value in security_headers().items():
            assert f"{name}: {value}".lower() in head, (request, head)


def _odd_requests(own: str) -> list[bytes]:
    """A hundred requests that no browser sends, the same ones every time."""
    paths = ["/" + "a" * 60_000, "/%00", "/%00/..%00", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..\\..\\x",
             "/api/runs/%2e%2e/audio.wav", "/api/runs/a%0d%0ab/audio.wav", "/api/runs/" + "9" * 5000 + "/audio.wav",
             "/api/runs/x/" + "9" * 5000 + ".wav", "/api/jobs/x/" + "9" * 400 + ".wav", "/api/jobs/%ff%fe/0.wav",
             "/api/jobs/x/-1.wav", "/api/jobs//0.wav", "/api/runs/./audio.wav", "/api/runs/" + "x" * 300 + "/0.wav",
             "/dock/", "/dock/%00", "/dock/%2e%2e/app.py", "/dock/" + "x" * 300, "/api/sounds/%00.wav",
             "/api/sounds/.wav", "/api/sounds/" + "a" * 5000 + ".wav", "/api/sounds/%2e%2e/%2e%2e/x.wav",
             "/fonts/", "/fonts/%00", "/fonts/../app.py", "/fonts/" + "x" * 300, "/media/" + "x" * 5000, "/media/%00",
             "/static/..%2f..%2fconfig.py", "/static/%00", "/component/x/y", "/component/%2e%2e/%2e%2e/x",
             "/_stcore/bidi-components/x/y", "/_stcore/bidi-components/..%2f/y", "/_stcore/metrics?families=%00",
             "/_stcore/upload_file/../x", "/?run=%00", "/?run=" + "9" * 9000, "/runs?run=../../etc", "*", "", "?", "#",
             "/\ud7ff".encode("utf-8", "replace").decode("latin-1"), "/%", "/%zz", "/;/;/;", "/~root", "/C:/x",
             "/.streamlit/config.toml", "/app.py", "/_stcore/stream", "/_stcore/agent/openapi.json", "/cache/",
             "/runs/.."]  # fmt: skip
    asked = [_request(path, Host=own) for path in paths]
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "get", "X" * 500):
        for path in ("/", "/api/runs/x/audio.wav", "/_stcore/health"):
            asked.append(_request(path, method, Host=own, Content_Length="0"))
    for value in ("bytes=", "bytes=-", "bytes=9-1", "bytes=0-0,0-0,0-0", "bytes=" + "0-1," * 3000, "x=1-2", "bytes=-0",
                  "bytes=99999999999999999999-"):  # fmt: skip
        asked.append(_request("/fonts/LICENSE-Inter.txt", Host=own, Range=value))
    asked += [
        _request(Host=own, X="y" * 200_000),
        _request(Host=own, **{f"X{k}": "y" for k in range(2000)}),
        _request(Host=own, Cookie="a=b; " * 3000),
        _request(Host=own, Accept_Encoding="gzip;q=x", If_None_Match='"' * 99, If_Modified_Since="never"),
        _request("/", "POST", Host=own, Content_Length="-1"),
        _request("/_stcore/upload_file/a/b", "PUT", Host=own, Content_Length="9" * 30),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        bytes(1000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        _handshake(own, None).replace(b"Version: 13", b"Version: 99"),
        _handshake(own, None).replace(b"Key: ", b"Key: x"),
        _handshake(own, None).replace(b"/_stcore/stream", b"/api/runs/x/audio.wav"),
        _handshake(own, None).replace(b"streamlit", b"streamlit, " + b"x" * 5000 + b", y"),
    ]
    return asked


def _odd_frames(seed: int) -> list[bytes]:
    """What may come on an open websocket that no browser sends."""
    chance = random.Random(seed)
    mask = bytes(4)
    return [b"\x82\x80" + mask, b"\x81\x83" + mask + b"abc", b"\x82\xff" + b"\xff" * 8, b"\xff\xff\xff\xff",
            b"\x00\x81" + mask + b"x", b"\x88\x80" + mask, b"\x89\xfe\x00\x7f" + mask + bytes(127), b"\x82\x01x",
            *(b"\x82" + bytes([0x80 | 100]) + mask + chance.randbytes(100) for _ in range(6))]  # fmt: skip


def test_odd_requests_and_frames_end_in_a_refusal(served: Server) -> None:
    own = f"127.0.0.1:{served.port}"
    asked = _odd_requests(own)
    assert len(asked) >= 100
    for request in asked:
        try:
            answer = served.ask(request, seconds=2)
        except TimeoutError:  # it waits for the rest of a request that never comes
            continue
        assert _status(answer) < 500 and b"root:" not in answer, (request[:200], answer[:300])
    for frame in _odd_frames(0):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
            connection.sendall(_handshake(own, None))
            assert _status(connection.recv(4096)) == 101
            connection.sendall(frame)
    assert served.get("/_stcore/health") == (200, "ok")


def test_two_servers_do_not_share_a_port(served: Server, tmp_path: Path) -> None:
    second: Any = Server(tmp_path, tmp_path / "log.txt", command=("-m", "workbench", "app", "--port", str(served.port)))
    assert second.process.wait(60) == 2
    assert second.log.read_text().startswith(f"Error: Port {served.port} of 127.0.0.1 is taken.")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.1 is the only address of loopback")
def test_another_address_and_name_are_answered_without_a_look_up(tmp_path: Path) -> None:
    command = (*COMMAND, "--host", "127.0.0.2", "--allow-host", "lab.example")
    environment = forbid_network(tmp_path) | {"WORKBENCH_MODEL": "none-such"}
    there = Server(tmp_path, tmp_path / "log.txt", command=command, address="127.0.0.2", environment=environment)
    try:
        there.wait(60)
        for name in ("lab.example", "127.0.0.2", "localhost"):
            own = f"{name}:{there.port}"
            assert _status(there.ask(_request(Host=own, Origin=f"http://{own}"))) == 200
            assert _status(there.ask(_handshake(own, f"http://{own}"))) == 101
            assert _status(there.ask(_handshake(own, "http://evil.test"))) == 403
        assert _status(there.ask(_request(Host="evil.test"))) == 400
        assert f"http://lab.example:{there.port}" in there.log.read_text()
    finally:
        there.stop()
    assert not (tmp_path / "network.txt").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_control_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    running = Server(tmp_path, tmp_path / "log.txt", environment={"WORKBENCH_MODEL": "none-such"})
    running.wait(60)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) in (0, 1, 130)
    assert "Traceback" not in running.log.read_text()


def test_another_server_than_streamlit_with_another_configuration_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import workbench.app"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "python -m workbench app" in done.stderr and "Traceback" not in done.stderr
