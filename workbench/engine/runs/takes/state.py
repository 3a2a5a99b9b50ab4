"""The document of a run as it is now: run.json with the takes that are chosen in takes.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from workbench.engine.runs.document import Plan, Row, RunDocument, read_document_of
from workbench.engine.runs.parts.partial import is_partial, partial_document
from workbench.engine.runs.takes.joined import envelope_of
from workbench.engine.runs.takes.ledger import Ledger, read_ledger
from workbench.engine.signal.joining import join_places
from workbench.engine.speech.passages.places import silences
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk, text_of
from workbench.engine.timing import ChunkTiming, Timeline, note_chunk


def document_of(folder: Path) -> RunDocument:
    """Read the document of the run in ``folder``, with the takes that are chosen; of an unfinished run, what is made.

    Raises:
        RunError: run.json or takes.json is damaged, or run.json is missing.
    """
    if is_partial(folder):
        return with_length(partial_document(folder))
    document = read_document_of(folder)
    ledger = read_ledger(folder, len(document["chunks"]))
    return document if ledger.is_first else applied(document, ledger, envelope_of(folder, ledger))


def applied(document: RunDocument, ledger: Ledger, envelope: Sequence[float] | None = None) -> RunDocument:
    """Return ``document`` with the chosen takes of ``ledger``: their words, plans, times, and what follows from them.

    The chunks were made at different times, so the run has no time axis of its own: like that of a run with a chunk
    made again it is the chunks one after the other, and the use of the machine is left out.

    Args:
        document: of the run as first made.
        ledger: its takes.
        envelope: peaks of the joined sound; those of the first state if they are not known.
    """
    plans, rows = list(document["plans"]), list(document["chunks"])
    for chunk, take in ledger.chosen.items():
        found = ledger.row(chunk, take)
        plans[chunk], rows[chunk] = found["plan"], found["row"]
    words = {k: w for k, take in ledger.chosen.items() if (w := ledger.row(k, take)["words"]) is not None}
    text, plans = _with_words(document, plans, words)
    is_apart = document.get("apart", False)
    made = [] if is_apart else [span.as_dict() for span in _end_to_end(plans, rows).spans]  # else the reader makes them
    spoken = sum(row["total_seconds"] for row in rows)
    n_samples = joined_samples(document, plans, rows)
    before = [span for span in document["spans"] if span["start_seconds"] < 0]
    request = {**_moved(document, words), "text": text}
    return cast(RunDocument, {
        **document,
        "plans": plans, "chunks": rows, "text": text, "request": request, "utilisation": [],
        "spans": [*before, *made],
        "total_seconds": spoken, "time_to_first_audio_seconds": rows[0]["total_seconds"],
        "audio_seconds": n_samples / document["mel_config"]["target_sample_rate"],
        "envelope": document["envelope"] if envelope is None else list(envelope),
        "environment": _environment(document, ledger),
        "takes": [ledger.number(k) for k in range(len(rows))],
    })  # fmt: skip


def with_length(document: RunDocument) -> RunDocument:
    """Return ``document`` with the length of its chunks joined."""
    n_samples = joined_samples(document, document["plans"], document["chunks"])
    return cast(RunDocument, {**document, "audio_seconds": n_samples / document["mel_config"]["target_sample_rate"]})


def joined_samples(document: RunDocument, plans: Sequence[Plan], rows: Sequence[Row]) -> int:
    """Samples of the chunks of ``rows`` joined, as ``Run.n_samples``."""
    rate = document["mel_config"]["target_sample_rate"]
    pauses = [plans[0].get("lead_seconds", 0.0), *(plan.get("pause_seconds", 0.0) for plan in plans)]
    fades = SpeechRequest.from_dict(document["request"]).fades([plan.get("passage", 0) for plan in plans], rate)
    lengths = [round(row["audio_seconds"] * rate) for row in rows]
    begins = [plan.get("begins_seconds") for plan in plans]
    return join_places(lengths, fades, silences(pauses, begins, lengths, fades, rate))[1]


def _with_words(document: RunDocument, plans: Sequence[Plan], words: dict[int, str]) -> tuple[str, list[Plan]]:
    """Return the text with ``words``, chunk to words, in the places of the old ones, and the plans with their places.

    Where the places of an older run are unknown, the text is made of the chunks.
    """
    text, first = document["text"], document["plans"]
    if not words:
        return text, [
            _placed(plan, old.get("start", 0), old.get("end", 0)) for plan, old in zip(plans, first, strict=True)
        ]
    if not all(_is_there(text, first[chunk]) for chunk in words):
        return text_of([chunk_of(plan) for plan in plans]), list(plans)
    parts, placed, end, moved = [], [], 0, 0
    for index, plan in enumerate(plans):
        low, high = first[index].get("start", 0), first[index].get("end", 0)
        new = words.get(index)
        length = high - low if new is None else len(new)
        placed.append(_placed(plan, low + moved, low + moved + length))
        if new is not None:
            parts += [text[end:low], new]
            end, moved = high, moved + length - (high - low)
    return "".join([*parts, text[end:]]), placed


def _moved(document: RunDocument, words: dict[int, str]) -> dict[str, Any]:
    """The request, in which the passages of a script are where ``words`` put them."""
    request = document["request"]
    if not words or not request.get("script"):
        return request
    changes = [(plan.get("end", 0), len(new) - plan.get("end", 0) + plan.get("start", 0))
               for k, new in words.items() for plan in (document["plans"][k],)]  # fmt: skip

    def moved(place: int) -> int:
        return place + sum(by for end, by in changes if end <= place)

    script = request["script"]
    passages = [{**p, "start": moved(p["start"]), "end": moved(p["end"])} for p in script["passages"]]
    return {**request, "script": {**script, "passages": passages}}


def _is_there(text: str, plan: Plan) -> bool:
    """Whether the words of ``plan`` stand at its place in ``text``."""
    found = " ".join(text[plan.get("start", 0) : plan.get("end", 0)].split())
    return bool(found) and found in (" ".join((plan.get("written") or "").split()), plan["text"])


def _placed(plan: Plan, start: int, end: int) -> Plan:
    return {**plan, "start": start, "end": end}


def chunk_of(plan: Plan) -> Chunk:
    """Return the plan of a chunk as a value."""
    fields: dict[str, Any] = {**plan, "warnings": tuple(plan["warnings"])}
    return Chunk(**fields)


def timing_of(row: Row) -> ChunkTiming:
    """Return what was measured of a chunk as a value."""
    names = ("text_seconds", "ode_seconds", "vocoder_seconds", "total_seconds", "n_evaluations")
    times: dict[str, Any] = {name: row[name] for name in names}  # type: ignore[literal-required]
    return ChunkTiming(**times, step_seconds=tuple(row["step_seconds"]), made=row.get("made", ""))


def _end_to_end(plans: Sequence[Plan], rows: Sequence[Row]) -> Timeline:
    timeline, end = Timeline(), 0.0
    for index, row in enumerate(rows):
        end = note_chunk(timeline, index, end, timing_of(row))
    for index, plan in enumerate(plans):
        if plan.get("lead_seconds") or plan.get("pause_seconds"):
            timeline.add("pause", end, 0.0, index)
    return timeline


def _environment(document: RunDocument, ledger: Ledger) -> dict[str, str]:
    """The environment of the run; where a chosen take was made in another one, both."""
    found = dict(document["environment"])
    for chunk, take in ledger.chosen.items():
        for name, value in ledger.row(chunk, take)["differs"].items():
            known = found.get(name, "").split(" + ")
            found[name] = " + ".join([*(k for k in known if k), *([] if value in known else [value])])[:300]
    return found
