"""One document in a real browser: its address in another tab, what changed since the run, and one click to a size."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, loaded, page_names, write
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import load_voice

TEXTS = ("One boat is here. Two boats are there.", "Three boats went by.")
PAGES = ("Time", "Flow", "Chunk size", "Synthesize")


@pytest.fixture
def two(server: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Two runs on the server's disk, by the model of the server."""
    monkeypatch.setenv("WORKBENCH_HOME", str(server.home))
    ids = []
    for seed, text in enumerate(TEXTS):
        made = tiny_engine.run(text, load_voice("Nora"), SynthesisSettings(nfe_step=4, max_chunk_bytes=33, seed=seed))
        made = dataclasses.replace(made, request=made.request.replace(model="demo-voice"))
        store.save_run(made)
        ids.append(made.id)
    yield ids[0], ids[1]
    for run_id in ids:
        store.delete_run(run_id)


def test_the_address_restores_text_settings_and_both_runs(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    page.goto(f"{server.url}/?run={two[0]}&b={two[1]}")
    loaded(page)
    for name in PAGES:  # a view of the same document, and the address says so on each
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
        expect(page).to_have_url(re.compile(f"run={two[0]}.*b={two[1]}"), timeout=PATIENCE)
        expect(page.locator(".st-key-current_run")).to_contain_text("Three boats went by.")
    again = new_page(scheme="dark")
    again.goto(page.url)
    loaded(again)
    expect(again.locator(".st-key-text textarea")).to_have_value(TEXTS[0], timeout=PATIENCE)
    expect(again.locator(".st-key-own_chunk_size input")).to_be_checked()
    expect(again.locator(".st-key-knob_max_chunk_bytes")).to_contain_text("33")
    expect(again).to_have_title(re.compile(r"Synthesize · One boat is here"))
    again.get_by_role("button", name="Swap").first.click()
    expect(again).to_have_url(re.compile(f"run={two[1]}.*b={two[0]}"), timeout=PATIENCE)
    expect(again.locator(".st-key-text textarea")).to_have_value(TEXTS[1], timeout=PATIENCE)


def test_a_change_is_named_greyed_and_taken_back(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    page.goto(f"{server.url}/?run={two[0]}")
    loaded(page)
    result = page.locator(".st-key-result")
    expect(result).to_have_css("filter", "none")
    write(page, "One boat is here. Nine boats are elsewhere.")
    expect(page.locator(".st-key-changed")).to_contain_text("Changed since this run", timeout=PATIENCE)
    expect(page.locator(".st-key-changed")).to_contain_text("text")
    expect(result).to_have_css("filter", "grayscale(1)")
    page.get_by_role("button", name="Back to this run").first.click()
    expect(page.locator(".st-key-text textarea")).to_have_value(TEXTS[0], timeout=PATIENCE)
    expect(page.locator(".st-key-changed")).to_have_count(0, timeout=PATIENCE)
    expect(result).to_have_css("filter", "none")


def test_a_size_is_used_with_one_click(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page()
    page.goto(f"{server.url}/chunk_size?run={two[0]}")
    loaded(page)
    expect(page.locator(".st-key-text textarea")).to_have_value(TEXTS[0], timeout=PATIENCE)
    handle = page.locator(".st-key-size_Nora").get_by_role("slider")
    handle.focus()
    handle.press("Home")
    button = page.locator(".st-key-use_chosen button")
    expect(button).to_have_text(re.compile("Use 20 bytes"), timeout=PATIENCE)
    button.click()
    expect(page.get_by_text("The form speaks with 20 bytes")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Synthesize", exact=True).first.click()
    expect(page.get_by_role("heading", name="Synthesize", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-changed")).to_contain_text("Chunk size 20, was 33", timeout=PATIENCE)


def test_on_a_phone_the_button_and_the_result_are_together(server: Any, new_page: Any, two: tuple[str, str]) -> None:
    page = new_page(width=390)
    page.goto(f"{server.url}/?run={two[0]}")
    loaded(page)
    expect(page.locator(".st-key-numbers")).to_be_visible(timeout=PATIENCE)
    button = page.locator(".st-key-go button").bounding_box()
    numbers = page.locator(".st-key-numbers").bounding_box()
    assert 0 < numbers["y"] - button["y"] < 500
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_page_is_in_the_navigation_and_on_a_phone_behind_a_button_with_words(server: Any, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    links = page.get_by_test_id("stTopNavLink")
    for width, size in ((1280, 14), (1280, 20), (1024, 14), (768, 14)):  # 20 px for a projector
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(
            "(size) => { document.documentElement.style.setProperty('font-size', `${size}px`, 'important');"
            " dispatchEvent(new Event('resize')) }", size,
        )  # fmt: skip
        expect(links.last).to_have_text(re.compile("Models$"))
        expect(links).to_have_count(len(page_names()))
        expect(links.last).to_be_in_viewport(ratio=0.95)
        seen = [link.bounding_box() for link in links.all()]
        rights, lefts = [box["x"] + box["width"] for box in seen], [box["x"] for box in seen]
        assert all(right <= left for right, left in zip(rights, lefts[1:], strict=False)), (width, size)
        assert rights[-1] <= page.locator(".st-key-display button").first.bounding_box()["x"], (width, size)
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name="Menu: pages, voice and settings").click()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(len(page_names()))
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", name="Models and cache")).to_be_visible(timeout=PATIENCE)
