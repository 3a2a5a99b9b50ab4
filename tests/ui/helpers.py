"""Functions shared by tests of pages."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest


def until(at: AppTest, is_so: Callable[[AppTest], bool], seconds: float = 60) -> AppTest:
    """Rerun the page, as its timer would, until ``is_so``. AppTest never fires ``run_every``."""
    deadline = time.monotonic() + seconds
    while not is_so(at):
        assert time.monotonic() < deadline, [str(h.body) for h in at.get("html")]
        time.sleep(0.05)
        at.run()
        assert not at.exception
    return at


def html_of(at: AppTest) -> str:
    """All HTML blocks of the page, one after the other."""
    return "\n".join(str(block.proto.body) for block in at.get("html"))
