"""WCAG 2.1 AA on every page in both themes, sizes of type, fingers, and the switches of theme and type."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded, page_names
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import load_voice

TEXT = "One two three, four five. Six seven eight. Nine ten."
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "rules": {"heading-order": {"enabled": True}, "page-has-heading-one": {"enabled": True}},
    "resultTypes": ["violations"],
}
SMALLEST = 12  # px
# every element that holds visible words of its own, in HTML and SVG, with its size of type
SMALL = """(least) => [...document.querySelectorAll('body *')].filter((e) => {
  const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
  if (!words || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'TITLE'].includes(e.tagName)) return false
  const box = e.getBoundingClientRect(), style = getComputedStyle(e)
  if (box.width < 2 || box.height < 2 || style.visibility === 'hidden') return false
  return parseFloat(style.fontSize) < least - 0.01 && !e.closest('[aria-hidden=true]')
}).map((e) => `${getComputedStyle(e).fontSize} ${e.textContent.trim().slice(0, 40)}`)"""
# controls that a keyboard does not reach; of a group of radios or tabs one is reached, and the arrows do the rest
CONTROLS = ", ".join(
    f"[data-testid=stApp] {control}"
    for control in ("a[href]", "button", "input", "select", "textarea", "summary", "[role=button]", "[role=link]",
                    "[role=slider]", "[role=checkbox]", "[role=switch]", "[role=combobox]")
)  # fmt: skip
UNREACHED = """(controls) => [...document.querySelectorAll(controls)].filter((e) => {
  const box = e.getBoundingClientRect()
  if (!box.width || !box.height || e.disabled || e.getAttribute('aria-disabled') === 'true') return false
  if (e.closest('[aria-hidden=true],[role=radiogroup],[role=tablist],[role=group]')) return false
  if (/^stNumberInputStep/.test(e.dataset.testid)) return false  // the arrow keys do it in the field
  return e.tabIndex < 0 && !e.querySelector('[tabindex="0"],input,button')
}).map((e) => e.outerHTML.slice(0, 160))"""


@pytest.fixture
def run_id(server: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A run on the server's disk, with the states of its ODE."""
    monkeypatch.setenv("WORKBENCH_HOME", str(server.home))
    chosen = SynthesisSettings(nfe_step=5, max_chunk_bytes=24, keep_trajectory=True)
    made = tiny_engine.run(TEXT, load_voice("nature-en"), chosen)
    made = dataclasses.replace(made, request=made.request.replace(model="demo-voice"))
    store.save_run(made)
    yield made.id
    store.delete_run(made.id)


def _open(page: Any, server: Any, name: str, run_id: str) -> None:
    page.goto(f"{server.url}/{name}?run={run_id}")
    loaded(page)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
    )
    page.wait_for_timeout(600)  # figures are drawn after the script has ended


def _found(page: Any) -> list[str]:
    """What axe-core objects to, one line each."""
    return [
        f"{violation['id']}: {node['target']} {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in Axe().run(page, options=RULES).response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", page_names())
def test_every_page_can_be_used_by_everybody(server: Any, new_page: Any, run_id: str, name: str) -> None:
    page = new_page()
    _open(page, server, name, run_id)
    assert _found(page) == []
    assert page.evaluate(SMALL, SMALLEST) == [] and page.evaluate(UNREACHED, CONTROLS) == []
    page.emulate_media(color_scheme="dark")  # the theme follows the computer, and the page is drawn again
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark", timeout=PATIENCE)
    page.wait_for_timeout(800)
    loaded(page)
    assert _found(page) == []


def test_theme_and_size_of_type_are_chosen_in_the_app_and_kept(server: Any, new_page: Any, run_id: str) -> None:
    page = new_page()
    _open(page, server, "", run_id)
    app, root = page.get_by_test_id("stApp"), page.locator("html")
    page.locator(".st-key-text textarea").fill("Words that nobody has spoken yet.")
    page.get_by_role("button", name="Display: theme and size of type").click()
    page.get_by_label("Dark", exact=True).check()
    expect(app).to_have_css("color-scheme", "dark")
    page.get_by_label("Large, for a projector").check()
    expect(root).to_have_css("font-size", "20px")
    expect(page.locator(".st-key-text textarea")).to_have_value("Words that nobody has spoken yet.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Display: theme and size of type")).to_be_focused()
    page.goto(f"{server.url}/models")  # another address, a new session
    loaded(page)
    expect(app).to_have_css("color-scheme", "dark")
    expect(root).to_have_css("font-size", "20px")
    title = page.locator(".st-key-load_demo-voice .gtitle, .st-key-load_demo-voice .xtick text").first
    expect(title).to_be_visible(timeout=PATIENCE)
    assert float(title.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) > 16  # figures grow too
    page.get_by_role("button", name="Display: theme and size of type").click()
    page.get_by_label("As this computer").check()
    expect(app).to_have_css("color-scheme", "light")
    page.get_by_label("Normal", exact=True).check()
    expect(root).to_have_css("font-size", "14px")


def test_sliders_say_what_they_show_with_its_unit(server: Any, new_page: Any, run_id: str) -> None:
    page = new_page()
    _open(page, server, "", run_id)
    steps = page.locator(".st-key-knob_nfe_step input[type=range]")
    expect(steps).to_have_attribute("aria-valuetext", "5 steps · EPSS")
    assert steps.get_attribute("aria-labelledby") is None and steps.get_attribute("aria-label")
    steps.focus()
    steps.press("Home")
    expect(steps).to_have_attribute("aria-valuetext", "4 steps", timeout=PATIENCE)
    size = page.locator(".st-key-knob_max_chunk_bytes input[type=range]")
    expect(size).to_have_attribute("aria-valuetext", "24 bytes")


def _swipe(page: Any, x: float, y: float, by: float) -> None:
    """Draw a finger from (x, y) upwards."""
    finger = page.context.new_cdp_session(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for k in range(1, 9):
        at = [{"x": x, "y": y - by * k / 8}]
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": at})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(500)


@pytest.mark.parametrize("name", ["spectrograms", "flow", "time", "models"])
def test_a_swipe_over_a_figure_scrolls_and_changes_nothing(server: Any, browser: Any, run_id: str, name: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    _open(page, server, name, run_id)
    chart = page.get_by_test_id("stPlotlyChart").first
    place = chart.evaluate_handle("e => e.querySelector('.js-plotly-plot')")
    ranges = (
        "g => JSON.stringify(Object.entries(g._fullLayout).filter(([k]) => /axis/.test(k)).map(([, a]) => a.range))"
    )
    chart.evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(400)
    top = "document.querySelector('[data-testid=stMain]').scrollTop"
    before, seen, box = page.evaluate(top), place.evaluate(ranges), chart.bounding_box()
    y = min(max(box["y"] + box["height"] / 2, 200), 500)
    _swipe(page, box["x"] + box["width"] / 2, y, 130)
    moved = abs(page.evaluate(top) - before)
    assert moved > 60 and place.evaluate(ranges) == seen, (moved, name)
    assert page.locator(".modebar-container:visible, [data-testid=stElementToolbar]:visible").count() == 0
    button = page.locator(".wb-zoomer").first
    button.scroll_into_view_if_needed()
    button.tap()
    expect(button).to_have_attribute("aria-pressed", "true")
    context.close()


def test_a_class_predicts_goes_to_the_page_and_comes_back(server: Any, new_page: Any, run_id: str) -> None:
    page = new_page()
    page.goto(f"{server.url}/class_path?run={run_id}&stop=5")
    loaded(page)
    page.get_by_label("Your prediction, steps").fill("1")
    page.get_by_role("button", name="Predict, then see").click()
    expect(page.get_by_text("Measured here")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stCode")).to_contain_text("return state + dt * k1")
    page.get_by_role("link", name="See it on the page Flow").click()
    expect(page.get_by_role("heading", name="Flow", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Back to the class, stop 5 of 8").click()
    expect(page.get_by_text("Measured here")).to_be_visible(timeout=PATIENCE)
    assert "said=____1" in page.url and "stop=5" in page.url
    page.reload()
    expect(page.get_by_text("Measured here")).to_be_visible(timeout=PATIENCE)
