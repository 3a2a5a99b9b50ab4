"""Speak a saved run again, compare the waves, and name what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine.errors import DeviceError, WeightsError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.model.backends import equality_of
from workbench.engine.runs.store import load_run
from workbench.engine.settings import LoadSettings
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.timing import Progress

if TYPE_CHECKING:  # synthesis imports torch
    from workbench.engine.speech.results import ChunkResult, Run
    from workbench.engine.speech.synthesis import Engine
    from workbench.engine.speech.text import Chunk

_OF_WEIGHTS = {
    "acoustic": "acoustic weights",
    "vocoder": "vocoder weights",
    "layer": "EMA or raw weights",
    "revision": "revision",
}


@dataclass(frozen=True)
class Difference:
    """A property that may change the samples: ``then`` as recorded in the run, and ``now``."""

    what: str
    then: str
    now: str


@dataclass(frozen=True)
class Rerun:
    """Comparison of a run with the same run spoken again.

    Attributes:
        id: of the run.
        same: whether all samples are equal.
        chunks: for each chunk "index", "same" (whether all samples are equal) and "largest_difference" of a sample;
            None if the numbers of samples differ.
        differs: versions, machine, threads, device, number format and weights that differ.
        unrecorded: names of those that are unknown then or now, and cannot be compared.
        unknown_settings: names of settings of a newer version, which were not applied.
    """

    id: str
    same: bool
    chunks: tuple[dict[str, Any], ...]
    differs: tuple[Difference, ...]
    unrecorded: tuple[str, ...]
    unknown_settings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def rerun(
    run_id: str,
    *,
    pool: EnginePool | None = None,
    folder: Path | None = None,
    ref_audio: Path | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Rerun:
    """Speak the run again with its saved plan, and compare. Saves nothing.

    Args:
        run_id: of a saved run.
        pool: engines to use.
        folder: searched for the model's files instead of the folder recorded in the run.
        ref_audio: recording of its voice, for a run without its own.
        on_step: as in ``Engine.run``.

    Raises:
        WorkbenchError: the run, its model or its voice was not found.
    """
    run, pool = load_run(run_id, trajectories=False), pool or EnginePool()
    request = run.request.replace(remake=None, reuse=False, profile=False)
    if folder is not None:
        request = request.replace(folder=str(folder.absolute()))
    if ref_audio is not None:
        request = request.replace(voice=request.voice.replace(recording=str(ref_audio.absolute())))
    engine = _engine(pool, request, run)
    voice = pool.voice(request.voice, engine.loaded.spec.mel)
    long = _Compared(run.chunks)
    again = engine.fulfil(
        request, voice, chunks=[c.chunk for c in run.chunks], on_step=on_step, begin_long=lambda *_: long,
        voices=pool.cast(request, engine.loaded.spec.mel),
    )  # fmt: skip
    chunks = tuple(long.rows or (_compared(then, now) for then, now in zip(run.chunks, again.chunks, strict=True)))
    unknown = tuple(name for group in run.unknown_settings.values() for name in group)
    recorded = _recorded(run, again)
    return Rerun(
        id=run.id,
        same=all(c["same"] for c in chunks),
        chunks=chunks,
        differs=tuple(one for one in recorded if one.then and one.now and one.then != one.now),
        unrecorded=tuple(one.what for one in recorded if not (one.then and one.now)),
        unknown_settings=unknown,
    )


class _Compared:
    """Compares the chunks of a long run as they are made, and keeps none of them."""

    def __init__(self, before: Sequence[ChunkResult]) -> None:
        self._before = before
        self.rows: list[dict[str, Any]] = []
        self.n_found = 0

    def __enter__(self) -> _Compared:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def find(self, chunk: Chunk) -> None:
        """Return None: every chunk is made."""

    def keep(self, result: ChunkResult) -> ChunkResult:
        """Return the chunk of the run that ``result`` was compared to."""
        then = self._before[len(self.rows)]
        self.rows.append(_compared(then, result))
        return then


def _engine(pool: EnginePool, request: SpeechRequest, run: Run) -> Engine:
    """Return an engine with device, format, backend and weights of ``run``; what is not there, as requested."""
    try:
        return pool.engine_for(request.replace(load=LoadSettings.from_dict(run.load)))
    except DeviceError:  # another machine
        return pool.engine_for(request)
    except WeightsError:  # the file no longer holds these
        return pool.engine_for(request.replace(load=request.load.replace(weights="auto")))


def _compared(then: ChunkResult, now: ChunkResult) -> dict[str, Any]:
    alike = len(then.wave) == len(now.wave)
    largest = float(np.abs(then.wave - now.wave).max(initial=0.0)) if alike else None
    return {
        "index": then.chunk.index,
        "same": np.array_equal(then.wave, now.wave),
        "largest_difference": largest,
    }


def _recorded(then: Run, now: Run) -> list[Difference]:
    """Return every property that may change the samples, also equal ones; "" if unknown."""
    pairs = [("device", then.device, now.device), ("number format", then.dtype, now.dtype)]
    before, after = (equality_of(run.environment.get("backend", "")) for run in (then, now))
    pairs.append(("backend", before, after))
    names = [name for name in dict.fromkeys([*now.environment, *then.environment]) if name != "backend"]
    pairs += [(name, then.environment.get(name, ""), now.environment.get(name, "")) for name in names]
    kinds = [kind for kind in _OF_WEIGHTS if kind in ("acoustic", "vocoder") or kind in then.weights]
    pairs += [(_OF_WEIGHTS[kind], then.weights.get(kind, ""), now.weights.get(kind, "")) for kind in kinds]
    return [Difference(*pair) for pair in pairs]
