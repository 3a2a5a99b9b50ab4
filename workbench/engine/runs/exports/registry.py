"""Registry of exports. Each states its name, suffix, media type and description once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.engine.errors import RunError

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run

_EXPORTS: dict[str, Export] = {}


@dataclass(frozen=True)
class Export:
    """An export format of a run.

    Attributes:
        name: for programs and the command line.
        suffix: of its files, with the dot.
        mime: media type.
        label: of its button.
        about: its content in one line.
        member: its name within the zip.
        function: takes a run; returns the bytes or the text of the file.
        writer: takes a run and a path; writes the file in pieces, for a run that does not fit into memory.
        is_heavy: takes minutes for a long run, so it is not in the zip of one.
    """

    name: str
    suffix: str
    mime: str
    label: str
    about: str
    member: str
    function: Callable[[Run], bytes | str]
    writer: Callable[[Run, Path], None] | None = None
    is_heavy: bool = False

    def make(self, run: Run) -> bytes:
        """Return the file for ``run``; text is encoded as UTF-8.

        Raises:
            OutputError: samples are not finite.
        """
        found = self.function(run)
        return found.encode("utf-8", "replace") if isinstance(found, str) else found

    def write(self, run: Run, path: Path) -> None:
        """Write the file for ``run`` to ``path``, in place: the bytes of ``make``, but never all in memory.

        Raises:
            OutputError: samples that are not finite.
            OSError: it cannot be written.
        """
        if self.writer is not None:
            self.writer(run, path)
        else:
            path.write_bytes(self.make(run))

    def file_name(self, run: Run) -> str:
        """Return a file name that is valid on every system."""
        return "f5tts-" + re.sub(r"[^0-9A-Za-z-]", "_", run.id) + self.suffix


def export(
    name: str,
    suffix: str,
    mime: str,
    label: str,
    about: str,
    *,
    member: str = "",
    writer: Callable[[Run, Path], None] | None = None,
    is_heavy: bool = False,
) -> Callable[[Callable[[Run], bytes | str]], Callable[[Run], bytes | str]]:
    """Return a decorator that registers a function as an export; the arguments are the attributes of ``Export``.

    Raises:
        ValueError: another export has this name, suffix or member.
    """

    def register(function: Callable[[Run], bytes | str]) -> Callable[[Run], bytes | str]:
        made = Export(name, suffix, mime, label, about, member or name + suffix, function, writer, is_heavy)
        for other in _EXPORTS.values():
            if {other.name, other.suffix, other.member} & {made.name, made.suffix, made.member}:
                raise ValueError(f"the exports {other.name!r} and {name!r} share a name")
        _EXPORTS[name] = made
        return function

    return register


def every() -> list[Export]:
    """Return all exports; the zip is the last."""
    return sorted(_EXPORTS.values(), key=lambda found: found.name == "zip")


def get(name: str) -> Export:
    """Return the export ``name``.

    Raises:
        RunError: there is no such export; the remedy lists all names.
    """
    if name not in _EXPORTS:
        known = ", ".join(found.name for found in every())
        raise RunError(f"There is no export {name[:40]!r}.", remedy=f"Known: {known}.")
    return _EXPORTS[name]
