"""The player at the foot of every page in a real browser: what sounds, where its cursor is, and its keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.docked import BOTH, BURST_AT, GRAPH, SECONDS, compared, dock, play, position
from tests.browser.helpers import PATIENCE, double_click, loaded

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
    is_whole = f"([low, high]) => {{ const [a, b] = {GRAPH}._fullLayout.xaxis.range; return a === low && b === high }}"
    double_click(page, box["x"] + pixel + 60, box["y"] + 30, is_whole, whole)  # zooms back
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
