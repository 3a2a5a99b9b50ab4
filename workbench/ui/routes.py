"""Serve sounds over HTTP, by id and read-only, and the scripts of the player."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from workbench.engine.errors import WorkbenchError
from workbench.engine.signal.audio import to_bytes
from workbench.ui import static

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_GONE = "There is no such sound.\n"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_INDEX = re.compile(r"[0-9]{1,6}", re.ASCII)  # of a chunk; Starlette's own converter takes 5,000 digits and fails


def _missing() -> Response:
    return Response(_GONE, status_code=404, media_type="text/plain", headers=_HEADERS)


def _job_chunk(job_id: str, index: int) -> bytes | None:
    from workbench.ui.resources import job_manager

    chunks = getattr(job_manager().get(job_id), "chunks", ())
    return to_bytes(chunks[index].wave, chunks[index].sample_rate) if index < len(chunks) else None


def _run_chunk(run_id: str, index: int) -> bytes | None:
    from workbench.engine.runs.parts.stored import FOLDER
    from workbench.engine.runs.store import load_wave, run_folder
    from workbench.ui.resources import saved_run

    if not (run_folder(run_id) / FOLDER).is_dir():
        return to_bytes(*load_wave(run_id, index))
    # the document of a long run is read once, not for each of its thousands of chunks; its sound stays on disk
    chunks = saved_run(run_id).chunks
    return to_bytes(chunks[index].wave, chunks[index].sample_rate) if index < len(chunks) else None


def _run_take(run_id: str, index: int, *, take: int) -> bytes:
    from workbench.engine.runs.takes.choosing import read_take

    found = read_take(run_id, index, take)
    return to_bytes(found.wave, found.sample_rate)


def _run_file(run_id: str) -> Path | None:
    """Return the path of a run's audio.wav; None if it is missing or no WAV file."""
    from workbench.engine.runs.takes.choosing import audio_file

    path = audio_file(run_id)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        begins = file.read(12)
    return path if begins[:4] in (b"RIFF", b"RF64") and begins[8:] == b"WAVE" else None


async def chunk_of_job(request: Request) -> Response:
    """Serve one finished chunk of a job as WAV."""
    return await _wav(_job_chunk, request)


async def chunk_of_run(request: Request) -> Response:
    """Serve one chunk of a saved run as WAV."""
    return await _wav(_run_chunk, request)


async def take_of_run(request: Request) -> Response:
    """Serve one take of a chunk of a saved run as WAV, chosen or not."""
    take = request.path_params["take"]
    if not _INDEX.fullmatch(take):
        return _missing()
    return await _wav(partial(_run_take, take=int(take)), request)


async def _wav(make: Callable[[str, int], bytes | None], request: Request) -> Response:
    index = request.path_params["index"]
    if not _INDEX.fullmatch(index):
        return _missing()
    try:
        content = await run_in_threadpool(make, request.path_params["id"], int(index))
    except WorkbenchError:
        content = None
    return Response(content, media_type="audio/wav", headers=_HEADERS) if content else _missing()


async def audio_of_run(request: Request) -> Response:
    """Serve the whole audio of a saved run as WAV. Ranges are supported, so a player can seek."""
    try:
        path = await run_in_threadpool(_run_file, request.path_params["id"])
    except (WorkbenchError, OSError):
        path = None
    return FileResponse(path, media_type="audio/wav", headers=_HEADERS) if path else _missing()


async def kept_sound(request: Request) -> Response:
    """Serve a sound that is in memory, by the hash of its bytes."""
    from workbench.ui.dock.store import sounds

    digest = request.path_params["digest"]
    content = sounds().get(digest) if _DIGEST.fullmatch(digest) else None
    return Response(content, media_type="audio/wav", headers=_HEADERS) if content else _missing()


class Scripts(StaticFiles):
    """Files that a browser keeps but asks about each time: after an update it never runs older scripts.

    Scripts and style sheets only: the folder is a package too.
    """

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if path.endswith((".js", ".css")) else ("", None)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


ROUTES = [
    Route("/api/runs/{id}/audio.wav", audio_of_run),
    Route("/api/jobs/{id}/{index}.wav", chunk_of_job),
    Route("/api/runs/{id}/{index}.wav", chunk_of_run),
    Route("/api/runs/{id}/{index}/takes/{take}.wav", take_of_run),
    Route("/api/sounds/{digest}.wav", kept_sound),
    Mount("/dock", Scripts(directory=static.FOLDER)),
    Mount("/fonts", StaticFiles(directory=Path(__file__).with_name("fonts"))),
]
