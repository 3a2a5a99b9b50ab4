"""Log of the server on the console."""

from __future__ import annotations

import logging

from workbench.engine.logs import formatter


def to_console() -> None:
    """Send the workbench's log to the console, from level INFO. A second call does nothing."""
    root = logging.getLogger("workbench")
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
