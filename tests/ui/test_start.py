"""What the server imports before its first page is drawn, and in which order page and models come."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server
from workbench.engine.checks.bench.app import _session
from workbench.ui import first_page, resources

# prints what is imported at the moment when the models may begin to load, and loads none
_PROGRAM = """
import sys
from workbench.ui import first_page, resources
first_page._VISIT_SECONDS = first_page._PAGE_SECONDS = 600
resources.warm = lambda: print("imported:", *sorted(sys.modules), "and no more", flush=True)
resources._OF_PAGES = ()
from workbench.cli import main
main(["app", "--port", "{port}"])
"""
LARGE = {
    *("torch", "torchaudio", "f5_tts", "vocos", "einx", "transformers", "huggingface_hub", "numba", "sklearn"),
    *("scipy.fft", "scipy.signal", "scipy.stats", "scipy.optimize", "scipy.special", "matplotlib"),
    *("faster_whisper", "ctranslate2", "IPython", "ray", "workbench.engine.speech.synthesis", "workbench.cli.synth"),
}


def test_the_first_page_is_drawn_before_anything_large_is_imported(tmp_path: Path) -> None:
    server = Server(tmp_path, tmp_path / "log.txt", command=("-c", _PROGRAM), environment={"WORKBENCH_MODEL": ""})
    try:
        server.wait()
        assert "imported:" not in server.log.read_text(), "the models wait for the first page"
        with _session(server.port):
            pass
        deadline = time.monotonic() + 60
        while "and no more" not in (said := server.log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        server.stop()
    imported = set(said.partition("imported:")[2].split())
    assert "workbench.ui.parts.preload_view" in imported, "the page was drawn"
    assert imported & LARGE == set()
    assert "pandas" in imported, "figures would fail on a pandas that a later thread imports"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no page had been drawn."""
    monkeypatch.setattr(first_page, "_begun", threading.Event())
    monkeypatch.setattr(first_page, "_drawn", threading.Event())


def test_models_wait_until_the_first_page_is_drawn(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_page, "_VISIT_SECONDS", 600)
    order: list[str] = []
    waiting = threading.Thread(target=lambda: (first_page.wait(), order.append("models")))
    waiting.start()
    with pytest.raises(ZeroDivisionError), first_page.drawing():
        waiting.join(0.05)
        order.append("page")
        _ = 1 / 0  # a page that fails counts too
    waiting.join(60)
    assert order == ["page", "models"]


def test_models_do_not_wait_for_a_visit_that_never_comes_nor_for_a_page_without_end(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_page, "_VISIT_SECONDS", 0.01)
    first_page.wait()
    monkeypatch.setattr(first_page, "_PAGE_SECONDS", 0.01)
    with first_page.drawing():
        first_page.wait()


def test_garbage_is_looked_for_again_after_the_start(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(first_page, "_VISIT_SECONDS", 0)
    monkeypatch.setattr(resources, "warm", lambda: calls.append("warm") or 1 / 0)
    monkeypatch.setattr("workbench.engine.collecting.pause", lambda: calls.append("pause"))
    monkeypatch.setattr("workbench.engine.collecting.resume", lambda: calls.append("resume"))
    with pytest.raises(ZeroDivisionError):
        resources._warm_in_turn()
    assert calls == ["pause", "warm", "resume"]
