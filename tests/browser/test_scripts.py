"""Subtitles in a real browser: opened, cast, spoken, and heard at their times."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser import helpers
from tests.server import Server

FILM = b"1\n00:00:00,500 --> 00:00:01,500\n[Nora] Come here.\n\n2\n00:00:02,000 --> 00:00:02,200\nAnd why?\n"
STARTS = "() => globalThis.workbenchDock?.A?.starts ?? []"


def test_subtitles_are_opened_cast_and_spoken_at_their_times(server: Server, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    helpers.loaded(page)
    helpers.ready(page)
    helpers.to_lowest(page, "knob_nfe_step", "0")
    page.get_by_role("button", name="Script", exact=True).click()
    film = {"name": "film.srt", "mimeType": "text/plain", "buffer": FILM}
    page.locator(".st-key-script_files input[type=file]").set_input_files(film)
    area = page.locator(".st-key-text textarea")
    expect(area).to_have_value("[Nora at=0.5 until=1.5] Come here.\n[main at=2 until=2.2] And why?")
    page.keyboard.press("Escape")
    area.fill("[Nora at=0.5 until=1.5] Come here.\n[Mary at=2 until=2.2] And why?")
    helpers.choose(page, "script_cast_Mary", "Clara")
    expect(page.locator(".wb-passage")).to_have_count(2)
    expect(page.locator(".wb-off")).to_contain_text("s late")
    page.locator(".st-key-go button").click()
    expect(page.get_by_text("done in")).to_be_visible(timeout=helpers.PATIENCE)
    expect(page.get_by_text("Times of the run")).to_be_visible(timeout=helpers.PATIENCE)
    page.wait_for_function(f"() => ({STARTS})().length === 2")
    assert page.evaluate(STARTS) == [0.5, 2.0]
    expect(page.locator(".st-key-download_pieces_speaker").get_by_role("button")).to_be_visible()
    page.get_by_role("button", name="Script", exact=True).click()
    expect(page.get_by_text("Cast: Mary is Clara")).to_be_visible()
