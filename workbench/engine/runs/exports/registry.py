"""In which formats a run can be taken along: each export states name, suffix, type and meaning once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.engine.errors import RunError

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run

_EXPORTS: dict[str, Export] = {}


@dataclass(frozen=True)
class Export:
    """A format in which a run can be taken along.

    Attributes:
        name: for programs and the command line.
        suffix: of its files, with the dot.
        mime: media type.
        label: of a button.
        about: what it holds, in one line.
        member: its name within the zip.
        function: a run to the file's bytes, or to its text.
    """

    name: str
    suffix: str
    mime: str
    label: str
    about: str
    member: str
    function: Callable[[Run], bytes | str]

    def make(self, run: Run) -> bytes:
        """The file for ``run``; text is UTF-8.

        Raises:
            OutputError: samples that are not finite.
        """
        found = self.function(run)
        return found.encode("utf-8", "replace") if isinstance(found, str) else found

    def file_name(self, run: Run) -> str:
        """A name for this file of ``run`` that is safe on every system."""
        return "f5tts-" + re.sub(r"[^0-9A-Za-z-]", "_", run.id) + self.suffix


def export(
    name: str, suffix: str, mime: str, label: str, about: str, *, member: str = ""
) -> Callable[[Callable[[Run], bytes | str]], Callable[[Run], bytes | str]]:
    """Decorator: register a function of a run as an export; the arguments are the attributes of ``Export``.

    Raises:
        ValueError: the name, the suffix or the member of the zip is taken.
    """

    def register(function: Callable[[Run], bytes | str]) -> Callable[[Run], bytes | str]:
        made = Export(name, suffix, mime, label, about, member or name + suffix, function)
        for other in _EXPORTS.values():
            if {other.name, other.suffix, other.member} & {made.name, made.suffix, made.member}:
                raise ValueError(f"the exports {other.name!r} and {name!r} share a name")
        _EXPORTS[name] = made
        return function

    return register


def every() -> list[Export]:
    """All exports, the zip that holds the others last."""
    return sorted(_EXPORTS.values(), key=lambda found: found.name == "zip")


def get(name: str) -> Export:
    """The export ``name``.

    Raises:
        RunError: there is none of this name; the remedy lists those that exist.
    """
    if name not in _EXPORTS:
        known = ", ".join(found.name for found in every())
        raise RunError(f"There is no export {name[:40]!r}.", remedy=f"Known: {known}.")
    return _EXPORTS[name]
