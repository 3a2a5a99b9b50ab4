"""The doctor reports "no" only after a real measurement."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import sys
import tempfile
from types import SimpleNamespace

import pytest

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


def broken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int):
        def refuse(*args, **kwargs):
            raise OSError(number, "refused")

        return refuse

    if what in ("torch", "torchaudio", "psutil"):
        monkeypatch.setitem(sys.modules, what, None)
    elif what == "room":
        monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10_000_000))
    else:
        monkeypatch.setattr(tempfile, "TemporaryFile", fail(getattr(errno, what)))


BROKEN = {
    "torch": ("PyTorch", "does not load"),
    "torchaudio": ("torchaudio loads", "no ("),
    "psutil": ("memory", "cannot be checked"),
    "EACCES": ("folder runs", "nothing can be written"),
    "EROFS": ("folder runs", "nothing can be written"),
    "ENOSPC": ("folder runs", "the disk is full"),
    "room": ("folder runs", "the disk is full"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_named_and_the_rest_is_looked_at(what, monkeypatch):
    broken(what, monkeypatch)
    checks = {c.name: c for c in examine(run=False)}
    name, told = BROKEN[what]
    assert checks[name].state == "bad" and told in checks[name].detail
    assert checks["model demo-voice"].state == "ok" and checks["Python"].state == "ok"


def test_a_read_only_cache_is_fine_and_said(monkeypatch):
    cache, real = home() / "cache", os.access
    cache.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: (path != cache or not mode & os.W_OK) and real(path, mode))
    checks = {c.name: c for c in examine(run=False)}
    assert checks["folder cache"].state == "ok" and "read-only" in checks["folder cache"].detail
    assert checks["folder runs"].state in ("ok", "warn")


def test_the_full_disk_of_a_cache_is_named(monkeypatch):
    broken("room", monkeypatch)
    checks = {c.name: c for c in examine(run=False)}
    assert checks["folder cache"].state == "bad" and "the disk is full" in checks["folder cache"].detail
