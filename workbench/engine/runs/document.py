"""Read and check run.json: its fields, their types and bounds.

No other module reads run.json. In a checked document every field exists, has its type and is finite, and the rows of
plans and chunks match. Documents of older programs pass ``upgrades`` first. Unknown fields are dropped; unknown
settings are kept in ``unknown_settings``.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from workbench.engine.errors import RunError, SettingsError
from workbench.engine.rules import TEXT_MAX_BYTES
from workbench.engine.runs.upgrades import FORMAT_VERSION, lifted, plain, upgraded
from workbench.engine.settings import MelConfig
from workbench.engine.speech.requests import SpeechRequest

__all__ = ["FORMAT_VERSION", "ID", "MAX_BYTES", "RunDocument", "damaged", "parse", "read_document_of"]
MAX_BYTES = 16 * 2**20  # of run.json: about 100,000 ODE steps; a hostile file of this size takes 600 MB to parse
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6,16}")


def _iso(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is not a date and time") from error
    return value


def _id_or_nothing(value: str) -> str:
    if value and not ID.fullmatch(value):
        raise ValueError("is not the id of a run")
    return value


def _request(value: dict[str, Any]) -> dict[str, Any]:
    """Return the complete request; missing settings get their defaults. Raises ValueError if it is invalid."""
    try:
        return SpeechRequest.from_dict(value).as_dict()
    except (SettingsError, OverflowError) as error:
        raise ValueError(_unmarked(str(error))) from error


def _unmarked(text: str) -> str:
    """Return ``text`` without characters that a page could take for markup."""
    return re.sub(r"[^\w .,:'+-]", "?", text)


def _known_mel(value: dict[str, Any]) -> dict[str, Any]:
    MelConfig(**value)
    if not value["hop_length"] <= value["win_length"] <= value["n_fft"]:
        raise ValueError("hop_length <= win_length <= n_fft does not hold")
    return value


Count = Annotated[int, Field(ge=0, le=10_000_000)]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]
Bytes = Annotated[int, Field(ge=0, le=2**50)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Moment = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]  # seconds; loading is before 0
Percent = Annotated[float, Field(ge=0, le=1e5, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Word = Annotated[str, Field(max_length=300)]
Text = Annotated[str, Field(max_length=TEXT_MAX_BYTES)]
Place = Annotated[int, Field(ge=0, le=TEXT_MAX_BYTES)]
Warnings = Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=100)]
Knob = bool | Annotated[int, Field(ge=-(2**63), le=2**63)] | Annotated[float, Field(allow_inf_nan=False)] | Word | None


class Plan(TypedDict):
    """A chunk as it was planned."""

    index: Count
    text: Text
    n_bytes: Count
    duration_frames: Positive
    new_frames: Count
    planned_seconds: Seconds
    seed: Seed
    warnings: Warnings
    written: NotRequired[Text]
    start: NotRequired[Place]
    end: NotRequired[Place]
    pause_seconds: NotRequired[Seconds]
    lead_seconds: NotRequired[Seconds]
    passage: NotRequired[Count]
    begins_seconds: NotRequired[Seconds | None]


class Row(TypedDict):
    """What was measured of a chunk."""

    text: Text
    seed: Seed
    audio_seconds: Seconds
    text_seconds: Seconds
    ode_seconds: Seconds
    vocoder_seconds: Seconds
    total_seconds: Seconds
    step_seconds: Annotated[list[Seconds], Field(max_length=1_000)]
    n_evaluations: Count
    made: NotRequired[Literal["", "first run", "new length", "warm", "reused", "failed"]]
    error: NotRequired[Annotated[str, Field(max_length=2_000)]]


class _Span(TypedDict):
    name: Annotated[str, Field(max_length=60)]
    start_seconds: Moment
    seconds: Seconds
    chunk_index: Count | None


class _Sample(TypedDict):
    seconds: Moment
    cpu_percent: Percent
    process_cpu_percent: Percent
    memory_bytes: Bytes
    gpu_percent: Percent | None
    gpu_memory_bytes: Bytes | None


class _Mel(TypedDict):
    target_sample_rate: Annotated[int, Field(ge=8_000, le=96_000)]
    n_fft: Annotated[int, Field(ge=64, le=4_096)]
    win_length: Annotated[int, Field(ge=64, le=4_096)]
    hop_length: Annotated[int, Field(ge=64, le=2_048)]
    n_mel_channels: Annotated[int, Field(ge=16, le=256)]
    mel_spec_type: Annotated[str, Field(max_length=60)]


@with_config(ConfigDict(strict=True, extra="ignore"))
class RunDocument(TypedDict):
    """The content of run.json. ``id`` is always the name of its folder, not the value in the file."""

    format_version: int
    id: Annotated[str, Field(pattern=ID)]
    created_at: Annotated[str, Field(max_length=40), AfterValidator(_iso)]
    model: Word
    voice: Word
    voice_id: Word
    ref_text: Text
    text: Text
    device: Word
    dtype: Word
    settings: Annotated[dict[str, Knob], Field(max_length=200)]
    load_seconds: Seconds
    time_to_first_audio_seconds: Seconds
    total_seconds: Seconds
    audio_seconds: Seconds
    loads: Annotated[dict[Word, Count], Field(max_length=20)]
    chunks: Annotated[list[Row], Field(min_length=1)]
    plans: Annotated[list[Plan], Field(min_length=1)]
    spans: list[_Span]
    environment: Annotated[dict[Word, Word], Field(max_length=200)]
    mel_config: Annotated[_Mel, AfterValidator(_known_mel)]
    utilisation: Annotated[list[_Sample], Field(max_length=10_000)]
    envelope: Annotated[list[Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]], Field(max_length=1_000)]
    has_trajectory: bool
    sweep: Word
    parent: Annotated[str, AfterValidator(_id_or_nothing)]
    remade_chunk: Count | None
    request: Annotated[dict[str, Any], AfterValidator(_request)]
    unknown_settings: dict[Literal["settings", "load"], Annotated[dict[Word, Knob], Field(max_length=200)]]
    weights: Annotated[dict[Word, Word], Field(max_length=20)]
    apart: NotRequired[bool]  # each chunk has a file of its own, and its spans follow from its row
    n_planned: Count  # chunks of the whole text of a run that was stopped; 0 if it is finished
    takes: list[Positive]  # that are chosen, one a chunk; [] where all are as first made. Never from run.json


_READER = TypeAdapter(RunDocument)


def parse(content: bytes, run_id: str) -> RunDocument:
    """Return the checked document in ``content``, the bytes of run.json of the run ``run_id``.

    Raises:
        ValueError: the document is invalid; the message says why in one line.
    """
    try:
        document = from_json(content)
    except ValueError as error:
        raise ValueError(f"run.json is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise ValueError("run.json is not a JSON object")
    return checked(document, run_id)


def checked(document: dict[str, Any], run_id: str) -> RunDocument:
    """Return ``document``, of any format, in the current one. Raises ValueError if it is invalid."""
    try:
        found = _READER.validate_python(_unfolded(lifted(upgraded(document))) | {"id": run_id, "takes": []})
    except ValidationError as error:
        raise ValueError(_told(error)) from error
    found["settings"] = found["request"]["settings"]
    _check_rows(found)
    return found


def _unfolded(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a long run with the texts of its chunks in both tables; it holds them once."""
    plans, rows = document.get("plans"), document.get("chunks")
    if not document.get("apart") or not isinstance(plans, list) or not isinstance(rows, list):
        return document
    texts = [plan.get("text") if isinstance(plan, dict) else None for plan in plans]
    return document | {
        "chunks": [{"text": t, **row} if isinstance(row, dict) else row for t, row in zip(texts, rows, strict=False)]
        + rows[len(texts) :]
    }


def _told(error: ValidationError) -> str:
    """Return the first error in one line: field and reason."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = (
        first["loc"][:2] if first["loc"][0] in ("settings", "unknown_settings") else first["loc"]
    )  # further parts name the types that pydantic tried
    where = ".".join(plain(part) for part in path)
    if first["type"] == "missing":
        return f"{where} is missing"
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {' '.join(what.split())[:160].rstrip('.')}"


def _check_rows(document: RunDocument) -> None:
    """Raise ValueError unless plans, chunks, spans and indices match."""
    plans, rows = document["plans"], document["chunks"]
    if len(plans) != len(rows):
        raise ValueError(f"it has {len(plans)} planned chunks but {len(rows)} chunks")
    n_passages = len((document["request"].get("script") or {"passages": [None]})["passages"])
    for index, plan in enumerate(plans):
        if plan["index"] != index:
            raise ValueError(f"plans.{index}: index is {plan['index']}")
        if plan.get("passage", 0) >= n_passages:
            raise ValueError(f"plans.{index}: passage is {plan['passage']}, which does not exist")
    if any((span["chunk_index"] or 0) >= len(rows) for span in document["spans"]):
        raise ValueError("a span belongs to a chunk that does not exist")
    if (document["remade_chunk"] or 0) >= len(rows):
        raise ValueError(f"remade_chunk is {document['remade_chunk']}, which does not exist")


# Reading -------------------------------------------------------------------------------------------------------------


def read_document_of(folder: Path) -> RunDocument:
    """Read and check run.json of ``folder``: the run as it was first made. ``takes.state`` has it as it is now.

    Raises:
        RunError: run.json is missing, cannot be read, or is damaged.
    """
    path = folder / "run.json"
    try:
        if not path.is_file():  # reading a pipe or a device might never end
            raise damaged(folder.name, "run.json is missing")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise damaged(folder.name, f"run.json: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise damaged(folder.name, f"run.json is larger than {MAX_BYTES >> 20} MB")
    try:
        return parse(content, folder.name)
    except ValueError as error:
        raise damaged(folder.name, str(error)) from error


def damaged(run_id: str, reason: str) -> RunError:
    """Return the error for a run whose files cannot be read."""
    return RunError(f"The run {run_id} cannot be read: {reason}.", remedy="Delete it, or restore its folder.")
