"""Take screenshots of every page that the app lists: ``python scripts/screenshots.py``.

Makes two runs and a measurement of the loading lab with the demo voice in a temporary home, starts the server on a free
port, and takes each page in light and dark, 1280 and 390 pixels wide. Writes to docs/screenshots/. Needs
requirements-dev.txt and a Chromium (``$CHROMIUM``, or from the path). ``--url`` uses a running server instead.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MAIN = ROOT / "workbench" / "ui" / "main.py"
WIDTHS = {"wide": 1280, "narrow": 390}
MAX_HEIGHT = 5000  # px
COLOURS = 256  # enough for these pages, with a third of the bytes
TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the "
    "depth of a well."
)


def page_names() -> list[str]:
    """Return the names of all pages that the app lists, in its order. Its script itself is not run."""
    for node in ast.parse(MAIN.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PAGES":
            return [page[0] for page in ast.literal_eval(node.value)]
    raise SystemExit(f"{MAIN} lists no pages")


def address_of(name: str, run_id: str | None, lab_id: str | None) -> str:
    """Return path and query of a page: with the run, the class at a stop that has been answered, the lab measured."""
    query = {"run": run_id} if run_id else {}
    if name == "class_path":
        query |= {"stop": "5", "said": "42_2.5_4_10_6"}
    if name == "loading_lab" and lab_id:
        query |= {"lab": lab_id}
    asked = f"?{urllib.parse.urlencode(query)}" if query else ""
    return ("" if name == "synthesize" else name) + asked


def measure_loading() -> str:
    """Measure the two strategies of the story with a time-out of one second; return the id of the measurement."""
    from workbench.engine.ids import new_id
    from workbench.lab import kept, measuring

    name = new_id()
    kept.save(name, measuring.run(measuring.LabPlan(timeout_seconds=1)))
    return name


def make_runs(home: Path, steps: int) -> str:
    """Speak the text with two chunk sizes, keeping trajectories; return the id of the newer run."""
    from workbench import SynthesisSettings, load_voice
    from workbench.engine.jobs.pool import EnginePool
    from workbench.engine.jobs.queue import JobManager
    from workbench.engine.jobs.speech import SpeechJob
    from workbench.engine.speech.requests import SpeechRequest

    shutil.copytree(ROOT / "cache" / "demo-voice", home / "cache" / "demo-voice")  # the pages show its path
    os.environ["WORKBENCH_HOME"] = str(home)
    jobs, voice, made = JobManager(EnginePool()), load_voice(), ""
    for size in (130, 50):
        settings = SynthesisSettings(nfe_step=steps, max_chunk_bytes=size, keep_trajectory=True)
        job = jobs.submit(SpeechJob(SpeechRequest(TEXT, voice.ref, settings)))
        job.wait()
        if job.error:
            raise SystemExit(job.error)
        made = job.id
    return made


@contextlib.contextmanager
def serving(home: Path) -> Iterator[str]:
    """Start a server on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench", "app", "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"WORKBENCH_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).read() == b"ok":
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def photograph(page: Any, address: str, target: Path, settle_ms: int) -> None:
    """Save the whole page as PNG with a palette that keeps the colours of small areas, as in a legend."""
    from PIL import Image

    width = page.viewport_size["width"]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    page.get_by_test_id("stHeading").first.wait_for(timeout=300_000)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        " && !document.querySelector('[data-testid=stSkeleton]')",
        timeout=300_000,
    )
    page.wait_for_timeout(settle_ms)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(height + 20, 600), MAX_HEIGHT)})
    page.wait_for_timeout(settle_ms)
    if page.get_by_test_id("stException").count():
        raise SystemExit(f"{address} shows an exception")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target.name}: {target.stat().st_size // 1024} kB, {picture.width} x {picture.height}")  # noqa: T201


def photograph_all(
    url: str, run_id: str | None, lab_id: str | None, out: Path, pages: list[str], settle_ms: int
) -> None:
    """Save every page in every theme and width."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for label, width in WIDTHS.items():
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                page.goto(url)
                page.get_by_text("loaded once").wait_for(timeout=600_000)
                for name in pages:
                    address = f"{url}/{address_of(name, run_id, lab_id)}"
                    photograph(page, address, out / f"{name}-{scheme}-{label}.png", settle_ms)
                context.close()
        browser.close()


def main() -> None:
    """Read the arguments and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--pages", nargs="*", default=page_names())
    parser.add_argument("--steps", type=int, default=7, help="ODE steps of the runs")
    parser.add_argument("--url", help="address of a running server; then no run is made")
    parser.add_argument("--run", help="id of the run to show, with --url")
    parser.add_argument("--lab", help="id of the measurement to show, with --url")
    parser.add_argument("--settle", type=int, default=1500, help="milliseconds to wait for figures")
    given = parser.parse_args()
    pages = [name for name in given.pages if (ROOT / "workbench" / "ui" / "views" / f"{name}.py").exists()]
    if given.url:
        photograph_all(given.url.rstrip("/"), given.run, given.lab, given.out, pages, given.settle)
        return
    with tempfile.TemporaryDirectory(prefix="f5tts-workbench-") as folder:
        run_id = make_runs(Path(folder), given.steps)
        lab_id = measure_loading() if "loading_lab" in pages else None
        with serving(Path(folder)) as url:
            photograph_all(url, run_id, lab_id, given.out, pages, given.settle)


if __name__ == "__main__":
    main()
