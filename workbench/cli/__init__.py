"""The command line. ``main`` is the entry point; each module holds related commands."""

from __future__ import annotations

import os
import sys
from typing import Any

from workbench.cli.parts import streams
from workbench.engine.checks.threads import wait_briefly
from workbench.engine.errors import Cancelled, WorkbenchError
from workbench.engine.visible import shorten, visible

LINE_CHARACTERS = 2000  # longest message; a quoted path or text may be longer
CLOSED_PIPE, INTERRUPTED = 141, 130  # 128 + number of the signal, as in shells


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. A ``WorkbenchError`` prints one line on standard error and exits with code 2."""
    # libraries must not send telemetry or look for updates
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")
    wait_briefly()
    with streams.guarded():
        sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    """Run the command and return the exit code; report an error in one line. Bugs keep their traceback."""
    try:
        from workbench.cli.parts.commands import app

        code = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer returns this for Ctrl-C within a command
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except Cancelled as stopped:
        return _say(str(stopped), INTERRUPTED)
    except streams.Closed:
        return CLOSED_PIPE
    except WorkbenchError as error:
        return _say(f"Error: {error}", 2)
    except Exception as error:
        # Typer's own errors have no common public class; they have this method
        if not hasattr(error, "format_message"):
            raise
        if message := error.format_message():  # empty if the help was shown instead
            message = message.rstrip(".")
            _say(f"Error: {message}{'' if message.endswith('?') else '.'}{_advice(error)}", 2)
        return 2


def _advice(error: Any) -> str:
    """Return what to do about a command line that Typer does not understand, where its own message does not say."""
    command = getattr(getattr(error, "ctx", None), "command", None)
    takes_text = "words" in [parameter.name for parameter in getattr(command, "params", ())]
    if takes_text and "unexpected extra argument" in error.message:
        return " Put the text between quotes."
    is_option = hasattr(error, "option_name")
    if takes_text and is_option and not error.possibilities:
        return ' A text that begins with a dash comes after two: -- "-5 degrees".'
    return ""


def _say(message: str, code: int) -> int:
    print(shorten(visible(" ".join(message.split())), LINE_CHARACTERS), file=sys.stderr)
    return code
