"""The guard before every page: foreign origins are refused, and every response has security headers."""

from __future__ import annotations

import contextlib

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench.ui import guard


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("a page")


async def _broken(request: Request) -> PlainTextResponse:
    raise RuntimeError("a bug")


async def _stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_bytes()


@pytest.fixture
def client() -> TestClient:
    app = Starlette(
        routes=[Route("/", _page), Route("/broken", _broken), WebSocketRoute("/stream", _stream)],
        middleware=[Middleware(guard.Guard)],
        exception_handlers={Exception: guard.failed},
    )
    return TestClient(app, base_url="http://127.0.0.1:8501", raise_server_exceptions=False)


FOREIGN = [
    "http://evil.test",
    "null",
    "",
    "http://",
    "http://[",
    "http://127.0.0.1",
    "http://127.0.0.1:9999",
    "http://127.0.0.1:8501.evil.test",
    "http://evil.test#127.0.0.1:8501",
    "http://user@127.0.0.1:8501",
    "127.0.0.1:8501",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused(client: TestClient, origin: str) -> None:
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        assert client.request(method, "/", headers={"Origin": origin}).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers={"Origin": origin}):
        pass


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8501", "https://127.0.0.1:8501"])
def test_its_own_pages_and_programs_are_answered(client: TestClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    assert client.get("/", headers=headers).text == "a page"
    headers["Host"] = "127.0.0.1:8501"  # as a browser sends it
    with client.websocket_connect("/stream", headers=headers) as socket:
        assert socket.receive_text() == "hello"


def test_text_on_the_socket_ends_the_session_instead_of_failing_it(client: TestClient) -> None:
    with client.websocket_connect("/stream", headers={"Host": "127.0.0.1:8501"}) as socket:
        socket.receive_text()
        socket.send_bytes(b"as the pages do")
        socket.send_text("as nobody does")


def test_two_hosts_or_two_origins_are_refused(client: TestClient) -> None:
    own, evil = "http://127.0.0.1:8501", "http://evil.test"
    assert client.get("/", headers=[("Origin", own), ("Origin", evil)]).status_code == 403
    assert client.get("/", headers=[("Host", "127.0.0.1:8501"), ("Host", "evil.test")]).status_code == 403


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    answers = [client.get("/"), client.get("/nothing"), client.post("/"), client.get("/broken"),
               client.get("/", headers={"Origin": "http://evil.test"})]  # fmt: skip
    assert [a.status_code for a in answers] == [200, 404, 405, 500, 403]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in guard.security_headers()} == guard.security_headers()


def test_the_policy_names_no_other_host_and_no_eval() -> None:
    policy = dict(rule.split(" ", 1) for rule in guard.content_policy().split("; "))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert "'unsafe-eval'" not in policy["script-src"] and "'unsafe-inline'" not in policy["script-src"]
    assert policy["script-src"].count("'sha256-") == 1  # Streamlit's page has one script of its own
    sources = {source for rule in policy.values() for source in rule.split()}
    assert not any("." in source or source in ("*", "http:", "https:", "ws:") for source in sources)
