"""Notebook 01 for a new user: JupyterLab in a real Chromium, Shift+Enter from the top, nothing from outside."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.runner import NOTEBOOKS, environment, read, tagged

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
NAME = "01_first_speech.ipynb"
PLAY = """async () => {
    const player = document.querySelector('.jp-Notebook audio');
    player.muted = true;
    await player.play();
    await new Promise(done => { player.ontimeupdate = () => player.currentTime > 0.2 && done(); });
    return player.duration;
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.notebook,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium; set CHROMIUM to one"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a JupyterLab on a copy of the notebook, with nothing of the user's settings."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOKS / NAME, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
               "--IdentityProvider.token=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
               "--LabApp.news_url="]  # fmt: skip
    log = tmp_path / "jupyterlab.log"
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", str(folder), *options],
        env=environment(tmp_path) | own, stdout=log.open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{url}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            raise AssertionError(log.read_text())
        yield url
    finally:
        server.terminate()
        server.wait(30)


def test_notebook_01_runs_plays_and_draws_without_a_foreign_request(lab: str) -> None:
    from playwright.sync_api import sync_playwright

    book = read("01")
    n_cells = 1 + next(i for i, cell in enumerate(book.cells) if cell.source == tagged(book, "measure"))
    foreign: list[str] = []
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        local = (lab, lab.replace("http", "ws"), "data:", "blob:", "about:")
        page.on("request", lambda r: None if r.url.startswith(local) else foreign.append(r.url))
        page.goto(f"{lab}/lab/tree/{NAME}?reset", timeout=120_000)
        page.get_by_text("Python 3 (ipykernel)").first.wait_for(timeout=120_000)
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.keyboard.press("Escape")
        for _ in range(n_cells):
            page.keyboard.press("Shift+Enter")
        page.locator(".js-plotly-plot .main-svg").nth(1).wait_for(timeout=240_000, state="attached")
        page.locator(".jp-Notebook audio").first.wait_for(timeout=10_000)
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 2", timeout=60_000)
        assert page.evaluate(PLAY) > 1, "the player plays a second or more"
        text = page.locator(".jp-Notebook").inner_text()
        assert "RTF" in text and "Traceback" not in text and "Error" not in text
        assert page.locator(".modebar-btn--logo").count() == 0
        browser.close()
    assert foreign == []
