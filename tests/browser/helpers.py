"""Actions of a user in the workbench, as functions."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from playwright.sync_api import TimeoutError, expect

from scripts import screenshots

PATIENCE = 200_000


def page_names() -> list[str]:
    """The addresses of all pages that the app lists; "" for the first one."""
    first, *others = screenshots.page_names()
    assert first == "synthesize"
    return ["", *others]


def loaded(page: Any) -> None:
    """The script has run, nothing is a skeleton any more, and there is no exception on the page."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=PATIENCE)
    expect(page.get_by_test_id("stHeading").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def at_rest(page: Any) -> None:
    """No script of the page runs any more."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)


def ready(page: Any) -> None:
    """The preload has ended well."""
    expect(page.get_by_text("loaded once")).to_be_visible(timeout=PATIENCE)


def write(page: Any, text: str) -> None:
    """Type ``text`` and see it planned, without leaving the text area."""
    area = page.locator(".st-key-text textarea")
    area.fill(text)
    expect(page.locator(".wb-text")).to_contain_text(text[-12:], timeout=PATIENCE)


def choose(page: Any, key: str, option: str) -> None:
    """Choose ``option`` in the select box with widget key ``key``."""
    page.locator(f".st-key-{key}").get_by_role("combobox").click()
    page.get_by_role("option", name=option, exact=True).click()


def to_lowest(page: Any, key: str, value: str) -> None:
    """Move the slider with widget key ``key`` to its beginning, which the range input calls ``value``."""
    handle = page.locator(f".st-key-{key}").get_by_role("slider")
    expect(handle).to_be_enabled(timeout=PATIENCE)
    handle.focus()
    handle.press("Home")
    expect(handle).to_have_value(value, timeout=PATIENCE)


def smallest_chunks_and_steps(page: Any) -> None:
    """The least work: 20 bytes a chunk where the text has more, and 4 ODE steps."""
    page.locator(".st-key-own_chunk_size label").first.click()
    to_lowest(page, "knob_max_chunk_bytes", "20")
    to_lowest(page, "knob_nfe_step", "0")


def double_click(page: Any, x: float, y: float, answered: str, arg: Any = None) -> None:
    """Double-click at ``x``, ``y`` until the function ``answered`` is true on the page.

    A busy page may hear the two clicks more than 300 ms apart, which Plotly counts as two; a user clicks again.
    """
    for _ in range(20):
        page.mouse.dblclick(x, y)
        with contextlib.suppress(TimeoutError):
            page.wait_for_function(answered, arg=arg, timeout=PATIENCE / 20)
            return
    assert page.evaluate(answered, arg), "no double click was heard"


def busy_factor() -> float:
    """How much longer a page may take here than on two cores that have nothing else to do.

    The load of the last minute lags behind, so the workers that run tests beside this one are counted too.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1.0, os.getloadavg()[0] / 2, workers)
