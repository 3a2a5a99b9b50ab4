"""A run in the making: ``runs/<id>.partial/`` holds the request, the voice, and each chunk that is finished.

Whatever ends the program, what lies there is whole: a chunk's file is renamed when it is written, and only then
noted in ``chunks.jsonl`` with its sha256. The same request goes on where the last one stopped. ``save_run`` makes the
run of it and removes the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from workbench.engine import rules
from workbench.engine.errors import OutputError, RunError, TextError, WorkbenchError, reason_of, remedy_for
from workbench.engine.files.leftovers import claim
from workbench.engine.files.writing import sha256_of, write_json
from workbench.engine.runs.document import MAX_BYTES
from workbench.engine.runs.parts.journal import JOURNAL, read_journal
from workbench.engine.runs.parts.stored import FOLDER, Parts, StoredChunk, row_of, stored
from workbench.engine.runs.parts.unfinished import REQUEST, folder_of, folders, hold, move, read
from workbench.engine.runs.paths import PARTIAL as SUFFIX
from workbench.engine.runs.paths import checked_id, runs_root
from workbench.engine.signal.audio import exact_bytes
from workbench.engine.speech.requests import REFERENCE_FILE, SpeechRequest, reference_file
from workbench.engine.speech.results import ChunkResult
from workbench.engine.speech.text import Chunk, n_bytes
from workbench.engine.timing import FAILED

if TYPE_CHECKING:  # both import torch
    from workbench.engine.model.loading import Loaded
    from workbench.engine.speech.voices import Voice

log = logging.getLogger("workbench.runs")

_ROW_BYTES, _STEP_BYTES = 500, 10  # upper bounds for a chunk and an ODE step in run.json


class Making:
    """The folder of a run in the making, held by this process until ``close``: the engine's ``LongRun``.

    Attributes:
        id: of the run.
        differs: what of the environment is other than when the run was begun; the last bits may depend on it.
        n_found: chunks that ``find`` returned.
    """

    def __init__(
        self, folder: Path, lock: Any, parts: Parts, differs: Sequence[str] = (), *, is_short: bool = False
    ) -> None:
        self.folder, self.parts, self.differs = folder, parts, tuple(differs)
        self.id = folder.name.removesuffix(SUFFIX)
        self._lock = lock
        self.n_found = self._n_kept = 0
        self._is_short = is_short
        if os.path.lexists(folder / JOURNAL) and not (folder / JOURNAL).is_file():  # a pipe would be waited for
            (folder / JOURNAL).unlink()
        self._noted = {noted["plan"]["index"]: noted for noted in read_journal(folder)}

    def __enter__(self) -> Making:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    @property
    def n_done(self) -> int:
        """Chunks that are noted as finished."""
        return len(self._noted)

    def find(self, chunk: Chunk) -> ChunkResult | None:
        """The result of ``chunk`` if it was made, as it is planned now, and its file is as it was written."""
        noted = self._noted.get(chunk.index)
        planned = _plan(chunk)
        if (
            noted is None
            or noted["row"].get("made") == FAILED
            or any(planned.get(name) != value for name, value in noted["plan"].items())
        ):
            return None
        try:
            path = self.parts.path(chunk.index)
            if not path.is_file() or sha256_of(path) != noted["sha256"]:
                raise RunError("its file is missing or has changed")
            found = stored(chunk, noted["row"], self.parts)
            _ = found.wave, found.mel
        except (OSError, WorkbenchError) as error:
            log.warning("chunk %d of %s is made again: %s", chunk.index, self.id, error)
            return None
        self.n_found += 1
        return found

    def keep(self, result: ChunkResult) -> ChunkResult:
        """Write ``result`` to disk and note it; returns it with its arrays there.

        A short run is in memory too, so that it only loses what keeps it after a crash.

        Raises:
            OutputError: it cannot be written, or holds samples that are not finite. What was kept before stays.
        """
        try:
            return result if isinstance(result, StoredChunk) else self._kept(result)
        except OutputError as error:
            if not self._is_short:
                raise
            log.warning("%s", error)
            return result

    def _kept(self, result: ChunkResult) -> ChunkResult:
        try:
            sha256 = self.parts.write(result)
            noted: dict[str, Any] = {"plan": _plan(result.chunk), "row": row_of(result), "sha256": sha256}
            with (self.folder / JOURNAL).open("ab") as file:
                file.write(b"\n" + json.dumps(noted, ensure_ascii=False).encode())  # after a line that was cut short
                file.flush()
                os.fsync(file.fileno())
            self._n_kept += 1
        except OSError as error:
            raise OutputError(
                f"Chunk {result.chunk.index + 1} of the run {self.id} cannot be kept: {reason_of(error)}.",
                remedy=f"{remedy_for(error)} Then go on with `workbench runs resume {self.id}`.",
            ) from error
        return stored(result.chunk, noted["row"], self.parts)

    def close(self) -> None:
        """Let another process go on with it. Nothing stays of a short run of which no chunk is finished."""
        self._lock.release()
        if self._is_short and not self._n_kept and not self._noted:
            shutil.rmtree(self.folder, ignore_errors=True)


def _plan(chunk: Chunk) -> dict[str, Any]:
    return asdict(chunk) | {"warnings": list(chunk.warnings)}


class Nowhere:
    """In place of the folder of a short run where there is no room for one: nothing is kept before its end."""

    n_found = 0

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *ignored: object) -> None:
        return None

    def find(self, chunk: Chunk) -> None:
        """Nothing was kept."""

    def keep(self, result: ChunkResult) -> ChunkResult:
        """Return ``result`` as it is."""
        return result


# Begin and go on -----------------------------------------------------------------------------------------------------


def begin(
    run_id: str,
    request: SpeechRequest,
    voice: Voice,
    loaded: Loaded,
    chunks: Sequence[Chunk],
    environment: dict[str, str],
    others: Sequence[Voice] = (),
) -> Making | Nowhere:
    """The folder in which the run ``run_id`` is made: that of the same request, if one was not finished, or a new one.

    A short run goes on only where it was begun itself: to speak its text once more may be to measure it once more.
    Close it when the run is saved, or was stopped.

    Raises:
        TextError: so many chunks that the run could not be saved.
        RunError: ``run_id`` was begun on another device or with other weights, or another process is making it.
        OutputError: it cannot be written.
    """
    _check_size(chunks, request.settings.nfe_step)
    known = {"device": loaded.device, "dtype": loaded.dtype, "backend": environment.get("backend", ""),
             "weights": loaded.weights}  # fmt: skip
    digest = _digest(request, known)
    mel, is_short = loaded.spec.mel, len(chunks) <= rules.LONG_RUN_CHUNKS
    target = folder_of(checked_id(run_id))
    try:
        for folder in _same(digest, target):
            if is_short and folder != target:
                continue
            lock = hold(folder)
            if lock is None:
                continue
            if folder != target:
                lock, folder = move(folder, target, lock), target
                if lock is None:
                    continue
            before = read(folder)["environment"]
            differs = [f"{name} {before[name]}, now {now}" for name, now in environment.items()
                       if before.get(name, now) != now]  # fmt: skip
            if differs:
                log.warning("%s was begun elsewhere, so the last bits may differ: %s", run_id, "; ".join(differs))
            parts = Parts(folder / FOLDER, mel.n_mel_channels, mel.target_sample_rate)
            return Making(folder, lock, parts, differs, is_short=is_short)
        if target.is_dir():
            raise _not_ours(target, known)
        with claim(target.with_name(f".{run_id}.part")) as draft:
            (draft / FOLDER).mkdir()
            (draft / REFERENCE_FILE).write_bytes(exact_bytes(voice.audio, mel.target_sample_rate))
            for other in others:
                (draft / reference_file(other.id)).write_bytes(exact_bytes(other.audio, mel.target_sample_rate))
            write_json(draft / REQUEST, known | {
                "digest": digest, "request": request.replace(voice=voice.ref).as_dict(), "n_chunks": len(chunks),
                "environment": environment, "mel_config": asdict(mel),
                "created_at": datetime.now(UTC).isoformat(timespec="seconds")})  # fmt: skip
            lock = move(draft, target, hold(draft))
            if lock is None:
                raise _not_ours(target, known)
    except OSError as error:
        if is_short:
            log.warning("what is finished of %s is not kept before its end: %s", run_id, reason_of(error))
            return Nowhere()
        raise OutputError(
            f"The run {run_id} cannot be begun in {runs_root()}: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error
    parts = Parts(target / FOLDER, mel.n_mel_channels, mel.target_sample_rate)
    return Making(target, lock, parts, is_short=is_short)


@contextlib.contextmanager
def begin_aside(
    run_id: str, request: SpeechRequest, voice: Voice, loaded: Loaded, chunks: Sequence[Chunk], *ignored: Any
) -> Iterator[Making]:
    """Keep the chunks as ``begin`` does, in a folder that is removed at the end: to measure what that costs."""
    mel = loaded.spec.mel
    with TemporaryDirectory(prefix="run-") as root:
        folder = Path(root) / run_id
        (folder / FOLDER).mkdir(parents=True)
        parts = Parts(folder / FOLDER, mel.n_mel_channels, mel.target_sample_rate)
        with Making(folder, hold(folder), parts, is_short=len(chunks) <= rules.LONG_RUN_CHUNKS) as making:
            yield making


def _not_ours(folder: Path, known: Mapping[str, Any]) -> RunError:
    """Why the run in the making in ``folder`` cannot go on here."""
    run_id, before = folder.name.removesuffix(SUFFIX), read(folder)
    if before["known"] == known:
        return RunError(f"The run {run_id} is being made by another process.", remedy="Wait for it, or stop it.")
    then, now = (", ".join((k["device"], k["dtype"], k["backend"], *(f"{n} {w[:12]}" for n, w in k["weights"].items())))
                 for k in (before["known"], known))  # fmt: skip
    return RunError(
        f"The run {run_id} was begun with {then}; here it would go on with {now}.",
        remedy=f"Go on there, or delete it: `workbench runs rm {run_id}`.",
    )


def _check_size(chunks: Sequence[Chunk], n_steps: int) -> None:
    texts = sum(2 * n_bytes(c.written) + 2 * c.n_bytes + n_bytes("".join(c.warnings)) for c in chunks)
    size = texts + len(chunks) * (_ROW_BYTES + _STEP_BYTES * n_steps)
    if size > MAX_BYTES:
        raise TextError(
            f"The text makes {len(chunks):,} chunks; one run can hold about {MAX_BYTES * len(chunks) // size:,}.",
            remedy="Split it, for instance into volumes.",
        )


def _digest(request: SpeechRequest, known: Mapping[str, Any]) -> str:
    """Equal for requests that make the same chunks."""
    unplaced = request.with_voices(lambda voice: voice.replace(recording="", name=""))
    plain = unplaced.replace(sweep="", reuse=False, profile=False).as_dict()
    return hashlib.sha256(json.dumps([plain, known], sort_keys=True).encode()).hexdigest()


def _same(digest: str, first: Path) -> Iterator[Path]:
    for folder in sorted(folders(), key=lambda folder: folder != first):
        with contextlib.suppress(RunError):
            if read(folder)["digest"] == digest:
                yield folder
