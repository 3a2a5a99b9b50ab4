"""The player at the foot of every page in a real browser: what sounds, where its cursor is, and its keys."""

from __future__ import annotations

import dataclasses
import re
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
# some time after the first loud sample: how long ago that was by the audio clock, and where the cursor is in a frame
AFTER_THE_BURST = """() => new Promise((done, fail) => {
  const dock = workbenchDock, meter = new AnalyserNode(dock.ctx, { fftSize: 32768 })
  const samples = new Float32Array(meter.fftSize), both = BOTH, began = performance.now()
  dock.analyser.connect(meter)
  const look = () => {
    meter.getFloatTimeDomainData(samples)
    const first = samples.findIndex(s => Math.abs(s) > 0.1)
    if (first > 0) return done({ ...both(), ago: (samples.length - first) / dock.ctx.sampleRate })
    if (performance.now() - began > 60000) return fail('silent')
    requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
})""".replace("BOTH", BOTH)


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


def test_the_cursor_is_where_the_sound_is_and_zooming_moves_it_along(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    found = page.evaluate(AFTER_THE_BURST)
    latency = page.evaluate("workbenchDock.transport.latency()")
    assert abs(found["heard"] + latency - found["ago"] - BURST_AT) < 0.03, found
    assert abs(found["seen"] - found["heard"]) < 0.03, found
    page.evaluate("workbenchDock.transport.pause(); workbenchDock.transport.seek(3)")
    n_lines = page.evaluate(
        "document.querySelectorAll('.st-key-compare_mels .dock-cursor:not([style*=\"display: none\"])').length"
    )
    assert n_lines >= 3  # one for each subplot
    area = page.locator(".st-key-compare_mels .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 22, steps=5)
    page.mouse.up()
    page.wait_for_function(f"() => {GRAPH}._fullLayout.xaxis.range[0] > 1")
    page.wait_for_function(f"() => (({BOTH})() ?? {{ seen: 9 }}).seen.toFixed(1) === '3.0'")
    page.evaluate("workbenchDock.transport.seek(9)")
    assert page.evaluate(BOTH) is None  # not in what is seen


def test_a_click_on_a_mel_plays_from_there_and_a_drag_does_not(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    area = page.locator(".st-key-compare_mels .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    pixel, whole = page.evaluate(f"[{GRAPH}._fullLayout.xaxis.l2p(2.0), {GRAPH}._fullLayout.xaxis.range]")
    page.mouse.move(box["x"] + pixel + 60, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + pixel + 160, box["y"] + 30, steps=4)
    page.mouse.up()
    assert dock(page).get_attribute("data-state") in (None, "empty", "paused")
    page.wait_for_function(f"([low]) => {GRAPH}._fullLayout.xaxis.range[0] > low", arg=whole, timeout=PATIENCE)
    page.mouse.dblclick(box["x"] + pixel + 60, box["y"] + 30)  # zooms back
    page.wait_for_function(
        f"([low, high]) => {{ const [a, b] = {GRAPH}._fullLayout.xaxis.range; return a === low && b === high }}",
        arg=whole, timeout=PATIENCE,
    )  # fmt: skip
    page.keyboard.press("k")
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    # what the player is told to play from: the processor may take its time before a test can look
    page.evaluate(
        "() => { workbenchDock.began = []; const t = workbenchDock.transport, start = t.start.bind(t);"
        " t.start = (at, ...rest) => { workbenchDock.began.push(at); return start(at, ...rest) } }"
    )
    page.wait_for_timeout(400)  # so that the click is no part of the double click
    page.mouse.click(box["x"] + pixel, box["y"] + 30)
    expect(dock(page)).to_have_attribute("data-state", "playing", timeout=PATIENCE)
    assert page.evaluate("workbenchDock.began")[-1] == pytest.approx(2.0, abs=0.03)
    assert position(page) > 1.9 and dock(page).get_attribute("data-key") == f"run:{two[0]}"


def test_it_plays_on_across_a_change_of_page(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    before = position(page)
    page.evaluate(
        "() => { window.gaps = []; const t = workbenchDock.transport; let last = null; window.watch ="
        " setInterval(() => window.gaps.push(t.playing), 20) }"
    )
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", name="Models and cache")).to_be_visible(timeout=PATIENCE)
    expect(dock(page)).to_have_attribute("data-state", "playing")
    assert position(page) > before and all(page.evaluate("window.gaps"))
    assert page.evaluate("document.querySelectorAll('#workbench-dock').length") == 1


def test_a_and_b_are_switched_at_the_same_instant_and_b_goes(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.locator(".st-key-play_B button").click()
    expect(dock(page)).to_have_attribute("data-slot", "B", timeout=PATIENCE)
    for _ in range(4):
        moved = page.evaluate("""() => {
          const d = workbenchDock, t = d.transport, at = performance.now(), a = t.position()
          d.act('switch'); return t.position() - a - (performance.now() - at) / 1000 }""")
        assert abs(moved) < 0.05, moved
        page.wait_for_timeout(120)
    assert dock(page).get_attribute("data-state") == "playing"
    # a quarter of the amplitude is 12 dB: the louder one is turned down by that
    page.evaluate("workbenchDock.match()")
    page.wait_for_function("() => workbenchDock.matched", timeout=PATIENCE)
    gains = page.evaluate("workbenchDock.gains")
    assert gains["A"] == pytest.approx(-12.04, abs=0.2) and gains["B"] == 0
    assert "−12.0" in page.evaluate("workbenchDock.ui.match.textContent")
    page.locator("#workbench-dock").get_by_role("button", name="Close B").click()
    expect(dock(page)).to_have_attribute("data-slot", "A")
    assert dock(page).get_attribute("data-second") == ""
    expect(dock(page).get_by_role("button", name=re.compile("^Hear B"))).to_have_count(0)


def test_keys_move_play_and_loop_but_not_while_somebody_types(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.locator("h1").first.click()  # the focus leaves the button
    page.keyboard.press("k")
    expect(dock(page)).to_have_attribute("data-state", "paused")
    page.keyboard.press(" ")
    expect(dock(page)).to_have_attribute("data-state", "playing")
    page.keyboard.press("k")
    slider = dock(page).get_by_role("slider", name="Position")
    slider.focus()
    slider.press("Home")
    for key, at in (("ArrowRight", 2.0), ("Shift+ArrowRight", 2.1), ("ArrowLeft", 0.1), ("End", 11.7), ("Home", 0.0),
                    (".", SECONDS[0] - 0.15), (",", 0.0)):  # fmt: skip
        page.keyboard.press(key)
        assert position(page) == pytest.approx(at, abs=0.02), key
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "2.0 seconds of 11.7, chunk 1 of 3"
    page.keyboard.press("i")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    assert dock(page).get_attribute("data-loop") == "2.00 4.00"
    page.keyboard.press("Escape")
    assert dock(page).get_attribute("data-loop") == ""
    page.keyboard.press("?")
    expect(dock(page).get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dock(page).get_by_role("dialog")).to_be_hidden()
    search = page.locator(".st-key-find input")
    search.click()
    search.press_sequentially("k l j x .")
    expect(search).to_have_value("k l j x .")
    assert dock(page).get_attribute("data-state") == "paused" and position(page) == pytest.approx(4.0, abs=0.05)


def test_a_loop_comes_round_without_a_gap(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.evaluate("workbenchDock.setLoop({ from: 3.5, to: 4.2 })")  # over the cross-fade of two chunks
    page.wait_for_function("() => workbenchDock.transport.laps.length > 1", timeout=PATIENCE)
    seen = page.evaluate("""() => new Promise(done => {
      const t = workbenchDock.transport, seen = [], levels = [], samples = new Float32Array(1024)
      const began = performance.now()
      const look = () => {
        workbenchDock.analyser.getFloatTimeDomainData(samples)
        levels.push(Math.max(...samples.map(Math.abs)))
        seen.push(t.position())
        if (performance.now() - began > 2500) done({ seen, levels, playing: t.playing })
        else setTimeout(look, 10)
      }
      setTimeout(look, 200)
    })""")
    assert seen["playing"] and min(seen["seen"]) >= 3.49 and max(seen["seen"]) <= 4.21
    laps = sum(b < a for a, b in zip(seen["seen"], seen["seen"][1:], strict=False))
    assert 2 <= laps <= 4
    assert min(seen["levels"]) > 0.2  # it never falls silent


def test_only_one_thing_sounds(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.evaluate(
        """async url => { const a = document.createElement('audio'); a.id = 'other'; a.src = url
      document.body.append(a); await a.play() }""",
        f"/api/runs/{two[1]}/audio.wav",
    )
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    play(page, "A")
    assert page.evaluate("document.getElementById('other').paused")
    # a player that is no element of the page, as that of a recording
    page.evaluate(
        "async url => { window.hidden = new Audio(url); await window.hidden.play() }", f"/api/runs/{two[1]}/audio.wav"
    )
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    play(page, "A")
    assert page.evaluate("window.hidden.paused")
    for name in ("Synthesize", "Listen", "Runs"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name, exact=True).first).to_be_visible(timeout=PATIENCE)
        loaded(page)
        sounding = page.evaluate("[...document.querySelectorAll('audio, video')].filter(a => !a.paused).length")
        assert sounding == 0, name


def test_the_bar_covers_nothing_and_fits_a_phone(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    for width, scheme, type_size in (
        (1280, "light", 14),
        (390, "dark", 14),
        (390, "light", 20),
    ):  # 20 px for a projector
        page = new_page(width, scheme)
        compared(page, server, two)
        page.locator(".st-key-play_A button").click()
        page.locator(".st-key-play_B button").click()
        expect(dock(page)).to_have_attribute("data-second", f"run:{two[1]}", timeout=PATIENCE)
        found = page.evaluate(
            """(size) => {
          document.documentElement.style.setProperty('font-size', `${size}px`, 'important')
          workbenchDock.ui.measure()
          const main = document.querySelector('[data-testid=stMain]')
          const bar = workbenchDock.ui.host.getBoundingClientRect()
          main.scrollTop = 1e9
          const last = [...main.querySelectorAll('[data-testid=stElementContainer]')].at(-1).getBoundingClientRect()
          const outside = [...workbenchDock.ui.root.querySelectorAll('.dock > *, .tools > *')].filter(e => {
            const r = e.getBoundingClientRect(), s = getComputedStyle(e)
            return r.width && s.position !== 'absolute' && (r.left < -0.5 || r.right > innerWidth + 0.5)
          }).map(e => e.className)
          const says = (e) => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
          const small = [...workbenchDock.ui.root.querySelectorAll('.dock *')].filter(e =>
            says(e) && parseFloat(getComputedStyle(e).fontSize) < 12)
          const seconds = workbenchDock.ui.time.getBoundingClientRect().width
          const wide = main.scrollWidth - main.clientWidth
          return { bottom: last.bottom, top: bar.top, outside, wide, small: small.map(e => e.className), seconds }
        }""",
            type_size,
        )
        assert found["bottom"] <= found["top"] + 0.5 and found["outside"] == found["small"] == [], (width, found)
        assert found["seconds"] > 50 and (found["wide"] <= 0 or type_size > 14), (width, found)


PARTS = """([url, n]) => workbenchDock.receive({ show: { key: "book", title: "A book", base: "", timeline: "book",
  urls: Array.from({ length: n }, (_, k) => `${url}?v=${k}`), seconds: Array(n).fill(4), length: 4 * n,
  starts: Array.from({ length: n }, (_, k) => 4 * k), starts_at: 0, first: 0, blind: false }, active: false }, null)"""


def test_a_book_of_hundreds_of_chunks_plays_from_anywhere_in_bounded_memory(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    page.evaluate(PARTS, [f"/api/runs/{two[0]}/0.wav", 400])
    assert page.evaluate("workbenchDock.held.length") == 1600
    for at in (1599.0, 1202.0):  # the last chunk, and over a border
        page.evaluate(f"workbenchDock.play({at})")
        page.wait_for_function(f"() => workbenchDock.transport.position() > {at} + 0.5", timeout=PATIENCE)
    expect(dock(page)).to_have_attribute("data-state", "playing")
    page.evaluate("""async () => {
      const d = workbenchDock, eight = [...Array(8).keys()]
      for (let k = 0; k < 160; k += 8) await Promise.all(eight.map(i => d.shelf.load(d.held, k + i))) }""")
    kept = page.evaluate("({ bytes: workbenchDock.shelf.bytes, n: workbenchDock.shelf.buffers.size })")
    assert kept["bytes"] <= 96 * 2**20 and kept["n"] < 160
    expect(dock(page)).to_have_attribute("data-state", "playing")  # what was scheduled is not lost with its buffer
    page.evaluate("workbenchDock.transport.seek(1598.5)")
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    assert position(page) == pytest.approx(1600, abs=0.01)


def test_a_page_of_the_same_recording_does_not_interrupt_and_another_run_does(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    found = page.evaluate(
        """urls => {
      const d = workbenchDock
      const of = (key, timeline, starts_at, url) => ({ key, title: key, base: "", urls: [url], starts_at,
        seconds: [4], starts: [0], length: 4, timeline, first: 0, blind: false })
      const show = (sound, second = null) => d.receive({ show: sound, second, active: false })
      const run = of("run", "run", 0, urls[0]), chunk = of("chunk", "run", 1, urls[0])
      const other = of("other", "other", 0, urls[1])
      const seen = []
      show(run, other)
      d.transport.playing = true  // as if it played
      d.transport.laps = [{ at: d.context().currentTime, from: 2, to: Infinity }]
      d.transport.limit = 4
      show(chunk)
      seen.push([d.A.key, d.B?.key, d.transport.playing])
      d.transport.pause()
      d.transport.seek(2)
      show(run, other)
      show(chunk)
      seen.push([d.A.key, d.B?.key, d.transport.position()])
      show(run, null)
      seen.push([d.A.key, d.B?.key ?? null, d.transport.position()])
      show(other)
      seen.push([d.A.key, d.B?.key ?? null, d.transport.position()])
      return seen
    }""",
        [f"/api/runs/{two[0]}/0.wav", f"/api/runs/{two[1]}/0.wav"],
    )
    assert found == [["run", "other", True], ["chunk", "other", 1], ["run", None, 2], ["other", None, 0]]


def test_a_run_is_heard_while_it_is_made(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    compared(page, server, two)
    # of the three chunks so many are made; the third is planned longer than it becomes
    told = """([kind, run, n, active]) => {
      const seconds = n === 3 ? [4, 3, 5] : [4, 3, 6], urls = [...Array(n).keys()].map(k => `${k}.wav?v=${k}`)
      workbenchDock.receive({ active, autoplay: true, show: { key: "made", title: "made", timeline: "made",
        first: 0, blind: false, base: `/api/${kind}/${run}/`, urls, seconds, starts: [0, 3.85, 6.7], starts_at: 0,
        length: 6.7 + seconds[2] } }, null) }"""
    page.evaluate(told, ["runs", two[0], 0, True])
    expect(dock(page)).to_have_attribute("data-state", "waiting", timeout=PATIENCE)
    page.evaluate(told, ["runs", two[0], 1, True])
    page.wait_for_function("() => workbenchDock.transport.position() > 0.2", timeout=PATIENCE)
    page.wait_for_function("() => workbenchDock.transport.waiting && workbenchDock.transport.position() > 3.8",
                           timeout=PATIENCE)  # fmt: skip
    assert "waiting for chunk 2" in page.evaluate("workbenchDock.ui.state.textContent")
    page.evaluate(told, ["runs", two[0], 2, True])
    page.wait_for_function("() => !workbenchDock.transport.waiting", timeout=PATIENCE)
    # the run is saved meanwhile: the same chunks have other addresses, which interrupts nothing
    page.evaluate("() => { window.starts = 0; const t = workbenchDock.transport, start = t.start.bind(t);"
                  " t.start = (...all) => { window.starts++; return start(...all) } }")  # fmt: skip
    page.evaluate(told, ["jobs", two[0], 2, True])
    page.evaluate(told, ["runs", two[0], 3, False])
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    assert page.evaluate("window.starts") == 0 and position(page) == pytest.approx(11.7, abs=0.01)
    page.evaluate(told, ["runs", two[0], 3, False])  # it starts by itself only once
    assert dock(page).get_attribute("data-state") == "paused"


def test_a_sound_that_is_gone_is_named_and_playing_it_again_asks_again(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    page.evaluate("""() => {
      const sound = { key: "gone", title: "gone", base: "", urls: ["/api/sounds/none.wav"], seconds: [1],
      starts: [0], length: 1, timeline: "gone", starts_at: 0, first: 0, blind: false }
      workbenchDock.press(sound, "A") }""")  # fmt: skip
    page.wait_for_function("() => workbenchDock.ui.state.textContent.includes('no longer there')", timeout=PATIENCE)
    expect(dock(page)).to_have_attribute("data-state", "paused", timeout=PATIENCE)
    play(page, "A")  # another one plays, and nothing is said any more
    assert "no longer" not in page.evaluate("workbenchDock.ui.state.textContent")


# 0.3 s after the first loud sample: how long ago it was by the audio clock, where the player says that it is, and the
# pitch of what sounded since
AT_SPEED = """() => new Promise((done, fail) => {
  const dock = workbenchDock, t = dock.transport, meter = new AnalyserNode(dock.ctx, { fftSize: 32768 })
  const samples = new Float32Array(meter.fftSize), began = performance.now(), hz = dock.ctx.sampleRate
  dock.analyser.connect(meter)
  const look = () => {
    meter.getFloatTimeDomainData(samples)
    const heard = t.position() + t.latency() * t.rate
    const first = samples.findIndex(s => Math.abs(s) > 0.1)
    if (first > 0 && samples.length - first > 0.3 * hz) {
      const tone = samples.slice(first + 0.05 * hz)
      let waves = 0
      for (let i = 1; i < tone.length; i++) waves += tone[i - 1] <= 0 && tone[i] > 0
      return done({ heard, ago: (samples.length - first) / hz, pitch: waves / (tone.length / hz), rate: t.rate })
    }
    if (performance.now() - began > 60000) return fail('silent')
    requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
})"""


@pytest.mark.parametrize("speed", [0.5, 2])
def test_at_another_speed_the_pitch_stays_and_the_cursor_is_where_the_sound_is(
    server: Any, new_page: Any, two: tuple[str, str], speed: float
) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.evaluate("workbenchDock.transport.pause()")
    dock(page).get_by_role("combobox", name="Speed, at the same pitch").select_option(str(speed))
    expect(dock(page)).to_have_attribute("data-rate", str(speed))
    page.evaluate("workbenchDock.transport.seek(0); workbenchDock.toggle()")
    found = page.evaluate(AT_SPEED)
    assert found["rate"] == speed and found["pitch"] == pytest.approx(440, rel=0.02), found
    assert abs(found["heard"] - found["ago"] * speed - BURST_AT) < 0.03, found
    took = page.evaluate("""() => new Promise(done => {
      const { ctx, transport: t } = workbenchDock
      t.seek(10.7)
      const began = ctx.currentTime, from = t.position()
      const look = () => t.playing ? setTimeout(look, 20) : done({ clock: ctx.currentTime - began, sound: t.at - from })
      look()
    })""")
    assert took["sound"] == pytest.approx(1.0, abs=0.1) and took["clock"] == pytest.approx(1 / speed, abs=0.4), took


def test_the_speed_changes_by_keys_without_a_jump_and_a_blind_sound_stays_as_it_is(
    server: Any, new_page: Any, two: tuple[str, str]
) -> None:
    page = new_page()
    compared(page, server, two)
    play(page, "A")
    page.locator("h1").first.click()
    choice = dock(page).get_by_role("combobox", name="Speed, at the same pitch")
    page.wait_for_function("() => workbenchDock.transport.position() > 1")
    jumped = page.evaluate("""async () => {
      const { ctx, transport: t } = workbenchDock, now = () => [t.position(), ctx.currentTime]
      const [at, clock] = now()
      await t.setSpeed(1.5)
      await new Promise(done => setTimeout(done, 300))
      const [after, later] = now(), lap = t.laps[0]
      const before = lap.at - clock  // at speed 1 until the lap at speed 1.5 began
      return after - at - before - (later - lap.at) * 1.5 + t.latency() * 0.5
    }""")
    assert abs(jumped) < 0.05
    page.keyboard.press("Shift+>")
    expect(choice).to_have_value("1.25")  # of the list; it is moved by keys and by hand alone
    for _ in range(6):
        page.keyboard.press("Shift+>")
    expect(choice).to_have_value("2")
    expect(dock(page)).to_have_attribute("data-rate", "2", timeout=PATIENCE)
    for _ in range(5):
        page.keyboard.press("Shift+<")
    expect(choice).to_have_value("0.5")
    expect(dock(page).get_by_role("status")).to_have_text("Speed 0.5, at the same pitch")
    choice.focus()
    page.keyboard.press("ArrowDown")  # the list's own key, which does not seek
    expect(choice).to_have_value("0.75")
    blind = "{ play: { ...workbenchDock.A, key: 'blind', blind: true }, order: 'o', slot: 'A' }"
    page.evaluate(f"workbenchDock.receive({blind})")
    expect(choice).to_be_disabled()
    assert dock(page).get_attribute("data-rate") == "1" and page.evaluate("workbenchDock.transport.rate") == 1
