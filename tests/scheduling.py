"""Which tests share a worker of pytest-xdist, and in which order they are handed out: the longest first.

A worker that gets a long file last works alone at the end. Tests with a browser wait more than they compute, so they
begin; those of one group share a server and a Chromium.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

BROWSERS = ("a browser", "another browser")
# of tests/browser; with the other files it takes as long as the rest, in `make test` and in `make test-thorough`
ANOTHER = ("test_accessibility.py", "test_inspection_pages.py", "test_loading_lab.py", "test_robustness.py")
ALONE = "tests/notebooks/test_notebooks.py::test_runs_offline"  # these share nothing, and each is long
# files and folders that take 5 s of processor time or more; the longest first
LONG = (
    *("notebooks", "test_fuzz.py", "training", "lab/test_lab.py", "ui/test_served_app.py"),
    *("cli/test_synth.py", "test_docs.py", "ui/test_look_page.py", "ui/test_runs_page.py"),
    *("engine/model", "engine/checks", "engine/jobs", "engine/cache", "cli", "ui"),
)


def group(nodeid: str) -> str:
    """Name of what a worker takes at once: a file below ``tests/``, the files of a browser, or a single test."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    if file.startswith("browser/"):
        return BROWSERS[file.removeprefix("browser/") in ANOTHER]
    return nodeid if nodeid.startswith(ALONE) else file


def rank(nodeid: str) -> tuple[int, str]:
    """Sorts tests: browsers, long files and folders, then the others. A group stays together."""
    if (named := group(nodeid)) in BROWSERS:
        return BROWSERS.index(named), ""
    file = PurePosixPath(nodeid.partition("::")[0].removeprefix("tests/"))
    places = {str(file), *map(str, file.parents)}
    found = (n for n, long in enumerate(LONG, len(BROWSERS)) if long in places)
    return next(found, len(BROWSERS) + len(LONG)), str(file)


class LongestFirst(LoadFileScheduling):
    """Hands out groups in the order in which their tests were collected, which conftest.py sorts by ``rank``."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
