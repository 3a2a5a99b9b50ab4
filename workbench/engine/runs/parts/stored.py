"""A chunk whose arrays lie in a file of their own, ``parts/00012.npz``, and are read each time they are asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.errors import RunError
from workbench.engine.files.writing import sha256_of, write_whole
from workbench.engine.runs.arrays import Arrays
from workbench.engine.runs.document import damaged
from workbench.engine.signal.joining import check_finite
from workbench.engine.signal.trajectory import Trajectory
from workbench.engine.speech.results import ChunkResult
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import ChunkTiming

FOLDER = "parts"  # in the folder of a run
_ARRAYS = 5  # wave, mel and three of a trajectory


def part_name(index: int) -> str:
    """Name of the file of chunk ``index``."""
    return f"{index:05d}.npz"


class Parts:
    """A folder of parts, and what is in them; ``folder`` changes when it is moved."""

    def __init__(self, folder: Path, n_mels: int, sample_rate: int) -> None:
        self.folder, self.n_mels, self.sample_rate = folder, n_mels, sample_rate

    def path(self, index: int) -> Path:
        """File of chunk ``index``."""
        return self.folder / part_name(index)

    def damaged(self, index: int, reason: str) -> RunError:
        """The error for a part that cannot be read."""
        return damaged(self.folder.parent.name, f"chunk {index + 1}: {reason}")

    def missing(self, n_chunks: int) -> int | None:
        """The first of ``n_chunks`` that has no file; None if all are there. Raises OSError."""
        names = set(os.listdir(self.folder))
        return next((index for index in range(n_chunks) if part_name(index) not in names), None)

    def write(self, result: ChunkResult) -> str:
        """Write the arrays of ``result``, whole or not at all. Returns the sha256 of their file.

        Raises:
            OSError: no space, no permission.
            OutputError: samples that are not finite.
        """
        path = self.path(result.chunk.index)
        if isinstance(result, StoredChunk) and result.path != path:
            return _copied(result.path, path)
        check_finite(result.wave)
        arrays: dict[str, Any] = {"wave": result.wave, "mel": result.mel}
        if result.trajectory is not None:
            flow = result.trajectory
            arrays |= {"times": flow.times, "states": flow.states, "distances": flow.distances}
        write_whole(path, lambda draft: _save(draft, arrays))
        return sha256_of(path)


def _save(path: Path, arrays: dict[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _copied(source: Path, target: Path) -> str:
    """The same file under a second name; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return ""


class StoredChunk(ChunkResult):
    """A chunk whose ``wave``, ``mel`` and ``trajectory`` are read from disk, and checked, at each access.

    Raises:
        RunError: at an access, if its file is missing or damaged.
    """

    def __init__(
        self, chunk: Chunk, seed: int, timing: ChunkTiming, n_samples: int, parts: Parts, error: str = ""
    ) -> None:
        known = {"chunk": chunk, "seed": seed, "timing": timing, "sample_rate": parts.sample_rate, "error": error}
        for name, value in (known | {"parts": parts, "_n_samples": n_samples}).items():
            object.__setattr__(self, name, value)  # the class is frozen

    parts: Parts
    _n_samples: int

    @property
    def path(self) -> Path:
        """Where its arrays lie."""
        return self.parts.path(self.chunk.index)

    @property
    def n_samples(self) -> int:
        return self._n_samples

    @property
    def wave(self) -> np.ndarray:
        return self._read("wave", np.float32, (self._n_samples,))

    @property
    def mel(self) -> np.ndarray:
        return self._read("mel", np.float32, (None, self.parts.n_mels))

    @property
    def trajectory(self) -> Trajectory | None:
        try:
            with Arrays(self.path, _ARRAYS) as arrays:
                if "states" not in arrays:
                    return None
                states = arrays.read("states", np.float16, (None, None, self.parts.n_mels))
                times = arrays.read("times", np.float32, (len(states),))
                return Trajectory(times, states, arrays.read("distances", np.float32, (None,)))
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _read(self, name: str, dtype: type, shape: tuple[int | None, ...]) -> np.ndarray:
        try:
            with Arrays(self.path, _ARRAYS) as arrays:
                return arrays.read(name, dtype, shape)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: OSError | ValueError) -> Exception:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        return self.parts.damaged(self.chunk.index, reason)


def row_of(result: ChunkResult) -> dict[str, Any]:
    """What is measured of a chunk, to the microsecond, as the document of a long run has it."""
    t = result.timing
    times = {name: round(getattr(t, name), 6) for name in ("text_seconds", "ode_seconds", "vocoder_seconds")}
    return {
        "text": result.chunk.text, "seed": result.seed, "audio_seconds": result.audio_seconds, **times,
        "total_seconds": round(t.total_seconds, 6), "step_seconds": [round(s, 6) for s in t.step_seconds],
        "n_evaluations": t.n_evaluations, "made": t.made, **({"error": result.error} if result.error else {}),
    }  # fmt: skip


def stored(chunk: Chunk, row: Mapping[str, Any], parts: Parts) -> StoredChunk:
    """The chunk of a ``row`` that ``row_of`` made."""
    names = ("text_seconds", "ode_seconds", "vocoder_seconds", "total_seconds", "n_evaluations")
    timing = ChunkTiming(
        **{name: row[name] for name in names}, step_seconds=tuple(row["step_seconds"]), made=row.get("made", "")
    )
    n_samples = round(row["audio_seconds"] * parts.sample_rate)
    return StoredChunk(chunk, row["seed"], timing, n_samples, parts, row.get("error", ""))
