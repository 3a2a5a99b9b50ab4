"""A slow Hub: every wait ends, and cancelling takes effect within a second at every stage."""

from __future__ import annotations

import importlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.engine.cache.hub_server import HubServer, tiny_safetensors
from workbench.engine.cache import Caps, fetch
from workbench.engine.cache.fetch.transfer import Guard
from workbench.engine.cache.paths import hub_root, manifests_root
from workbench.engine.catalog import VOCODER_REPO
from workbench.engine.errors import Cancelled, FetchError

NAME, REPO = "F5TTS_Base_lv", "RaivisDejus/F5-TTS-Latvian"
QUICK = Caps(connect_seconds=0.4, read_seconds=0.4, retries=0, slow_seconds=0.5, slow_bytes=1000)
PATIENT = Caps(connect_seconds=30, read_seconds=30, retries=5)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    importlib.import_module("workbench.engine.cache.fetch.hubclient")  # its import is not part of what is timed
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    repos = {
        REPO: {"model.safetensors": tiny_safetensors(100_000), "vocab.txt": b" \na\n"},
        VOCODER_REPO: {"config.yaml": b"a: {}\n", "pytorch_model.bin": b"x"},
    }
    with HubServer(repos) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.mark.parametrize(
    ("where", "match"),
    [("listing", "no answer in time"), ("file", "no answer in time"), ("chunk", r"only \d+ bytes in")],
)
def test_a_drip_is_no_answer(hub: HubServer, where: str, match: str) -> None:
    hub.faults.drip = where
    began = time.perf_counter()
    with pytest.raises(FetchError, match=match):
        fetch(NAME, caps=QUICK)
    assert time.perf_counter() - began < 5
    assert not list(manifests_root().glob("*")) and not (hub_root() / ".partial").exists()


@contextmanager
def _full_backlog() -> Iterator[str]:
    """An address that drops every connection, like a black hole."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        yield f"127.0.0.1:{full.getsockname()[1]}"
        for sock in fill:
            sock.close()


@contextmanager
def _mute() -> Iterator[str]:
    """An address that accepts every connection and says nothing."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(20)
        yield f"127.0.0.1:{mute.getsockname()[1]}"


def _cancelled_in_time(endpoint: str | None = None, after: threading.Event | None = None) -> None:
    cancel, at = threading.Event(), [0.0]

    def stop() -> None:
        if after is not None:
            after.wait(10)
        time.sleep(0.3)
        at[0] = time.monotonic()
        cancel.set()

    threading.Thread(target=stop).start()
    with pytest.raises(Cancelled):
        fetch(NAME, caps=PATIENT, cancel=cancel, endpoint=endpoint)
    assert time.monotonic() - at[0] < 1.5


def test_cancel_while_connecting() -> None:
    with _full_backlog() as address:
        _cancelled_in_time(f"http://{address}")


def test_cancel_within_the_handshake_of_tls(hub: HubServer) -> None:
    with _mute() as address:
        _cancelled_in_time(f"https://{address}")


def test_cancel_while_the_host_is_silent(hub: HubServer) -> None:
    with _mute() as address:
        _cancelled_in_time(f"http://{address}")


@pytest.mark.parametrize("where", ["listing", "file", "chunk"])
def test_cancel_within_a_drip(hub: HubServer, where: str) -> None:
    hub.faults.drip = where
    _cancelled_in_time(after=hub.middle)


def test_cancel_within_a_body_that_stopped(hub: HubServer) -> None:
    hub.faults.silent_after = 100_000
    _cancelled_in_time(after=hub.middle)


def test_cancel_between_two_attempts(hub: HubServer) -> None:
    """The library sleeps 1, 2, 4 and 8 seconds between them."""
    hub.faults.cut_after = 100_000
    _cancelled_in_time(after=hub.middle)


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: HubServer) -> None:
    from workbench.engine.cache.fetch import hubclient

    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers.get("authorization")))
        target = {"/a": "https://cdn.example.org/x", "/b": "http://huggingface.co/x"}.get(request.url.path)
        return httpx.Response(302, headers={"location": target}) if target else httpx.Response(200)

    client = hubclient._GuardedClient(Guard(Caps()))
    client._transport = httpx.MockTransport(answer)
    for url in ("https://huggingface.co/a", "https://huggingface.co/b", "https://huggingface.co.evil.example/c"):
        client.get(url, headers={"authorization": "Bearer hf_secret"})
    assert {url for url, token in seen if token} == {"https://huggingface.co/a", "https://huggingface.co/b"}
    assert len(seen) == 5


def test_a_killed_download_is_swept_by_the_next_one_at_its_start(hub: HubServer) -> None:
    left = hub_root() / ".partial" / "blobs" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("x")
    hub.faults.api_status = 500
    seen: list[bool] = []
    real = hub.listing
    hub.listing = lambda *a: (seen.append(left.exists()), real(*a))  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(FetchError):
        fetch(NAME, caps=QUICK)
    assert seen and not any(seen)


def test_home_of_a_download_that_is_no_folder(tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", "/proc/nowhere")  # where not even root may write
    with pytest.raises(FetchError, match="cannot be written"):
        fetch(NAME, caps=QUICK)
