"""Keep the times of the words that a recogniser heard in words.json beside run.json, chunk by chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from workbench.engine.asr.recogniser import Word, load_recogniser
from workbench.engine.errors import OutputError, RunError, reason_of, remedy_for
from workbench.engine.files.writing import write_json
from workbench.engine.runs.measured.making import chunk_sound
from workbench.engine.runs.store import run_folder

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run

NAME = "words.json"
_MAX_BYTES = 64 * 2**20
_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Row = tuple[_Seconds, _Seconds, Annotated[str, Field(max_length=300)], Annotated[float, Field(ge=0, le=1)]]
_Sha = Annotated[str, Field(max_length=64)]


@with_config(ConfigDict(extra="ignore"))
class _Document(TypedDict):
    format: Literal[1]
    recogniser: Annotated[str, Field(max_length=300)]
    chunks: Annotated[dict[_Sha, Annotated[list[_Row], Field(max_length=10_000)]], Field(max_length=100_000)]


_READER = TypeAdapter(_Document)


@dataclass(frozen=True)
class Words:
    """Words of the chunks of a run.

    Attributes:
        recogniser: who listened; "" if nobody did.
        chunks: digest of a chunk's samples to its words, in seconds from the start of the chunk. A take with other
            samples has another digest, so it never has the words of the old one.
    """

    recogniser: str = ""
    chunks: dict[str, tuple[Word, ...]] | None = None

    def of(self, wave: np.ndarray) -> tuple[Word, ...] | None:
        """The words of a chunk, float32 [n_samples]; None if nobody listened to it."""
        return (self.chunks or {}).get(digest(wave))


def digest(wave: np.ndarray) -> str:
    """Sha256 of the samples of ``wave``, 16 digits of it."""
    return hashlib.sha256(np.ascontiguousarray(wave, np.float32).tobytes()).hexdigest()[:16]


def read_words(folder: Path) -> Words:
    """The words kept in the folder of a run; none if there are none, or their file is damaged."""
    path = folder / NAME
    try:
        if not path.is_file():
            return Words()
        with path.open("rb") as file:
            found = _READER.validate_json(file.read(_MAX_BYTES))
    except (OSError, ValidationError):
        return Words()
    return Words(found["recogniser"], {sha: tuple(Word(*row) for row in rows) for sha, rows in found["chunks"].items()})


def words_in_run(run: Run, words: Words) -> tuple[Word, ...] | None:
    """Return the words of the whole ``run``, in seconds from its start; None if nobody listened to all of it."""
    if not words.chunks:
        return None
    found: list[Word] = []
    for start, result in zip(run.starts, run.chunks, strict=True):
        of_chunk = words.of(result.wave)
        if of_chunk is None:
            return None
        at = start / run.sample_rate
        found += [Word(at + w.start, at + w.end, w.text, w.confidence) for w in of_chunk]
    return tuple(found)


def kept_words(run: Run) -> tuple[Word, ...] | None:
    """Return ``words_in_run`` of what is kept beside ``run``; None if it is not saved."""
    try:
        return words_in_run(run, read_words(run_folder(run.id)))
    except RunError:
        return None


def hear_words(run: Run, indices: list[int], *, on_chunk: Callable[[int, int], None] | None = None) -> Words:
    """Listen to the chunks ``indices`` of a saved run and keep the words beside those heard before.

    Args:
        on_chunk: called with (number done, number in all) before each chunk; may raise Cancelled.

    Raises:
        RecogniserError: nothing here can listen; the message says what to install and to fetch.
        RunError: the run was deleted meanwhile.
        OutputError: the words cannot be written.
    """
    folder = run_folder(run.id)
    before, heard = read_words(folder), {}
    ears = load_recogniser(language=chunk_sound(run, indices[0]).language)
    kept = dict(before.chunks or {}) if before.recogniser == ears.spec.name else {}
    for done, index in enumerate(indices):
        if on_chunk is not None:
            on_chunk(done, len(indices))
        sound = chunk_sound(run, index)
        heard[digest(sound.wave)] = ears.words(sound.wave, run.sample_rate, language=sound.language)
    found = Words(ears.spec.name, kept | heard)
    _write(folder, found)
    return found


def _write(folder: Path, words: Words) -> None:
    if not folder.is_dir():
        raise RunError(f"There is no run {folder.name}.", remedy="It may have been deleted.")
    rows: dict[str, Any] = {
        sha: [[round(w.start, 3), round(w.end, 3), w.text, round(w.confidence, 4)] for w in found]
        for sha, found in (words.chunks or {}).items()
    }
    try:
        write_json(folder / NAME, {"format": 1, "recogniser": words.recogniser, "chunks": rows})
    except (OSError, ValueError) as error:
        raise OutputError(
            f"The words of {folder.name} cannot be written: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error
