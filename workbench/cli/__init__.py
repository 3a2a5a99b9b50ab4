"""The command line. ``main`` is the entry point; each module holds the commands of one subject."""

from __future__ import annotations

import os
import sys

from workbench.engine.errors import Cancelled, WorkbenchError


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Mistakes of the user end in one line on standard error and exit code 2."""
    # a library that would print progress or ask the Hub for news has no business in a run
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")
    from workbench.cli.app import app

    try:
        app(args=arguments)
    except Cancelled as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    except WorkbenchError as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
