"""Takes in a real browser and two servers: three of a chunk, heard side by side, chosen, undone, and still there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded, ready, smallest_chunks_and_steps, write
from tests.server import Server
from workbench.engine.runs import store

TEXT = "One boat is here. Two boats are there. Three more came. Four went away."


def button(page: Any, key: str) -> Any:
    return page.locator(f".st-key-{key} button:visible").first


def held(page: Any) -> Any:
    """What the player holds in both slots, and the slot that sounds."""
    return page.evaluate("() => [workbenchDock.A?.key, workbenchDock.B?.key, workbenchDock.slot]")


def chosen(page: Any, take: int, of: int) -> None:
    expect(page.locator(".st-key-takes_row_2 .wb-badge").first).to_have_text(f"take {take} of {of}", timeout=PATIENCE)


@pytest.fixture
def started(tmp_path: Path) -> Any:
    """Starts a server on one home, after the one before has stopped."""
    home, running = tmp_path / "home", []
    home.mkdir()

    def start() -> Server:
        if running:
            running.pop().stop()
        running.append(Server(home, tmp_path / "log.txt"))
        running[0].wait()
        return running[0]

    yield start
    running.pop().stop()
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_three_takes_are_heard_chosen_undone_and_there_after_a_restart(
    started: Any, new_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = new_page()
    page.goto(started().url)
    loaded(page)
    ready(page)
    smallest_chunks_and_steps(page)
    write(page, TEXT)
    button(page, "go").click()
    button(page, "takes_open_2").click(timeout=PATIENCE)
    rows = page.locator(".st-key-takes_bench_2 .wb-take-row")
    expect(rows).to_have_count(1, timeout=PATIENCE)
    for count in (2, 3):
        button(page, "takes_make_2").click(timeout=PATIENCE)
        expect(rows).to_have_count(count, timeout=PATIENCE)
        expect(button(page, "takes_make_2")).to_be_enabled(timeout=PATIENCE)
    run_id = page.url.rpartition("run=")[2][:29]
    rows.nth(0).locator("button").click()  # old in A, new in B
    rows.nth(1).locator("button").click()
    page.wait_for_function("() => globalThis.workbenchDock?.slot === 'B'", timeout=PATIENCE)
    a, b, slot = held(page)
    assert a.endswith(":2:take:1") and b.endswith(":2:take:2") and slot == "B" and a.startswith(f"run:{run_id[:15]}")
    before = button(page, "takes_open_2").bounding_box()["y"]
    button(page, "takes_choose_2_2").click()
    chosen(page, 2, 3)
    loaded(page)
    assert abs(button(page, "takes_open_2").bounding_box()["y"] - before) < 60  # one is still at the row
    button(page, "takes_undo").click()
    chosen(page, 1, 3)
    address = page.url
    page.reload()
    loaded(page)
    chosen(page, 1, 3)
    page.goto(started().url + address[address.index("/", 8) :])
    loaded(page)
    chosen(page, 1, 3)
    button(page, "takes_open_2").click()
    expect(rows).to_have_count(3, timeout=PATIENCE)
    button(page, "takes_choose_2_2").click()
    chosen(page, 2, 3)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    (saved,) = store.list_runs()
    assert store.load_run(saved.id).takes == (1, 1, 2, 1)
