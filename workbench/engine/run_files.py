"""The files of a run: what is written into its folder, and how it is read back."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine.audio import to_bytes
from workbench.engine.errors import RunError
from workbench.engine.monitor import Sample
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.text import Chunk
from workbench.engine.timing import ChunkTiming, Span

if TYPE_CHECKING:  # results and sampling import torch, which listing runs does not need
    from workbench.engine.results import ChunkResult, Run

FORMAT_VERSION = 1
ENVELOPE_POINTS = 96
_PLAIN = (
    *("id", "created_at", "model", "voice", "voice_id", "ref_text", "text", "device", "dtype", "loads"),
    *("load_seconds", "time_to_first_audio_seconds", "total_seconds", "environment"),
)


def write_files(folder: Path, run: Run, origin: dict[str, Any]) -> None:
    """Everything of ``run`` into ``folder``: run.json, chunks.npz, audio.wav, and trajectories.npz if kept.

    ``origin`` says in run.json where the run came from.
    """
    _write_arrays(folder, run)
    (folder / "audio.wav").write_bytes(to_bytes(run.wave, run.sample_rate))
    (folder / "run.json").write_text(json.dumps(_as_json(run) | origin, ensure_ascii=False, indent=1), "utf-8")


def read_run(folder: Path, *, trajectories: bool = True) -> Run:
    """The run in ``folder``. Raises OSError, KeyError, TypeError or ValueError if its files are damaged."""
    from workbench.engine.results import Run

    document = read_json(folder)
    return Run(
        **{key: document[key] for key in _PLAIN},
        settings=SynthesisSettings(**document["settings"]),
        chunks=_read_chunks(folder, document, trajectories),
        spans=tuple(Span(**span) for span in document["spans"]),
        mel_config=MelConfig(**document["mel_config"]),
        utilisation=tuple(Sample(**sample) for sample in document["utilisation"]),
    )


def read_json(folder: Path) -> dict[str, Any]:
    """run.json of ``folder``, parsed once for each version of the file. Treat it as read-only: it is shared."""
    path = folder / "run.json"
    return _parse(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _parse(path: str, changed_ns: int) -> dict[str, Any]:
    document = json.loads(Path(path).read_text("utf-8"))
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"format {document.get('format_version') if isinstance(document, dict) else '?'} is not known")
    return document


def _as_json(run: Run) -> dict[str, Any]:
    """``run.as_dict()`` and what reading it back needs."""
    return run.as_dict() | {
        "format_version": FORMAT_VERSION,
        "plans": [asdict(c.chunk) for c in run.chunks],
        "starts_samples": list(run.starts),
        "mel_config": asdict(run.mel_config),
        "utilisation": [sample.as_dict() for sample in run.utilisation],
        "envelope": envelope(run.wave),
        "has_trajectory": any(c.trajectory is not None for c in run.chunks),
    }


def envelope(wave: np.ndarray, points: int = ENVELOPE_POINTS) -> list[float]:
    """Peaks of ``wave`` [n_samples] in ``points`` equal stretches, three decimals."""
    if not len(wave):
        return []
    edges = np.linspace(0, len(wave), min(points, len(wave)), endpoint=False).astype(int)
    return [round(float(peak), 3) for peak in np.maximum.reduceat(np.abs(wave), edges)]


def _write_arrays(folder: Path, run: Run) -> None:
    arrays, states = {}, {}
    for i, result in enumerate(run.chunks):
        arrays[f"wave_{i}"], arrays[f"mel_{i}"] = result.wave, result.mel
        if result.trajectory is not None:
            states[f"times_{i}"] = result.trajectory.times
            states[f"states_{i}"] = result.trajectory.states
            states[f"distances_{i}"] = result.trajectory.distances
    np.savez(folder / "chunks.npz", **arrays)
    if states:
        np.savez(folder / "trajectories.npz", **states)


def _read_chunks(folder: Path, document: dict[str, Any], trajectories: bool) -> tuple[ChunkResult, ...]:
    from workbench.engine.results import ChunkResult
    from workbench.engine.sampling import Trajectory

    states: dict[str, np.ndarray] = {}
    if trajectories and (folder / "trajectories.npz").exists():
        states = _read_npz(folder / "trajectories.npz")
    arrays = _read_npz(folder / "chunks.npz")
    rate = MelConfig(**document["mel_config"]).target_sample_rate
    results = []
    for i, (plan, row) in enumerate(zip(document["plans"], document["chunks"], strict=True)):
        kept = f"states_{i}" in states
        flow = Trajectory(states[f"times_{i}"], states[f"states_{i}"], states[f"distances_{i}"]) if kept else None
        chunk = Chunk(**(plan | {"warnings": tuple(plan["warnings"])}))
        results.append(
            ChunkResult(chunk, row["seed"], arrays[f"wave_{i}"], arrays[f"mel_{i}"], flow, _timing(row), rate)
        )
    return tuple(results)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    from zipfile import BadZipFile

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (BadZipFile, EOFError) as error:
        raise ValueError(f"{path.name} is cut short") from error


def _timing(row: dict[str, Any]) -> ChunkTiming:
    names = ("text_seconds", "ode_seconds", "vocoder_seconds", "total_seconds", "n_evaluations")
    return ChunkTiming(**{name: row[name] for name in names}, step_seconds=tuple(row["step_seconds"]))


def damaged(run_id: str, error: Exception) -> RunError:
    """What to say about a run whose files cannot be read."""
    if isinstance(error, RunError):
        return error
    kind = f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0][:160]
    return RunError(f"The run {run_id} cannot be read: {kind}.", remedy="Delete it, or restore its folder.")
