"""A run as several sound files: one for each chapter of its text, or for each chunk."""

from __future__ import annotations

import bisect
import unicodedata
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workbench.engine.errors import OutputError, reason_of, remedy_for
from workbench.engine.files.writing import write_whole
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.results import Run
from workbench.engine.text.borders import blocks

KINDS = ("chapter", "chunk")
_TITLE_CHARACTERS = 60


@dataclass(frozen=True)
class Piece:
    """Chunks ``first`` to ``last`` of a run, and what they are called: the heading, or ""."""

    title: str
    first: int
    last: int


def chapters(run: Run) -> list[Piece]:
    """The chapters of ``run``: each begins with a heading of its text; headings in a row begin one together.

    What stands before the first heading is a chapter without a title, and so is a text without headings.
    """
    headings = [(low, high) for low, high, is_heading in blocks(run.text) if is_heading]
    lows = [low for low, _ in headings]
    starts: list[tuple[int, str]] = []
    after_heading = False
    for index, result in enumerate(run.chunks):
        at = bisect.bisect_right(lows, result.chunk.start) - 1
        in_heading = at >= 0 and result.chunk.start < headings[at][1]
        title = result.chunk.written or result.chunk.text
        if in_heading and after_heading:
            starts[-1] = (starts[-1][0], f"{starts[-1][1]} {title}")
        elif in_heading or not index:
            starts.append((index, title if in_heading else ""))
        after_heading = in_heading
    ends = [*(first - 1 for first, _ in starts[1:]), len(run.chunks) - 1]
    return [Piece(title, first, last) for (first, title), last in zip(starts, ends, strict=True)]


def check_kind(kind: str) -> None:
    """Raise OutputError unless ``kind`` is one of ``KINDS``."""
    if kind not in KINDS:
        raise OutputError(f"{kind[:40]!r} is no way to part a run.", remedy=f"Choose {' or '.join(KINDS)}.")


def pieces(run: Run, kind: str) -> list[Piece]:
    """The chapters of ``run``, or its chunks. Raises OutputError unless ``kind`` is one of ``KINDS``."""
    check_kind(kind)
    if kind == "chapter":
        return chapters(run)
    return [Piece("", index, index) for index in range(len(run.chunks))]


def write_pieces(run: Run, folder: Path, kind: str, suffix: str) -> list[Path]:
    """Write each piece of ``run`` into ``folder``, whole or not at all; files of the same name are replaced.

    A chapter has its cross-fades and pauses within; joined, the chapters are the run but for the fades between them.

    Raises:
        OutputError: as ``write_sound``, or it cannot be written.
    """
    found = pieces(run, kind)
    width = len(str(len(found)))
    made = []
    try:
        folder.mkdir(exist_ok=True)
        for number, piece in enumerate(found, 1):
            path = folder / f"{' '.join([f'{number:0{width}d}', *_file_words(piece.title)])}{suffix}"
            made.append(write_whole(path, partial(_write, run, piece, suffix)))
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {reason_of(error)}.", remedy=remedy_for(error)) from error
    return made


def _write(run: Run, piece: Piece, suffix: str, path: Path) -> None:
    n_samples = sum(result.n_samples for result in run.chunks[piece.first : piece.last + 1])
    write_sound(path, run.blocks(piece.first, piece.last), n_samples, run.sample_rate, suffix)


def _file_words(title: str) -> list[str]:
    """The words of a heading that every file system takes."""
    kept = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in title)
    return unicodedata.normalize("NFC", kept)[:_TITLE_CHARACTERS].split()
