"""A run as several sound files: one for each chapter, chunk, passage or speaker."""

from __future__ import annotations

import bisect
import io
import itertools
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from workbench.engine.errors import OutputError, reason_of, remedy_for
from workbench.engine.files.writing import write_whole
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.results import Run
from workbench.engine.text.borders import blocks

KINDS = ("chapter", "chunk", "passage", "speaker")
_TITLE_CHARACTERS = 60
_SILENCE_SAMPLES = 2**18
_Sound = tuple[str, Callable[[], Iterator[np.ndarray]], int]  # title, blocks, samples


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
    headings = [(low, high) for low, high, is_heading in blocks(_spoken(run)) if is_heading]
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


def _spoken(run: Run) -> str:
    """The text of ``run``; of a script, with spaces in place of the tags."""
    if run.request.script is None:
        return run.text
    text, at = [], 0
    for passage in run.request.script.passages:
        text += ["".join(c if c.isspace() else " " for c in run.text[at : passage.start])]
        text += [run.text[passage.start : passage.end]]
        at = passage.end
    return "".join(text)


def passages(run: Run) -> list[Piece]:
    """The passages of a script, called as their speakers; an ordinary run is one, without a title."""
    script, found = run.request.script, []
    for index, group in itertools.groupby(range(len(run.chunks)), lambda k: run.chunks[k].chunk.passage):
        inside = list(group)
        found.append(Piece(script.speaker(index).name if script else "", inside[0], inside[-1]))
    return found


def check_kind(kind: str) -> None:
    """Raise OutputError unless ``kind`` is one of ``KINDS``."""
    if kind not in KINDS:
        raise OutputError(f"{kind[:40]!r} is no way to part a run.", remedy=f"Choose one of {', '.join(KINDS)}.")


def pieces(run: Run, kind: str) -> list[Piece]:
    """The chapters of ``run``, its passages or its chunks. Raises OutputError for another kind."""
    check_kind(kind)
    if kind == "chapter":
        return chapters(run)
    if kind == "passage":
        return passages(run)
    if kind == "speaker":
        raise OutputError("What one speaker says is no single piece.", remedy="Part the run by passages.")
    return [Piece("", index, index) for index in range(len(run.chunks))]


def write_pieces(run: Run, folder: Path, kind: str, suffix: str) -> list[Path]:
    """Write each piece of ``run`` into ``folder``, whole or not at all; files of the same name are replaced.

    A chapter has its cross-fades and pauses within; joined, the chapters are the run but for the fades between them.
    Joined, the passages of a script are the run to the sample. The file of a speaker is as long as the run and has
    the passages of this speaker at their places; added up, these files are the run to the sample.

    Raises:
        OutputError: as ``write_sound``, or it cannot be written.
    """
    check_kind(kind)
    found = _by_speaker(run) if kind == "speaker" else _one_by_one(run, pieces(run, kind))
    width = len(str(len(found)))
    made = []
    try:
        folder.mkdir(exist_ok=True)
        for number, (title, blocks_of, n_samples) in enumerate(found, 1):
            path = folder / f"{' '.join([f'{number:0{width}d}', *_file_words(title)])}{suffix}"
            made.append(write_whole(path, partial(_write, run, blocks_of, n_samples, suffix)))
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {reason_of(error)}.", remedy=remedy_for(error)) from error
    return made


def pieces_zip(run: Run, kind: str, suffix: str = ".wav") -> bytes:
    """Return the files of ``write_pieces`` in one zip. Raises OutputError as it does."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in write_pieces(run, Path(place), kind, suffix):
            archive.write(path, path.name)
    return buffer.getvalue()


def _blocks(run: Run, piece: Piece) -> Iterator[np.ndarray]:
    return run.blocks(piece.first, piece.last)


def _samples(run: Run, piece: Piece) -> int:
    return sum(result.n_samples for result in run.chunks[piece.first : piece.last + 1])


def _one_by_one(run: Run, found: Sequence[Piece]) -> list[_Sound]:
    return [(one.title, partial(_blocks, run, one), _samples(run, one)) for one in found]


def _by_speaker(run: Run) -> list[_Sound]:
    """Name, sound and samples of what each speaker says, at its places in the run."""
    every = passages(run)
    names = dict.fromkeys(piece.title for piece in every)
    return [(name, partial(_alone, run, every, name), run.n_samples) for name in names]


def _alone(run: Run, every: Sequence[Piece], name: str) -> Iterator[np.ndarray]:
    """The run with silence where another speaks; between passages there are no fades, so each has its own samples."""
    edges = [0, *(run.starts[piece.first] for piece in every[1:]), run.n_samples]
    for piece, low, high in zip(every, edges, edges[1:], strict=False):
        if piece.title == name:
            yield from run.blocks(piece.first, piece.last)
            continue
        for first in range(low, high, _SILENCE_SAMPLES):
            yield np.zeros(min(_SILENCE_SAMPLES, high - first), np.float32)


def _write(run: Run, blocks_of: Callable[[], Iterator[np.ndarray]], n_samples: int, suffix: str, path: Path) -> None:
    write_sound(path, blocks_of(), n_samples, run.sample_rate, suffix)


def _file_words(title: str) -> list[str]:
    """The words of a heading that every file system takes."""
    kept = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in title)
    return unicodedata.normalize("NFC", kept)[:_TITLE_CHARACTERS].split()
