"""Typical tasks of users in a real browser, on the real server, with the demo voice."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded, ready, smallest_chunks_and_steps, write

FIVE = "One boat is here. Two boats are there. Three boats went by. Four boats came in. Five boats sank."
NOTE_THAT_IT_PLAYED = """box => {
  const look = () => {
    if (box.dataset.state === "playing") box.dataset.played = "yes"
    if (box.dataset.peak > 0.01) box.dataset.loud = "yes"
  }
  new MutationObserver(look).observe(box, { attributeFilter: ["data-state", "data-peak"] })
  look()
}"""


def test_five_visitors_share_one_load_and_can_plan_meanwhile(server: Any, new_page: Any) -> None:
    pages = [new_page() for _ in range(5)]
    for page in pages:
        page.goto(server.url)
    for page in pages:
        loaded(page)
        expect(page.locator(".wb-chunk")).to_have_count(1, timeout=PATIENCE)
    write(pages[0], FIVE)
    for page in pages:
        ready(page)
    with ThreadPoolExecutor() as pool:  # the load is over; asking again must not start another
        list(pool.map(lambda _: server.get("/_stcore/health"), range(5)))
    assert server.log.read_text().count("model loaded") == 1


def test_a_text_of_five_chunks_from_typing_to_comparing(server: Any, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    ready(page)
    smallest_chunks_and_steps(page)
    write(page, FIVE)
    expect(page.locator(".wb-chunk")).to_have_count(5, timeout=PATIENCE)
    page.locator(".st-key-text textarea").press("Control+Enter")
    expect(page.locator(".wb-state", has_text=re.compile(r"ODE step \d of 4"))).to_be_visible(timeout=PATIENCE)

    # elsewhere and back while it runs; the text and the run are still there
    page.get_by_role("link", name="Chunk size").click()
    expect(page.get_by_role("heading", name="Chunk size")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Synthesize").click()
    expect(page.locator(".st-key-text textarea")).to_have_value(FIVE, timeout=PATIENCE)
    expect(page.get_by_text(re.compile("^done in"))).to_be_visible(timeout=PATIENCE)

    # five rows whose stages add up
    expect(page.locator(".wb-row")).to_have_count(5, timeout=PATIENCE)
    cells = page.locator('.wb-row [title^="made in"]').all()
    numbers = [[float(found) for found in re.findall(r"([\d.]+) s", cell.get_attribute("title"))] for cell in cells]
    totals = [float(cell.inner_text().partition(" s")[0]) for cell in cells]
    assert len(numbers) == 5 and all(len(stages) == 3 for stages in numbers)
    for stages, total in zip(numbers, totals, strict=True):
        assert abs(sum(stages) - total) <= 0.05 * total + 0.005  # the total has two decimals
    whole = float(re.search(r"Whole run.*?([\d.]+) s", page.get_by_test_id("stMain").inner_text(), re.S).group(1))
    run_id = re.search(r"run=([\w-]+)", page.url).group(1)
    spans = json.loads((server.home / "runs" / run_id / "run.json").read_text(encoding="utf-8"))["spans"]
    # beside the chunks: what comes before the first one, and writing them
    first = min(span["start_seconds"] for span in spans if span["chunk_index"] == 0)
    kept = sum(span["seconds"] for span in spans if span["name"] == "keep")
    assert abs(first + sum(totals) + kept - whole) <= 0.05 * whole + 0.1  # other tests share the processor

    # it can be heard
    player = page.locator("#workbench-dock")
    player.evaluate(NOTE_THAT_IT_PLAYED)  # before the press: four seconds may be over before the next look
    if player.get_attribute("data-state") != "playing":
        page.locator(".st-key-play_run").get_by_role("button").click()
    expect(player).to_have_attribute("data-played", "yes", timeout=PATIENCE)
    expect(player).to_have_attribute("data-loud", "yes", timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(1, timeout=PATIENCE)

    # its address brings it back, in another session
    address = page.url
    again = new_page()
    again.goto(address)
    loaded(again)
    expect(again.locator(".wb-row")).to_have_count(5, timeout=PATIENCE)
    assert server.get(f"/api/runs/{run_id}/audio.wav")[0] == 200
    expect(again.locator(".js-plotly-plot")).to_have_count(1, timeout=PATIENCE)
    assert len(list((server.home / "runs").glob("2*"))) == 1


def test_cancel_stops_at_the_next_step_and_saves_nothing(server: Any, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    ready(page)
    write(page, FIVE * 3)
    n_before = len(list((server.home / "runs").glob("2*"))) if (server.home / "runs").exists() else 0
    page.locator(".st-key-text textarea").press("Control+Enter")
    expect(page.locator(".wb-state", has_text=re.compile(r"ODE step \d"))).to_be_visible(timeout=PATIENCE)
    page.locator(".st-key-cancel button").click()
    expect(page.get_by_text(re.compile("^cancelled after"))).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-go button")).to_be_enabled(timeout=PATIENCE)
    assert (len(list((server.home / "runs").glob("2*"))) if (server.home / "runs").exists() else 0) == n_before
