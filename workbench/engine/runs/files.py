"""Write and read the files of a run: run.json, arrays, audio.wav and reference.wav."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.engine.errors import OutputError
from workbench.engine.rules import REFERENCE_MAX_SECONDS
from workbench.engine.runs.arrays import Arrays
from workbench.engine.runs.document import FORMAT_VERSION, MAX_BYTES, RunDocument, damaged, read_document_of
from workbench.engine.settings import MelConfig
from workbench.engine.signal.audio import exact_bytes, read_exact, to_bytes
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.results import REFERENCE_FILE, ChunkResult, Run
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import prepared_voice
from workbench.engine.timing import ChunkTiming, Sample, Span

if TYPE_CHECKING:
    from workbench.engine.signal.trajectory import Trajectory

ENVELOPE_POINTS = 96
_PLAIN = (
    *("id", "created_at", "device", "dtype", "loads", "load_seconds", "time_to_first_audio_seconds", "total_seconds"),
    *("environment", "weights", "unknown_settings"),
)
_TIMES = ("text_seconds", "ode_seconds", "vocoder_seconds", "total_seconds", "n_evaluations")


def write_files(folder: Path, run: Run) -> None:
    """Write all files of ``run`` into ``folder``: arrays, audio.wav, reference.wav if there is one, then run.json.

    Raises:
        OSError: there is no space or no permission.
        OutputError: samples are not finite, or the run is too long to be read again.
    """
    document = json.dumps(_as_json(run), ensure_ascii=False, separators=(",", ":")).encode()
    if len(document) > MAX_BYTES:
        raise OutputError(
            f"The run has {len(run.chunks):,} chunks and {len(run.spans):,} spans, more than a saved run can hold.",
            remedy="Download it, or use fewer and larger chunks.",
        )
    _write_arrays(folder, run)
    (folder / "audio.wav").write_bytes(to_bytes(run.wave, run.sample_rate))
    if run.reference is not None:
        (folder / REFERENCE_FILE).write_bytes(exact_bytes(run.reference, run.sample_rate))
    (folder / "run.json").write_bytes(document)


def read_run(folder: Path, *, trajectories: bool = True) -> Run:
    """Read the run in ``folder``; without ``trajectories``, the states of its ODE are not read.

    Raises:
        RunError: files are missing, damaged, or do not match.
    """
    document = read_document_of(folder)
    try:
        chunks = _read_chunks(folder, document, trajectories)
    except OSError as error:
        raise damaged(folder.name, error.strerror or str(error)) from error
    except ValueError as error:
        raise damaged(folder.name, str(error)) from error
    request, reference = _read_request(folder, document)
    return Run(
        **{key: document[key] for key in _PLAIN},  # type: ignore[literal-required]
        request=request,
        reference=reference,
        chunks=chunks,
        spans=tuple(Span(**span) for span in document["spans"]),
        mel_config=MelConfig(**document["mel_config"]),
        utilisation=tuple(Sample(**sample) for sample in document["utilisation"]),
    )


def _read_request(folder: Path, document: RunDocument) -> tuple[SpeechRequest, np.ndarray | None]:
    """Return the request and the reference recording of the run, float32 [n_samples].

    The recording is None if it is missing, damaged or belongs to another voice. The run can still be heard then.
    """
    request = SpeechRequest.from_dict(document["request"])
    path, config = folder / REFERENCE_FILE, MelConfig(**document["mel_config"])
    wave = read_exact(path, config.target_sample_rate, REFERENCE_MAX_SECONDS + 1)
    if wave is None or prepared_voice(wave, request.voice, config) is None:
        return request.replace(voice=request.voice.replace(recording="")), None
    return request.replace(voice=request.voice.replace(recording=str(path))), wave


def read_wave(folder: Path, index: int) -> tuple[np.ndarray, int]:
    """Return the samples of chunk ``index``, float32 [n_samples], and their rate in Hz, without reading other chunks.

    Raises:
        RunError: there is no such chunk, or the run is damaged.
    """
    document = read_document_of(folder)
    if not 0 <= index < len(document["chunks"]):
        raise damaged(folder.name, f"there is no chunk {index}")
    try:
        with Arrays(folder / "chunks.npz", 2 * len(document["chunks"])) as arrays:
            return _read_samples(arrays, document, index), document["mel_config"]["target_sample_rate"]
    except OSError as error:
        raise damaged(folder.name, error.strerror or str(error)) from error
    except ValueError as error:
        raise damaged(folder.name, str(error)) from error


def _as_json(run: Run) -> dict[str, Any]:
    """Return ``run.as_dict()`` with the fields that only reading needs."""
    return run.as_dict() | {
        "format_version": FORMAT_VERSION,
        "plans": [asdict(c.chunk) for c in run.chunks],
        "starts_samples": list(run.starts),
        "mel_config": asdict(run.mel_config),
        "utilisation": [sample.as_dict() for sample in run.utilisation],
        "envelope": envelope(run.wave),
        "has_trajectory": any(c.trajectory is not None for c in run.chunks),
        "sweep": run.request.sweep,
        "parent": run.request.remake.run if run.request.remake else "",
        "remade_chunk": run.request.remake.chunk if run.request.remake else None,
    }


def envelope(wave: np.ndarray, points: int = ENVELOPE_POINTS) -> list[float]:
    """Return the peaks of ``wave`` [n_samples] in ``points`` equal parts, with three decimals."""
    if not len(wave):
        return []
    edges = np.linspace(0, len(wave), min(points, len(wave)), endpoint=False).astype(int)
    return [round(float(peak), 3) for peak in np.maximum.reduceat(np.abs(wave), edges)]


def _write_arrays(folder: Path, run: Run) -> None:
    arrays: dict[str, Any] = {}
    states: dict[str, Any] = {}
    for i, result in enumerate(run.chunks):
        arrays[f"wave_{i}"], arrays[f"mel_{i}"] = result.wave, result.mel
        if result.trajectory is not None:
            states[f"times_{i}"] = result.trajectory.times
            states[f"states_{i}"] = result.trajectory.states
            states[f"distances_{i}"] = result.trajectory.distances
    np.savez(folder / "chunks.npz", **arrays)
    if states:
        np.savez(folder / "trajectories.npz", **states)


def _read_chunks(folder: Path, document: RunDocument, trajectories: bool) -> tuple[ChunkResult, ...]:
    """Read the chunks; with ``trajectories``, also their trajectories. Raises OSError or ValueError."""
    plans, rows = document["plans"], document["chunks"]
    mel = document["mel_config"]
    chunks = [_chunk({**plan}) for plan in plans]
    with Arrays(folder / "chunks.npz", 2 * len(rows)) as arrays:
        waves = [_read_samples(arrays, document, i) for i in range(len(rows))]
        mels = [arrays.read(f"mel_{i}", np.float32, (None, mel["n_mel_channels"])) for i in range(len(rows))]
    if not any(len(wave) for wave in waves):
        raise ValueError("chunks.npz holds no sound")
    wanted = trajectories and document["has_trajectory"]
    flows = _read_flows(folder, document) if wanted else [None] * len(rows)
    return tuple(
        ChunkResult(chunk, row["seed"], wave, made, flow, _timing(row), mel["target_sample_rate"])
        for chunk, row, wave, made, flow in zip(chunks, rows, waves, mels, flows, strict=True)
    )


def _read_samples(arrays: Arrays, document: RunDocument, index: int) -> np.ndarray:
    """Read the samples of a chunk. Raises ValueError unless there are as many as its row states."""
    n_samples = round(document["chunks"][index]["audio_seconds"] * document["mel_config"]["target_sample_rate"])
    return arrays.read(f"wave_{index}", np.float32, (n_samples,))


def _read_flows(folder: Path, document: RunDocument) -> list[Trajectory | None]:
    """Read the trajectory of each chunk; None for a chunk without one. Raises ValueError if there is none at all."""
    from workbench.engine.signal.trajectory import Trajectory

    n_chunks = len(document["chunks"])
    n_steps = cast(int, document["settings"]["nfe_step"])  # checked when the document was read
    n_mels = document["mel_config"]["n_mel_channels"]
    found: list[Trajectory | None] = []
    with Arrays(folder / "trajectories.npz", 3 * n_chunks) as arrays:
        for i in range(n_chunks):
            if f"states_{i}" not in arrays:
                found.append(None)
                continue
            states = arrays.read(f"states_{i}", np.float16, (None, None, n_mels))
            times = arrays.read(f"times_{i}", np.float32, (len(states),))
            found.append(Trajectory(times, states, arrays.read(f"distances_{i}", np.float32, (n_steps,))))
    if not any(found):
        raise ValueError("trajectories.npz holds no states")
    return found


def _chunk(plan: dict[str, Any]) -> Chunk:
    return Chunk(**plan | {"warnings": tuple(plan["warnings"])})


def _timing(row: Any) -> ChunkTiming:
    return ChunkTiming(
        **{name: row[name] for name in _TIMES}, step_seconds=tuple(row["step_seconds"]), made=row.get("made", "")
    )
