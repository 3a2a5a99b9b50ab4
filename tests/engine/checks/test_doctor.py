"""The doctor reports "no" only after a real measurement."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from workbench.engine.checks import doctor
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


@pytest.mark.parametrize(
    ("triton", "compilers", "state", "told"),
    [
        (True, ["gcc"], "ok", "Triton 3.7.1 with /usr/bin/gcc"),
        (True, [], "warn", "no C compiler, so the model is not compiled: install gcc"),
        (False, ["gcc"], "warn", "the backend is graph, not lean: pip install triton"),
    ],
)
def test_what_compiles_for_a_gpu_is_looked_for(triton, compilers, state, told, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("workbench.engine.model.devices.choose_device", lambda asked: "cuda")
    monkeypatch.setattr("workbench.engine.model.devices.choose_dtype", lambda asked, device: "fp16")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: triton or None if name == "triton" else real(name))
    monkeypatch.setattr(doctor, "version", lambda name: "3.7.1" if name == "triton" else version(name))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in compilers else None)
    (check,) = [c for c in doctor._device() if c.name == "GPU compiler"]
    assert (check.state, told in check.detail) == (state, True)


def test_without_a_gpu_no_compiler_is_looked_for(monkeypatch):
    monkeypatch.setattr("workbench.engine.model.devices.choose_device", lambda asked: "cpu")
    assert "GPU compiler" not in {c.name for c in doctor._device()}
