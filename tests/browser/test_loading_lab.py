"""The loading lab in a real browser: a measurement with a time-out of one second, and a cancelled one."""

from __future__ import annotations

import json
import time
from typing import Any

import psutil
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded, to_lowest

BUG, OURS = "Reload per chunk (the bug)", "Load once, pinned (ours)"


def open_lab(server: Any, page: Any) -> None:
    page.goto(f"{server.url}/loading_lab")
    loaded(page)
    to_lowest(page, "lab_timeout", "0")
    expect(page.get_by_text("About 6 s will be spent waiting")).to_be_visible(timeout=PATIENCE)


def lab_processes(server: Any) -> list[str]:
    """Command lines of the lab's processes below ``server``."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [line for line in (" ".join(c.cmdline()) for c in children if c.is_running()) if "workbench.lab." in line]


def test_the_story_is_measured(server: Any, new_page: Any) -> None:
    page = new_page()
    open_lab(server, page)
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_text("0 of 2 done")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Bug / ours, blackhole")).to_be_visible(timeout=PATIENCE)
    rows = [row.locator("td").all_inner_texts() for row in page.locator("[aria-label=Measured] tbody tr").all()]
    by_name = {row[0]: row[2:] for row in rows}
    loads, requests, server_log, timeouts = by_name[BUG][6:10]
    assert (loads, requests, server_log, timeouts) == ("3", "6", "6", "6")
    assert 6.0 <= float(by_name[BUG][2]) < 8.0
    assert by_name[OURS][6:10] == ["1", "0", "0", "0"] and float(by_name[OURS][2]) == 0
    for numbers in by_name.values():
        total, *parts = map(float, numbers[:6])
        assert abs(total - sum(parts)) < 0.04  # six roundings

    # the line that did it, beside its bar
    guilty = page.locator(".lab-code .guilty").first
    expect(guilty).to_contain_text('Vocos.from_pretrained("charactr/vocos-mel-24khz")')
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("blackhole")
    expect(page.get_by_text("outcome=timeout").first).to_be_visible(timeout=PATIENCE)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download the measurement").click()
    document = json.loads(download.value.path().read_text())
    assert document["text_chars"] == 169 and document["n_chunks"] == 3
    assert lab_processes(server) == []

    # on a telephone, nothing sticks out
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(1000)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def test_cancel_takes_the_processes_along(server: Any, new_page: Any) -> None:
    page = new_page(scheme="dark")
    open_lab(server, page)
    page.get_by_role("button", name="Measure").click()
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and not any("workbench.lab.cell" in line for line in lab_processes(server)):
        page.wait_for_timeout(100)
    assert lab_processes(server)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Its processes, port and folder were removed.")).to_be_visible(timeout=PATIENCE)
    assert lab_processes(server) == []


def test_a_measurement_that_runs_blocks_neither_page_nor_visitor(server: Any, new_page: Any) -> None:
    page = new_page()
    open_lab(server, page)
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=PATIENCE)
    chunks = page.locator(".st-key-calc_chunks input")
    chunks.fill("7")
    chunks.press("Enter")
    expect(page.get_by_text("7 × 2 × 10 s")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=PATIENCE)
