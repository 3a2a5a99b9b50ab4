"""The server's log: one line per thing that matters."""

from __future__ import annotations

import logging


def to_console() -> None:
    """Send what the workbench logs to the console, from INFO on. Safe to call again."""
    root = logging.getLogger("workbench")
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
