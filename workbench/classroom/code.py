"""Lines of this program that lessons show, found in the running code, so that a reference cannot go stale."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


class LineGone(LookupError):
    """A lesson shows a line that the program no longer has: the lesson must be mended."""


@dataclass(frozen=True)
class CodeLine:
    """A line of the program.

    Attributes:
        module: dotted name of the module.
        name: of the function, class or method in it, such as "Engine.run"; "" for the module itself.
        has: what stands in the line; the first such line of the object is meant.
        why: what the line does, as a phrase.
    """

    module: str
    name: str
    has: str
    why: str


@dataclass(frozen=True)
class Found:
    """Where a line stands now.

    Attributes:
        path: of the file, from the root of the project, with slashes.
        line: its number, from 1.
        source: the line and its neighbours, without their common indentation.
        first: number of the first line of ``source``.
    """

    path: str
    line: int
    source: str
    first: int

    @property
    def place(self) -> str:
        """ "path:line", as editors and tracebacks write it."""
        return f"{self.path}:{self.line}"


def find(wanted: CodeLine, around: int = 2) -> Found:
    """Return where ``wanted`` stands in the program that runs now, with ``around`` lines before and after it.

    Raises:
        LineGone: there is no such object, or no such line in it.
    """
    target: Any = importlib.import_module(wanted.module)
    for part in filter(None, wanted.name.split(".")):
        target = getattr(target, part, None)
    if target is None:
        raise LineGone(f"{wanted.module} has no {wanted.name}")
    plain: Any = target.fget if isinstance(target, property) else target
    target = inspect.unwrap(plain)
    lines, start = inspect.getsourcelines(target)
    start = max(start, 1) if not isinstance(target, ModuleType) else 1
    at = next((k for k, line in enumerate(lines) if wanted.has in line), None)
    if at is None:
        raise LineGone(f"{wanted.module} {wanted.name} has no line with {wanted.has!r}")
    low, high = max(0, at - around), min(len(lines), at + around + 1)
    source = textwrap.dedent("".join(lines[low:high])).rstrip()
    path = Path(inspect.getsourcefile(target) or "")
    place = path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
    return Found(place, start + at, source, start + low)
