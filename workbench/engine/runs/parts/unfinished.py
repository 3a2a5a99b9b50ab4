"""Runs that were begun and not finished: where they lie, what is known of them, and their removal."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.engine.errors import OutputError, RunError, WorkbenchError, reason_of, remedy_for
from workbench.engine.runs.document import ID, MAX_BYTES
from workbench.engine.runs.parts.stored import FOLDER, StoredChunk
from workbench.engine.runs.paths import PARTIAL as SUFFIX
from workbench.engine.runs.paths import checked_id, folder_bytes, runs_root
from workbench.engine.settings import MelConfig
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.results import ChunkResult

REQUEST = "request.json"
_LOCK = "lock"


@dataclass(frozen=True)
class Unfinished:
    """A run that was begun and not finished.

    Attributes:
        id: of the run that it becomes.
        created_at: when it was begun, ISO 8601, UTC.
        n_done, n_chunks: chunks that are finished, and all of them.
        text: what is spoken.
        problem: why it cannot go on, or "".
    """

    id: str
    created_at: str = ""
    n_done: int = 0
    n_chunks: int = 0
    text: str = ""
    problem: str = ""


def folder_of(run_id: str) -> Path:
    """Where the run ``run_id`` is, or would be, in the making."""
    return runs_root() / f"{run_id}{SUFFIX}"


def folders() -> list[Path]:
    """Folders of runs in the making, the newest first."""
    try:
        with os.scandir(runs_root()) as entries:
            names = [e.name for e in entries if e.name.endswith(SUFFIX) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [runs_root() / name for name in sorted(names, reverse=True) if ID.fullmatch(name.removesuffix(SUFFIX))]


def hold(folder: Path) -> Any | None:
    """The lock of the folder; None if a living process has it."""
    import filelock

    lock = filelock.FileLock(folder / _LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        return None
    except NotImplementedError:  # no locks on this disk
        pass
    return lock


def move(folder: Path, target: Path, lock: Any) -> Any | None:
    """Rename the folder whose ``lock`` is held; return its lock, or None if another process was quicker.

    Windows renames no folder that holds an open file, so there the lock is released and taken again.
    """
    try:
        folder.rename(target)
        return lock
    except PermissionError:
        lock.release()
        folder.rename(target)
        return hold(target)


def read(folder: Path) -> dict[str, Any]:
    """request.json of ``folder``, checked. Raises RunError."""
    run_id = folder.name.removesuffix(SUFFIX)
    try:
        if not (folder / REQUEST).is_file():  # a pipe would be read for ever
            raise FileNotFoundError(REQUEST)
        with (folder / REQUEST).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
        request = SpeechRequest.from_dict(found["request"])
        known = {name: str(found[name]) for name in ("digest", "created_at")}
        environment = {str(name): str(value) for name, value in found["environment"].items()}
        request = request.stored([voice.id for voice in request.voices])
        request = request.with_voices(lambda voice: voice.replace(recording=str(folder / voice.recording)))
        loaded = {name: str(found[name]) for name in ("device", "dtype", "backend")}
        weights = {str(name): str(value) for name, value in found["weights"].items()}
        return known | {"request": request, "environment": environment, "n_chunks": int(found["n_chunks"]),
                        "mel_config": asdict(MelConfig(**found.get("mel_config", {}))),
                        "known": loaded | {"weights": weights}}  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, WorkbenchError) as error:
        raise RunError(
            f"The unfinished run {run_id} cannot be read: {type(error).__name__} in {REQUEST}.",
            remedy=f"Delete it: `workbench runs rm {run_id}`.",
        ) from error


def every() -> list[Unfinished]:
    """Runs that were begun and not finished, the newest first; those of living processes are among them."""
    return [_summary(folder) for folder in folders()]


def _summary(folder: Path) -> Unfinished:
    run_id = folder.name.removesuffix(SUFFIX)
    try:
        known = read(folder)
    except RunError as error:
        return Unfinished(run_id, problem=str(error))
    n_done = 0
    with contextlib.suppress(OSError):
        n_done = sum(name.endswith(".npz") for name in os.listdir(folder / FOLDER))
    return Unfinished(run_id, known["created_at"], n_done, known["n_chunks"], known["request"].text)


def request_of(run_id: str) -> SpeechRequest:
    """What the unfinished run ``run_id`` was asked for, with the recording of its voice.

    Raises:
        RunError: no such run, it is finished, or it is damaged.
    """
    folder = folder_of(checked_id(run_id))
    if not folder.is_dir():
        done = (runs_root() / run_id).is_dir()
        raise RunError(
            f"The run {run_id} is finished." if done else f"There is no unfinished run {run_id}.",
            remedy="See `workbench runs ls`.",
        )
    request: SpeechRequest = read(folder)["request"]
    return request


def drop(run_id: str) -> int:
    """Remove the folder of a run in the making; returns the bytes that are free again. None there: 0.

    Raises:
        RunError: another process is making it.
        OutputError: it cannot be removed.
    """
    folder = folder_of(checked_id(run_id))
    if not folder.is_dir():
        return 0
    size = folder_bytes(folder)
    try:
        lock = hold(folder)
        if lock is None:
            raise RunError(f"The run {run_id} is being made.", remedy="Cancel it first.")
        doomed = folder.with_name(f".{run_id}{SUFFIX}.deleted")
        if (lock := move(folder, doomed, lock)) is not None:
            lock.release()
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"The unfinished run {run_id} cannot be removed: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error
    return size


def settled(making_id: str, results: Sequence[ChunkResult], folder: Path) -> None:
    """The run is saved in ``folder``: its chunks are read from there, and what it was made in is removed."""
    made_in = folder_of(making_id)
    for result in results:
        if isinstance(result, StoredChunk) and result.parts.folder.parent == made_in:
            result.parts.folder = folder / FOLDER
    with contextlib.suppress(OSError):
        doomed = made_in.rename(made_in.with_name(f".{making_id}{SUFFIX}.deleted"))
        shutil.rmtree(doomed)
