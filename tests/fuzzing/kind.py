"""Base of a kind of input, and the checks that all kinds share."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fuzzing.drawing import Source
from workbench.engine.errors import WorkbenchError

refusals: list[str] = []  # of the case that this process runs


class Violation(AssertionError):
    """Nothing was raised, yet what came out is not what was promised."""


class Kind:
    """Odd input of one kind. Subclasses override ``prepare`` and ``check``.

    Attributes:
        name: on the command line.
        about: what is damaged, and what is asked of it.
        may_start_programs: whether the product may start other programs on such input.
    """

    name = ""
    about = ""
    may_start_programs = False

    def prepare(self, folder: Path) -> None:
        """Make the good files that cases are damaged copies of, in ``folder``. Called once, before any case."""

    def check(self, source: Source, place: Path) -> int | None:
        """Run one case; ``place/home`` is WORKBENCH_HOME and the working directory is ``place``.

        Returns:
            Bytes of memory that another process took for it, if one did.

        Raises:
            WorkbenchError: the input was refused, which is right.
            Violation: a promise was broken. Any other exception is a finding too.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Called once, after the last case."""


@contextmanager
def refusable() -> Any:
    """The block may be refused: its WorkbenchError is dropped, and what follows the block goes on."""
    try:
        yield
    except WorkbenchError as error:
        refusals.append(str(error))
        one_line(str(error))


def one_line(message: str) -> None:
    """Raise Violation unless ``message`` can be shown: one line, not endless, no escape sequence."""
    if not message.strip() or len(message) > 4000:
        raise Violation(f"a message of {len(message)} characters: {message[:80]!r}")
    if "\x1b" in message:
        raise Violation(f"an escape sequence in a message: {message[:80]!r}")


def demand(is_so: object, otherwise: str) -> None:
    """Raise Violation(otherwise) unless ``is_so``."""
    if not is_so:
        raise Violation(otherwise)


def no_leftovers(home: Path) -> None:
    """Raise Violation if something half-written lies in ``home``."""
    found = [p for p in home.rglob("*") if p.name.endswith((".part", ".tmp", ".deleted", ".incomplete"))]
    found += [p for p in (home / "cache" / "imported").glob(".*") if p.is_dir()]
    found += [p for p in (home / "runs").glob(".*") if p.is_dir()]
    demand(not found, f"left behind: {[str(p.relative_to(home)) for p in found[:3]]}")


def command(arguments: Sequence[str], stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``python -m workbench`` with ``arguments``, in this process.

    Raises:
        Violation: exit code other than 0, 1 and 2, a refusal without words, or escape sequences in what was printed.
    """
    from workbench.cli import main

    kept = sys.stdin, sys.stdout, sys.stderr
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"), out, err
    code: Any = 0
    try:
        main(list(arguments))
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept
    said, complained = (stream.detach().getvalue().decode("utf-8") for stream in (out, err))
    demand(code in (0, 1, 2), f"exit code {code}")
    demand(code == 0 or complained.strip() or said.strip(), f"exit code {code} without a word")
    demand("\x1b" not in said + complained, "an escape sequence of the input was printed")
    return code, said, complained


def json_command(arguments: Sequence[str], words: Sequence[str] = ()) -> dict[str, Any] | None:
    """The document that ``arguments --json words`` prints; None if it refused."""
    code, said, _ = command([*arguments, "--json", *words])
    if code == 2:
        demand(not said.strip(), f"refused, but printed {said[:80]!r}")
        return None
    try:
        document = json.loads(said)
    except ValueError as error:
        raise Violation(f"not one JSON document: {said[:80]!r}") from error
    return document if isinstance(document, dict) else {"": document}
