"""Film the workspace for the README: ``python scripts/animation.py`` writes docs/workspace.webp, 20 s and under 2 MB.

Starts the server with the demo voice in a temporary home, types a text, speaks it, looks at the result and at two other
pages, and takes a picture after every small step. Pictures that are equal are shown longer instead of twice, and the
time of the run is shortened, so that all takes 20 s. Needs requirements-dev.txt and a Chromium, as screenshots.py does.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.screenshots import serving  # noqa: E402

TEXT = (
    "Where does the time go? Here you see every chunk while it is made, and the seconds of each stage. Then you "
    "listen, look at its spectrogram, and compare it with another run."
)
SIZE = (1280, 800)  # px of the page
SHOWN = (1200, 750)  # px of the film
SECONDS = 20.0
MAX_BYTES = 2_000_000
STEP_MS, WAIT_MS, LAST_MS = 90, 160, 1600
MIN_MS = 60
N_TYPED = 9  # characters between two pictures
QUALITIES = (82, 74, 66, 58, 50, 42)  # of WebP, from the best; the first that fits is taken
POINTER = """
() => { const p = document.createElement('div'); p.id = 'film-pointer';
  p.style.cssText = 'position:fixed;left:0;top:0;z-index:2147483647;pointer-events:none;';
  p.style.transform = 'translate(640px,500px)';
  p.innerHTML = '<svg width="26" height="26" viewBox="0 0 24 24"><path d="M4 2l16 9-7 1.6L9.4 20z" fill="#111" '
    + 'stroke="#fff" stroke-width="1.6"/></svg>'; document.body.appendChild(p); }
"""


class Film:
    """Pictures of a page with the milliseconds that each is shown."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.frames: list[tuple[bytes, int]] = []
        self.at = (640.0, 500.0)

    def shoot(self, milliseconds: int = STEP_MS) -> None:
        """Take a picture; one equal to the last makes the last one longer."""
        content = self.page.screenshot()
        if self.frames and self.frames[-1][0] == content:
            self.frames[-1] = (content, self.frames[-1][1] + milliseconds)
        else:
            self.frames.append((content, milliseconds))

    def point(self, target: Any, n_steps: int = 5) -> None:
        """Move the pointer to the middle of an element."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for step in range(1, n_steps + 1):
            share = step / n_steps
            place = (self.at[0] + (x - self.at[0]) * share, self.at[1] + (y - self.at[1]) * share)
            self.page.evaluate("([x, y]) => document.getElementById('film-pointer').style.transform = "
                               "`translate(${x}px,${y}px)`", list(place))  # fmt: skip
            self.shoot()
        self.at = (x, y)

    def click(self, target: Any) -> None:
        """Point at an element and click it."""
        self.point(target)
        target.click()
        self.shoot()

    def wait(self, is_over: Callable[[], bool], limit_seconds: float, shown_ms: int = WAIT_MS) -> None:
        """Take pictures until ``is_over``; each new one is shown for ``shown_ms``, however long it took."""
        deadline = time.monotonic() + limit_seconds
        while not is_over() and time.monotonic() < deadline:
            if not self.frames or self.page.screenshot() != self.frames[-1][0]:
                self.shoot(shown_ms)
            self.page.wait_for_timeout(120)
        self.shoot(shown_ms)

    def scroll(self, pixels: int, n_steps: int = 10) -> None:
        """Scroll the page down."""
        for _ in range(n_steps):
            self.page.mouse.move(*self.at)
            self.page.mouse.wheel(0, pixels / n_steps)
            self.page.wait_for_timeout(60)
            self.shoot()

    def rest(self, milliseconds: int = LAST_MS) -> None:
        """Show the page as it is for a while."""
        self.page.wait_for_timeout(400)
        self.shoot(milliseconds)


def settled(page: Any) -> bool:
    """Whether the page has been drawn completely."""
    return bool(page.evaluate(
        "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
        " && !document.querySelector('[data-testid=stSkeleton]')"
    ))  # fmt: skip


def quiet(page: Any) -> None:
    """Wait until the page has a heading and has been settled for a second."""
    page.wait_for_timeout(1000)
    page.get_by_test_id("stHeading").first.wait_for(timeout=120_000)
    n_settled = 0
    while n_settled < 5:
        page.wait_for_timeout(200)
        n_settled = n_settled + 1 if settled(page) else 0


def act(film: Film, url: str) -> None:
    """Play the scenes: type, speak, look, go to other pages."""
    page = film.page
    page.goto(url)
    page.get_by_text("loaded once").wait_for(timeout=600_000)
    page.wait_for_function("() => document.querySelectorAll('[data-testid=stSkeleton]').length === 0")
    page.evaluate(POINTER)
    page.wait_for_timeout(800)
    film.rest(700)
    area = page.locator(".st-key-text textarea")
    film.click(area)
    area.fill("")
    for end in range(N_TYPED, len(TEXT) + N_TYPED, N_TYPED):
        area.press_sequentially(TEXT[end - N_TYPED : end])
        film.shoot()
        if end // N_TYPED == 9:  # the plan follows the typing a moment later
            page.wait_for_timeout(2500)
            film.rest(500)
    film.click(page.locator(".st-key-own_chunk_size label").first)
    quiet(page)
    film.rest(900)
    film.click(page.get_by_role("button", name="Synthesize").first)
    progress = page.get_by_role("button", name="Cancel").first
    film.wait(lambda: progress.is_visible() and progress.is_enabled(), 20)
    film.wait(lambda: not (progress.is_visible() and progress.is_enabled()) and settled(page), 180)
    page.wait_for_timeout(1500)
    film.rest(900)
    film.scroll(700)
    film.rest()
    for name in ("Spectrograms", "Listen and look", "Flow", "Runs"):
        link = page.get_by_role("link", name=name).first
        if not link.count():
            continue
        film.scroll(-3000, 3)
        film.click(link)
        quiet(page)
        film.rest(1100)
        film.scroll(450, 5)
        film.rest()


def fitted(frames: list[tuple[bytes, int]], seconds: float) -> list[int]:
    """Return the milliseconds of each frame so that the film takes ``seconds``."""
    total = sum(shown for _, shown in frames)
    return [max(MIN_MS, round(shown * seconds * 1000 / total)) for _, shown in frames]


def develop(frames: list[tuple[bytes, int]], out: Path, seconds: float = SECONDS, max_bytes: int = MAX_BYTES) -> int:
    """Write the film as animated WebP in the best quality that fits; return its bytes. SystemExit if none does."""
    from PIL import Image

    pictures = [Image.open(io.BytesIO(content)).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
                for content, _ in frames]  # fmt: skip
    shown = fitted(frames, seconds)
    for quality in QUALITIES:
        pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=shown, loop=0, quality=quality,
                         method=4, minimize_size=True)  # fmt: skip
        if out.stat().st_size <= max_bytes:
            return out.stat().st_size
    raise SystemExit(f"{out} has {out.stat().st_size} bytes in the lowest quality; at most {max_bytes} are allowed.")


def main() -> None:
    """Read the arguments and make the film."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "workspace.webp")
    parser.add_argument("--url", help="address of a running server")
    parser.add_argument("--dark", action="store_true", help="in dark colours")
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with tempfile.TemporaryDirectory(prefix="f5tts-workbench-") as folder, sync_playwright() as playwright:
        home = Path(folder)
        shutil.copytree(ROOT / "cache" / "demo-voice", home / "cache" / "demo-voice")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        scheme = "dark" if given.dark else "light"
        context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme=scheme)
        film = Film(context.new_page())
        if given.url:
            act(film, given.url.rstrip("/"))
        else:
            with serving(home) as url:
                act(film, url)
        browser.close()
    size = develop(film.frames, given.out)
    seconds = sum(fitted(film.frames, SECONDS)) / 1000
    sys.stdout.write(f"{given.out}: {len(film.frames)} pictures, {seconds:.0f} s, {size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
