"""What the player at the foot of every page holds: books, runs in work, lost sounds; and other speeds."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.docked import BURST_AT, compared, dock, play, position
from tests.browser.helpers import PATIENCE

PARTS = """([url, n]) => workbenchDock.receive({ show: { key: "book", title: "A book", base: "", timeline: "book",
  urls: Array.from({ length: n }, (_, k) => `${url}?v=${k}`), seconds: Array(n).fill(4), length: 4 * n,
  starts: Array.from({ length: n }, (_, k) => 4 * k), starts_at: 0, first: 0, blind: false }, active: false }, null)"""
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
    page.evaluate(told, ["runs", two[0], 3, False])  # told again, it stays as it is
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
