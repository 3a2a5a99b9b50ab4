"""Foreign hosts, hostile uploads, every page in both themes and on a phone."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.helpers import PATIENCE, at_rest, loaded, page_names


def _handshake(server: Any, host: str) -> str:
    """Status line of a websocket handshake under the name ``host``."""
    request = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: streamlit\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request.encode())
        return connection.recv(200).decode("latin-1").splitlines()[0]


def test_only_its_own_names_are_answered(server: Any) -> None:
    own = f"127.0.0.1:{server.port}"
    for path in ("/", "/_stcore/health", "/fonts/inter-latin-wght-normal.woff2"):
        assert server.get(path, own)[0] == 200
        assert server.get(path, "evil.test")[0] == 400
    for path in ("/api/jobs/x/0.wav", "/api/runs/x/audio.wav", "/api/runs/x/0.wav"):
        assert server.get(path, own)[0] == 404
        assert server.get(path, "evil.test")[0] == 400
    assert " 101 " in _handshake(server, own)
    assert " 101 " not in _handshake(server, "evil.test")


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/..%2f..%2fetc/audio.wav",
        "/api/runs/../../../../etc/passwd/audio.wav",
        "/api/runs/20260101-000000-abcdef/audio.wav",
        "/api/jobs/20260101-000000-abcdef/99999999999999999999.wav",
        "/fonts/../resources.py",
        "/fonts/%2e%2e/resources.py",
    ],
)
def test_no_path_leads_out(server: Any, path: str) -> None:
    status, body = server.get(path)
    assert status in (400, 404) or "<!doctype html>" in body.lower()  # an unknown page is answered with the app
    assert "root:" not in body and "cache_resource" not in body


def test_it_listens_on_this_machine_only(server: Any) -> None:
    import psutil

    heard = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections("inet") if c.status == "LISTEN"}
    assert heard == {"127.0.0.1"}


def test_uploads_made_to_break_things_end_in_a_message(server: Any, new_page: Any, tmp_path: Path) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    page.get_by_role("radio", name="Upload").or_(page.get_by_role("button", name="Upload", exact=True)).first.click()
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    chooser.set_input_files(large)
    reason = page.get_by_text("must be 20.0MB or smaller")
    expect(reason).to_be_visible(timeout=PATIENCE)
    box = reason.bounding_box()
    assert box["width"] > 100 and box["height"] > 12  # Streamlit's own is for screen readers only
    wrong = tmp_path / "<img src=x onerror=alert(1)>.wav"
    wrong.write_bytes(b"this is not audio" * 50)
    chooser.set_input_files(wrong)
    words = page.locator(".st-key-voice_words_Upload input")
    words.fill("Some words.")
    words.press("Enter")
    expect(page.get_by_test_id("stAlert").get_by_text("not audio that can be read")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-go button")).to_be_disabled()
    assert page.locator("img[src=x]").count() == 0


# A file is chosen while the page is drawn again and again, by a switch that runs the whole script.
CHOOSE_AND_SWITCH = """async (name) => {
  const chosen = new DataTransfer(), input = document.querySelector('[data-testid=stFileUploaderDropzoneInput]')
  chosen.items.add(new File(['this is not audio'.repeat(50)], name, { type: 'audio/wav' }))
  const turn = () => document.querySelector('.st-key-own_chunk_size input').click()
  const wait = () => new Promise((done) => setTimeout(done, 4))
  turn()
  await wait()
  input.files = chosen.files
  input.dispatchEvent(new Event('change', { bubbles: true }))
  for (let times = 0; times < 21; times++) { turn(); await wait() }
}"""


def test_a_file_that_is_chosen_while_the_page_is_drawn_again_is_not_lost(server: Any, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    page.get_by_role("radio", name="Upload").or_(page.get_by_role("button", name="Upload", exact=True)).first.click()
    page.get_by_test_id("stFileUploaderDropzoneInput").wait_for(state="attached", timeout=PATIENCE)
    at_rest(page)
    for name in ("first.wav", "second.wav", "third.wav"):
        page.evaluate(CHOOSE_AND_SWITCH, name)
        expect(page.get_by_text(name).first).to_be_visible(timeout=PATIENCE)
    at_rest(page)


def test_a_recording_can_be_made_and_heard_under_the_content_policy(server: Any, new_page: Any) -> None:
    page = new_page()
    page.goto(server.url)
    loaded(page)
    page.get_by_role("radio", name="Record").or_(page.get_by_role("button", name="Record", exact=True)).first.click()
    button = page.get_by_test_id("stAudioInputActionButton")
    button.first.click()
    expect(page.get_by_test_id("stAudioInputWaveformTimeCode")).to_contain_text("00:01", timeout=PATIENCE)
    button.first.click()
    expect(page.get_by_test_id("stAudioInput").get_by_label("Play")).to_be_visible(timeout=PATIENCE)


def test_no_page_shows_the_workbench_in_a_frame(server: Any, browser: Any) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "frame-ancestors" in said.text else None)
    page.set_content(f'<iframe src="{server.url}"></iframe>')
    page.wait_for_timeout(2000)
    assert refused and page.frames[1].locator("#root").count() == 0
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_is_whole_in_both_themes_and_on_a_phone(server: Any, new_page: Any, scheme: str, width: int) -> None:
    page = new_page(width, scheme)
    for name in page_names():
        page.goto(f"{server.url}/{name}")
        loaded(page)
        page.wait_for_timeout(400)
        assert page.get_by_test_id("stException").count() == 0, name
        overflow = page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
        )
        assert overflow <= 1, f"{name} is {overflow} px too wide"
