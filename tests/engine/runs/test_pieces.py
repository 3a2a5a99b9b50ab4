"""A run as files of chapters and of chunks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine.errors import OutputError
from workbench.engine.runs.exports.pieces import chapters, write_pieces
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes

QUICK = SynthesisSettings(nfe_step=1, max_chunk_bytes=40)
WORDS = "A long enough sentence stands here. And a second one follows it."
BOOKS = {
    "no headings": (WORDS, [("", 0)]),
    "before the first": (f"{WORDS}\n\nThe Boats\n\n{WORDS}", [("", 0), ("The Boats", 2)]),
    "two": (f"Chapter 1\n\n{WORDS}\n\nCHAPTER II.\n\n{WORDS}", [("Chapter 1", 0), ("CHAPTER II.", 3)]),
    "title and chapter": (f"The Boats\r\n\r\nPart One.\r\n\r\n{WORDS}", [("The Boats Part One.", 0)]),
    "the last is a heading": (f"{WORDS}\n\nThe End", [("", 0), ("The End", 2)]),
    "pauses": (f"One\n\n[pause 1s] {WORDS}\n\n[pause 1s] Two\n\n{WORDS}", [("One", 0), ("Two", 3)]),
}


@pytest.fixture(scope="module")
def spoken(tiny_engine: Any, voice: Any) -> Any:
    return lambda text: tiny_engine.run(text, voice, QUICK)


@pytest.mark.parametrize("kind", BOOKS)
def test_chapters_begin_with_headings_and_hold_every_chunk(spoken: Any, kind: str) -> None:
    text, expected = BOOKS[kind]
    run = spoken(text)
    found = chapters(run)
    assert [(piece.title, piece.first) for piece in found] == expected
    assert [k for piece in found for k in range(piece.first, piece.last + 1)] == list(range(len(run.chunks)))


def test_the_files_of_chapters_are_the_run_but_for_the_fades_between_them(spoken: Any, tmp_path: Path) -> None:
    run = spoken(BOOKS["pauses"][0])
    made = write_pieces(run, tmp_path / "book", "chapter", ".wav")
    assert [path.name for path in made] == ["1 One.wav", "2 Two.wav"]
    joined = [soundfile.read(path, dtype="int16")[0] for path in made]
    whole = soundfile.read(_file(tmp_path, run), dtype="int16")[0]
    assert np.array_equal(np.concatenate(joined), whole)  # a pause stands between them, so nothing was faded


def _file(folder: Path, run: Any) -> Path:
    (path := folder / "whole.wav").write_bytes(to_bytes(run.wave, run.sample_rate))
    return path


@pytest.mark.parametrize(
    "heading, name",
    [
        ("../../etc/passwd", "1 etc passwd.wav"), ("a/b\\c:d*e?f", "1 a b c d e f.wav"),
        ("Ämter für Öl", "1 Ämter für Öl.wav"),
        ("हिन्दी पाठ", "1 हिन्दी पाठ.wav"), ("第三章 家", "1 第三章 家.wav"), ("# ***", "1.wav"), ("NUL", "1 NUL.wav"),
    ],
)  # fmt: skip
def test_names_are_taken_by_every_file_system(spoken: Any, tmp_path: Path, heading: str, name: str) -> None:
    run = spoken(f"One\n\n{WORDS}")
    chunk = run.chunks[0].chunk
    named = dataclasses.replace(run.chunks[0], chunk=dataclasses.replace(chunk, text=heading, written=""))
    changed = dataclasses.replace(run, chunks=(named, *run.chunks[1:]))
    (path,) = write_pieces(changed, tmp_path / "out", "chapter", ".wav")
    assert path.name == name and path.parent == tmp_path / "out"


def test_a_place_that_cannot_be_written_is_named(spoken: Any, tmp_path: Path) -> None:
    (tmp_path / "book").write_text("a file")
    with pytest.raises(OutputError, match="Cannot write into"):
        write_pieces(spoken(WORDS), tmp_path / "book", "chunk", ".wav")
    with pytest.raises(OutputError, match="no way to part"):
        write_pieces(spoken(WORDS), tmp_path / "other", "page", ".wav")
