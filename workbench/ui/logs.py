"""The server's log: one line per thing that matters."""

from __future__ import annotations

import logging

from workbench.engine.logs import formatter


def to_console() -> None:
    """Send what the workbench logs to the console, from INFO on. Safe to call again."""
    root = logging.getLogger("workbench")
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
