"""Two runs whose chunks are tones, and what a test asks the player."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import load_voice

RATE = 24_000
BURST_AT = 1.5  # s; the first chunk of each run is silent before
SECONDS = (4.0, 3.0, 5.0)
GRAPH = "document.querySelector('.st-key-compare_mels .js-plotly-plot')"
TEXT = "One two three, four five. Six seven eight. Nine ten."
# position by the player, and by the pixel of the cursor on the first bound figure, in one moment
BOTH = """() => {
  const graph = [...document.querySelectorAll('.js-plotly-plot')].find(g => g.layout?.meta?.sound)
  const line = graph?.querySelector('.dock-cursor'), xaxis = graph?._fullLayout.xaxis
  if (!line || line.style.display === 'none') return null
  const x = line.getBoundingClientRect().x + 1 - graph.querySelector('.svg-container').getBoundingClientRect().x
  return { heard: workbenchDock.transport.position(), seen: xaxis.p2l(x - xaxis._offset) }
}"""


def burst(seconds: float, at: float, level: float = 0.5) -> np.ndarray:
    """Silence, then a tone from ``at``."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.where(times >= at, level * np.sin(2 * np.pi * 440 * times), 0.0).astype(np.float32)


@pytest.fixture
def two(server: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Two runs of three chunks on the server's disk: the second is a quarter as loud."""
    monkeypatch.setenv("WORKBENCH_HOME", str(server.home))
    ids = []
    for k, level in enumerate((0.5, 0.125)):
        made = tiny_engine.run(TEXT, load_voice("nature-en"), SynthesisSettings(nfe_step=2, max_chunk_bytes=24, seed=k))
        chunks = [
            dataclasses.replace(
                chunk, wave=burst(seconds, BURST_AT if n == 0 else 0.0, level),
                mel=np.zeros((round(seconds * RATE / 256), 100), np.float32),
            )
            for n, (chunk, seconds) in enumerate(zip(made.chunks[:3], SECONDS, strict=True))
        ]  # fmt: skip
        spans = tuple(span for span in made.spans if (span.chunk_index or 0) < len(chunks))
        made = dataclasses.replace(
            made, chunks=tuple(chunks), spans=spans, request=made.request.replace(model="demo-voice")
        )
        store.save_run(made)
        ids.append(made.id)
    yield ids[0], ids[1]
    for run_id in ids:
        if run_id in {run.id for run in store.list_runs()}:
            store.delete_run(run_id)


def dock(page: Any) -> Any:
    return page.locator("#workbench-dock")


def position(page: Any) -> float:
    return float(page.evaluate("workbenchDock.transport.position()"))


def compared(page: Any, server: Any, two: tuple[str, str]) -> None:
    """Open the comparison, whose mels are bound to the first run, and wait for the figure."""
    page.goto(f"{server.url}/runs?runs={two[0]},{two[1]}")
    loaded(page)
    page.wait_for_selector(".st-key-compare_mels .nsewdrag", timeout=PATIENCE)
    page.wait_for_function("() => document.querySelector('.st-key-compare_mels .js-plotly-plot')?.layout?.meta?.sound")
    page.wait_for_function("() => globalThis.workbenchDock")  # its scripts are there: a click is heard


def play(page: Any, letter: str) -> None:
    page.locator(f".st-key-play_{letter} button").click()
    expect(dock(page)).to_have_attribute("data-state", "playing", timeout=PATIENCE)
