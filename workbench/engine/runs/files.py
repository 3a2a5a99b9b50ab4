"""Write and read the files of a run: run.json, arrays, audio.wav and reference.wav."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.engine.errors import OutputError
from workbench.engine.rules import REFERENCE_MAX_SECONDS
from workbench.engine.runs.arrays import Arrays
from workbench.engine.runs.document import FORMAT_VERSION, MAX_BYTES, RunDocument, damaged
from workbench.engine.runs.parts.stored import FOLDER, Parts, StoredChunk, part_name, row_of, stored
from workbench.engine.runs.takes.arrays import TakeFile
from workbench.engine.runs.takes.joined import envelope
from workbench.engine.runs.takes.ledger import FIRST
from workbench.engine.runs.takes.state import chunk_of, document_of, timing_of
from workbench.engine.settings import MelConfig
from workbench.engine.signal.audio import exact_bytes, read_exact
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.chunks import end_to_end, note_pauses
from workbench.engine.speech.requests import REFERENCE_FILE, SpeechRequest, VoiceRef, reference_file
from workbench.engine.speech.results import PROFILE_FILE, ChunkResult, Run
from workbench.engine.speech.voices import prepared_voice
from workbench.engine.timing import Sample, Span

if TYPE_CHECKING:
    from workbench.engine.signal.trajectory import Trajectory

_PLAIN = (
    *("id", "created_at", "device", "dtype", "loads", "load_seconds", "time_to_first_audio_seconds", "total_seconds"),
    *("environment", "weights", "unknown_settings", "n_planned"),
)


def write_files(folder: Path, run: Run) -> None:
    """Write all files of ``run`` into ``folder``: arrays, audio.wav, reference.wav if there is one, then run.json.

    Raises:
        OSError: there is no space or no permission.
        OutputError: samples are not finite, or the run is too long to be read again.
    """
    document = json.dumps(
        _as_json(run) | (_folded(run) if run.is_long else {}), ensure_ascii=False, separators=(",", ":")
    ).encode()
    if len(document) > MAX_BYTES:
        raise OutputError(
            f"The run has {len(run.chunks):,} chunks and {len(run.spans):,} spans, more than a saved run can hold.",
            remedy="Download it, or use fewer and larger chunks.",
        )
    if run.is_long:
        parts = Parts(folder / FOLDER, run.mel_config.n_mel_channels, run.sample_rate)
        parts.folder.mkdir()
        for result in run.chunks:
            parts.write(result)
    else:
        _write_arrays(folder, run)
    write_sound(folder / "audio.wav", run.blocks(), run.n_samples, run.sample_rate)
    kept = {REFERENCE_FILE: run.reference} | {reference_file(name): wave for name, wave in run.references.items()}
    for name, wave in kept.items():
        if wave is not None:
            (folder / name).write_bytes(exact_bytes(wave, run.sample_rate))
    if run.profile is not None:
        (folder / PROFILE_FILE).write_bytes(run.profile)
    (folder / "run.json").write_bytes(document)


def read_run(folder: Path, *, trajectories: bool = True) -> Run:
    """Read the run in ``folder``; without ``trajectories``, the states of its ODE are not read.

    Raises:
        RunError: files are missing, damaged, or do not match.
    """
    document = document_of(folder)
    try:
        chunks = (
            _stored_chunks(folder, document) if is_apart(document) else _read_chunks(folder, document, trajectories)
        )
    except OSError as error:
        raise damaged(folder.name, error.strerror or str(error)) from error
    except ValueError as error:
        raise damaged(folder.name, str(error)) from error
    request, recordings = read_request(folder, document)
    return Run(
        **{key: document[key] for key in _PLAIN},  # type: ignore[literal-required]
        request=request,
        reference=recordings.pop(request.voice.id, None),
        references=recordings,
        chunks=chunks,
        spans=_spans(document, chunks),
        mel_config=MelConfig(**document["mel_config"]),
        utilisation=tuple(Sample(**sample) for sample in document["utilisation"]),
        takes=tuple(document["takes"]),
    )


def read_request(folder: Path, document: RunDocument) -> tuple[SpeechRequest, dict[str, np.ndarray]]:
    """Return the request, and id to reference recording, float32 [n_samples], of each of its voices.

    A recording that is missing, damaged or of another voice is left out. The run can still be heard then.
    """
    config, found = MelConfig(**document["mel_config"]), {}
    request = SpeechRequest.from_dict(document["request"])
    request = request.stored([voice.id for voice in request.voices])

    def placed(voice: VoiceRef) -> VoiceRef:
        return voice.replace(recording=str(folder / voice.recording) if voice.id in found else "")

    for voice in request.voices:
        path = folder / voice.recording
        wave = read_exact(path, config.target_sample_rate, REFERENCE_MAX_SECONDS + 1)
        if wave is not None and prepared_voice(wave, voice, config) is not None:
            found[voice.id] = wave
    return request.with_voices(placed), found


def read_wave(folder: Path, index: int) -> tuple[np.ndarray, int]:
    """Return the samples of chunk ``index``, float32 [n_samples], and their rate in Hz, without reading other chunks.

    Raises:
        RunError: there is no such chunk, or the run is damaged.
    """
    document = document_of(folder)
    if (apart := _apart(folder, document, index)) is not None:
        return apart.wave, apart.sample_rate
    found = _of_first(folder, document, index, mel=False)
    return found.wave, found.sample_rate


def read_chunk(folder: Path, document: RunDocument, index: int) -> ChunkResult:
    """Return chunk ``index`` of ``document``, without its trajectory and without reading other chunks.

    Raises:
        RunError: there is no such chunk, or it is damaged.
    """
    return _apart(folder, document, index) or _of_first(folder, document, index)


def _of_first(folder: Path, document: RunDocument, index: int, mel: bool = True) -> ChunkResult:
    """Read chunk ``index`` from chunks.npz; without ``mel``, an empty one is in its place. Raises RunError."""
    config, row = document["mel_config"], document["chunks"][index]
    try:
        with Arrays(folder / "chunks.npz", 2 * len(document["chunks"])) as arrays:
            wave = _read_samples(arrays, document, index)
            shape = (None, config["n_mel_channels"])
            made = arrays.read(f"mel_{index}", np.float32, shape) if mel else np.zeros((0, shape[1]), np.float32)
    except OSError as error:
        raise damaged(folder.name, error.strerror or str(error)) from error
    except ValueError as error:
        raise damaged(folder.name, str(error)) from error
    chunk, rate = chunk_of(document["plans"][index]), config["target_sample_rate"]
    return ChunkResult(chunk, row["seed"], wave, made, None, timing_of(row), rate, row.get("error", ""))


def take_number(document: RunDocument, index: int) -> int:
    """The take of chunk ``index`` that is chosen."""
    return document["takes"][index] if document["takes"] else FIRST


def _apart(folder: Path, document: RunDocument, index: int) -> StoredChunk | None:
    """Chunk ``index`` as one whose arrays have a file of their own; None if they are in chunks.npz."""
    if not 0 <= index < len(document["chunks"]):
        raise damaged(folder.name, f"there is no chunk {index + 1}")
    mel, take = document["mel_config"], take_number(document, index)
    if take != FIRST:
        parts: Parts = TakeFile(folder, {**mel}, index, take)
    elif is_apart(document):
        parts = Parts(folder / FOLDER, mel["n_mel_channels"], mel["target_sample_rate"])
    else:
        return None
    return stored(chunk_of(document["plans"][index]), document["chunks"][index], parts)


def _as_json(run: Run) -> dict[str, Any]:
    """Return ``run.as_dict()`` with the fields that only reading needs."""
    return run.as_dict() | {
        "format_version": FORMAT_VERSION,
        "plans": [asdict(c.chunk) for c in run.chunks],
        "starts_samples": list(run.starts),
        "mel_config": asdict(run.mel_config),
        "utilisation": [sample.as_dict() for sample in run.utilisation],
        "envelope": envelope(run.blocks(), run.n_samples),
        "has_trajectory": run.settings.keep_trajectory and any(c.trajectory is not None for c in run.chunks),
        "sweep": run.request.sweep,
        "parent": run.request.remake.run if run.request.remake else "",
        "remade_chunk": run.request.remake.chunk if run.request.remake else None,
    }


def _folded(run: Run) -> dict[str, Any]:
    """Instead of these of ``_as_json``, for a long run: what can be made of the rest is left out."""
    rows = [row_of(result) for result in run.chunks]
    return {
        "apart": True,
        "chunks": [{name: value for name, value in row.items() if name != "text"} for row in rows],
        "spans": [span.as_dict() for span in run.spans if span.chunk_index is None],
        "starts_samples": [],
        "text": "",
    }


def is_apart(document: RunDocument) -> bool:
    """Whether each chunk of the run has a file of its own."""
    return document.get("apart", False)


def _stored_chunks(folder: Path, document: RunDocument) -> tuple[StoredChunk, ...]:
    """The chunks of a long run, whose arrays are read when they are asked for. Raises OSError or ValueError."""
    mel, n_chunks = document["mel_config"], len(document["chunks"])
    parts = Parts(folder / FOLDER, mel["n_mel_channels"], mel["target_sample_rate"])
    if (index := parts.missing(n_chunks)) is not None:
        raise ValueError(f"{FOLDER}/{part_name(index)} is missing")
    return tuple(cast(StoredChunk, _apart(folder, document, index)) for index in range(n_chunks))


def _spans(document: RunDocument, chunks: Sequence[ChunkResult]) -> tuple[Span, ...]:
    """The spans of the document; those of the chunks of a long run follow from their rows."""
    spans = tuple(Span(**span) for span in document["spans"])
    if not is_apart(document):
        return spans
    timeline, end = end_to_end(chunks)
    note_pauses(timeline, chunks, end)
    return spans + timeline.spans


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
    n_chunks, mel = len(document["chunks"]), document["mel_config"]
    others = {k: found for k in range(n_chunks) if (found := _apart(folder, document, k)) is not None}
    with Arrays(folder / "chunks.npz", 2 * n_chunks) as arrays:
        waves = [others[k].wave if k in others else _read_samples(arrays, document, k) for k in range(n_chunks)]
        mels = [
            others[k].mel if k in others else arrays.read(f"mel_{k}", np.float32, (None, mel["n_mel_channels"]))
            for k in range(n_chunks)
        ]
    if not any(len(wave) for wave in waves):
        raise ValueError("chunks.npz holds no sound")
    wanted = trajectories and document["has_trajectory"]
    flows = _read_flows(folder, document) if wanted else [None] * n_chunks
    flows = [others[k].trajectory if wanted and k in others else flow for k, flow in enumerate(flows)]
    return tuple(
        ChunkResult(
            chunk_of(plan), row["seed"], wave, made, flow, timing_of(row), mel["target_sample_rate"],
            row.get("error", ""),
        )
        for plan, row, wave, made, flow in zip(document["plans"], document["chunks"], waves, mels, flows, strict=True)
    )  # fmt: skip


def _read_samples(arrays: Arrays, document: RunDocument, index: int) -> np.ndarray:
    """Read the samples of a chunk. Raises ValueError unless there are as many as its row states."""
    n_samples = round(document["chunks"][index]["audio_seconds"] * document["mel_config"]["target_sample_rate"])
    return arrays.read(f"wave_{index}", np.float32, (n_samples,))


def _read_flows(folder: Path, document: RunDocument) -> list[Trajectory | None]:
    """Read the trajectory of each chunk; None for a chunk without one. Raises ValueError if there is none at all."""
    from workbench.engine.signal.trajectory import Trajectory

    n_chunks = len(document["chunks"])
    request = SpeechRequest.from_dict(document["request"])
    n_mels = document["mel_config"]["n_mel_channels"]
    found: list[Trajectory | None] = []
    with Arrays(folder / "trajectories.npz", 3 * n_chunks) as arrays:
        for i in range(n_chunks):
            if f"states_{i}" not in arrays:
                found.append(None)
                continue
            states = arrays.read(f"states_{i}", np.float16, (None, None, n_mels))
            times = arrays.read(f"times_{i}", np.float32, (len(states),))
            n_steps = request.settings_of(document["plans"][i].get("passage", 0)).nfe_step
            found.append(Trajectory(times, states, arrays.read(f"distances_{i}", np.float32, (n_steps,))))
    if not any(found):
        raise ValueError("trajectories.npz holds no states")
    return found
