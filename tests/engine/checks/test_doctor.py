"""The doctor answers "no" only because it looked."""

from __future__ import annotations

import contextlib
import socket

from workbench.engine.checks.doctor import examine
from workbench.engine.checks.network import watch_network
from workbench.engine.files.places import home


def test_a_run_does_not_touch_the_network():
    checks = {c.name: c for c in examine()}
    assert checks["a run will touch the network"].state == "ok"
    assert checks["a run will touch the network"].detail.startswith("no: loading and speaking")
    assert checks["model demo-voice"].state == "ok"
    assert all(c.state != "bad" for c in checks.values())
    assert "NonCommercial" in checks["licence of encodec"].detail and "GPL" in checks["licence of Unidecode"].detail
    assert str(home()) in checks["models and runs"].detail


def test_the_watch_hears_connects_and_look_ups():
    with watch_network() as heard, contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 9)
        socket.create_connection(("127.0.0.1", 9), timeout=0.5)
    assert any("getaddrinfo" in event for event in heard)
    assert any("connect" in event for event in heard)


def test_the_watch_ends_with_its_block():
    with watch_network() as heard:
        pass
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), timeout=0.5)
    assert heard == []
