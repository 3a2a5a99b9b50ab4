"""Start the real server with the demo voice, and a Chromium that may connect only to this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.docked import two  # noqa: F401  # a fixture
from tests.server import Server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
LOCAL = re.compile(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:|about:|chrome-error:")
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-component-update",
             "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # fmt: skip
TELL_VIOLATIONS = """document.addEventListener('securitypolicyviolation',
    e => console.error('POLICY', e.effectiveDirective, e.blockedURI, e.sourceFile))"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked; without a Chromium it is skipped."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))  # seconds; a page may wait for a busy machine
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
        running.stop()
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
    """Open pages, each a session of its own.

    A request to another host fails the test, and so does a script error, or anything the content policy forbids.
    """
    contexts, foreign, errors = [], [], []

    def opener(width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        opener.pages.append(page)
        page.set_default_timeout(200_000)  # ms; the processor may be busy with something else
        page.on("request", lambda request: None if LOCAL.match(request.url) else foreign.append(request.url))
        page.add_init_script(TELL_VIOLATIONS)
        page.on("console", lambda said: errors.append(said.text) if said.text.startswith("POLICY") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    opener.pages = []
    yield opener
    for context in contexts:
        context.close()
    assert foreign == [] and errors == []
