"""The real server with the demo voice, and Debian's Chromium, which may speak to this machine only."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
LOCAL = re.compile(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:|about:|chrome-error:")
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-component-update"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked; without a Chromium it is skipped."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason="no Chromium; set CHROMIUM to one"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed journey says what its pages showed: a time-out alone tells nothing."""
    report = yield
    opener = getattr(item, "funcargs", {}).get("new_page")
    if report.when == "call" and report.failed and opener is not None:
        for number, page in enumerate(opener.pages):
            areas = [area.input_value() for area in page.locator("textarea").all()]
            shown = f"text areas: {areas}\n{page.locator('body').inner_text()[-3000:]}"
            report.sections.append((f"page {number}", shown))
    return report


class Server:
    """A running server: where it listens, where its runs lie, what it logged."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home, self.log = home, log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "streamlit", "run", "workbench/app.py", "--server.port", str(self.port)]
        # one thread for the model: it shares the cores with the browser, and two threads that wait for each other
        # on a busy machine are many times slower than one
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"WORKBENCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log.open("w"), stderr=subprocess.STDOUT
        )

    def get(self, path: str, host: str | None = None) -> tuple[int, str]:
        """Status and body of a GET, with another Host header if wanted."""
        request = urllib.request.Request(self.url + path, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, ""

    def wait(self, seconds: float = 240) -> None:
        """Until it answers; loading goes on meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.get("/_stcore/health") == (200, "ok"):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all browser tests. Its log must be free of tracebacks at the end."""
    folder = tmp_path_factory.mktemp("server")
    running = Server(folder / "home", folder / "log.txt")
    running.home.mkdir()
    try:
        running.wait()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)
    assert "Traceback" not in running.log.read_text(), running.log.read_text()[-4000:]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # ms where a test names none; the default of 5 s is an idle machine's
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def new_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open pages, each a session of its own. A request to another host fails the test, and so does a script error."""
    contexts, foreign, errors = [], [], []

    def opener(width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        opener.pages.append(page)
        page.set_default_timeout(200_000)  # ms; the processor may be busy with something else
        page.on("request", lambda request: None if LOCAL.match(request.url) else foreign.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    opener.pages = []
    yield opener
    for context in contexts:
        context.close()
    assert foreign == [] and errors == []
