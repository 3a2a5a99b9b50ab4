"""Sound over HTTP, for the player and for tables: read-only, by id, nothing that was not made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from workbench.engine.audio import to_bytes
from workbench.engine.errors import WorkbenchError

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_GONE = "There is no such sound.\n"


def _missing() -> Response:
    return Response(_GONE, status_code=404, media_type="text/plain")


def _job_chunk(job_id: str, index: int) -> bytes | None:
    from workbench.ui.resources import job_manager

    chunks = getattr(job_manager().get(job_id), "chunks", ())
    return to_bytes(chunks[index].wave, chunks[index].sample_rate) if index < len(chunks) else None


def _run_chunk(run_id: str, index: int) -> bytes | None:
    from workbench.engine.runs import load_run

    chunks = load_run(run_id, trajectories=False).chunks
    return to_bytes(chunks[index].wave, chunks[index].sample_rate) if index < len(chunks) else None


async def chunk_of_job(request: Request) -> Response:
    """One finished chunk of a job, as WAV."""
    return await _wav(_job_chunk, request)


async def chunk_of_run(request: Request) -> Response:
    """One chunk of a saved run, as WAV."""
    return await _wav(_run_chunk, request)


async def _wav(make: Callable[[str, int], bytes | None], request: Request) -> Response:
    try:
        content = await run_in_threadpool(make, request.path_params["id"], request.path_params["index"])
    except WorkbenchError:
        content = None
    return Response(content, media_type="audio/wav", headers=_HEADERS) if content else _missing()


async def audio_of_run(request: Request) -> Response:
    """All of a saved run, as WAV; ranges are served, so a player can seek."""
    from workbench.engine.runs import run_folder

    try:
        path = run_folder(request.path_params["id"]) / "audio.wav"
    except WorkbenchError:
        return _missing()
    return FileResponse(path, media_type="audio/wav", headers=_HEADERS) if path.is_file() else _missing()


ROUTES = [
    Route("/api/jobs/{id}/{index:int}.wav", chunk_of_job),
    Route("/api/runs/{id}/{index:int}.wav", chunk_of_run),
    Route("/api/runs/{id}/audio.wav", audio_of_run),
    Mount("/fonts", StaticFiles(directory=Path(__file__).with_name("fonts"))),
]
