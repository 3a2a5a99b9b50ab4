"""Print documents as tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from workbench.cli.parts.output import console, say, table
from workbench.engine import measures
from workbench.engine.runs.measured.files import Measured, flagged
from workbench.engine.scripts import Row
from workbench.engine.settings import LoadSettings


def run(document: dict[str, Any]) -> None:
    """Print one row per chunk, then the totals."""
    measured = measures.every(measures.CHUNK)
    columns = ("chunk", "text", "bytes", "planned s", "real s", *(f"{m.label} {m.unit}".strip() for m in measured),
               "made")  # fmt: skip
    rows = [
        (c["index"] + 1, short(c["text"]), c["n_bytes"], c["planned_seconds"], c["audio_seconds"],
         *_measured(c, measured), c["made"])
        for c in document["chunks"]
    ]  # fmt: skip
    settings = document["settings"]
    weights = document["weights"]
    layer = f", {weights['layer']} weights" if weights.get("layer") else ""
    script = document["request"].get("script")
    voices = ", ".join(one["name"] for one in script["speakers"]) if script else document["voice"]
    title = (f"{document['model']}{layer} as {voices}, {document['device']} {document['dtype']}, "
             f"NFE {settings['nfe_step']}, seed {settings['seed']}")  # fmt: skip
    console().print(table(title, columns, rows, right=[c for c in columns if c not in ("text", "made")]))
    passage_times(document.get("passages", ()))
    for chunk in document["chunks"]:
        for warning in chunk["warnings"]:
            say(f"chunk {chunk['index'] + 1}: {warning}")
    loads = document["loads"]
    say("")
    load = document["request"]["load"]
    others = [f"{f.name}={load[f.name]}" for f in dataclasses.fields(LoadSettings)
              if f.name not in document and load.get(f.name, f.default) != f.default]  # fmt: skip
    if others:
        say(f"loaded with {', '.join(others)}")
    say(
        f"load {document['load_seconds']:.2f} s ({loads['acoustic']} acoustic model, {loads['vocoder']} vocoder)  "
        f"total {document['total_seconds']:.2f} s  audio {document['audio_seconds']:.2f} s"
    )
    if document["n_reused"]:
        say(f"{reused(document['n_reused'], len(document['chunks']))}; RTF is that of the others")
    times = measures.Times.of_run(document)
    found = [(m, m.value(times)) for m in measures.every(measures.RUN)]
    say("  ".join(f"{m.label} {m.shown(value)}" for m, value in found if value is not None))
    for chunk in document["chunks"]:
        if chunk.get("error"):
            say(f"chunk {chunk['index'] + 1} could not be made, silence is in its place: {chunk['error']}")
    if document.get("takes"):
        again = [f"{k + 1}: take {take}" for k, take in enumerate(document["takes"]) if take > 1]
        say(f"made again and chosen: chunk {', '.join(again)}; the times are those of all chunks")
    if weights.get("picked"):
        say(f"revision picked: {weights['picked']}")
    if "profile" in document:
        say(f"wrote {document['profile']}; being profiled slowed the run. Open it at https://ui.perfetto.dev")
    if "out" in document:
        say(f"wrote {document['out']}" + (f", saved as run {document['id']}" if document["saved"] else ""))


def reused(n_reused: int, n_chunks: int) -> str:
    """Such as "9 of 10 chunks reused"."""
    return f"{n_reused} of {n_chunks} {'chunk' if n_chunks == 1 else 'chunks'} reused"


def _measured(chunk: dict[str, Any], wanted: list[measures.Measure]) -> list[str]:
    times = measures.Times.of_chunk(chunk)
    found = ((m, m.value(times)) for m in wanted)
    return ["-" if value is None else f"{value:.{m.digits}f}" for m, value in found]


def plan(document: dict[str, Any]) -> None:
    """Print one row per planned chunk, and one per passage of a script."""
    passages = document["passages"]
    names = {row["passage"]: row["speaker"] for row in passages}
    columns = ("chunk", *(("voice",) if names else ()), "text", "bytes", "predicted s", "warnings")
    rows: list[tuple[Any, ...]] = []
    for c in document["chunks"]:
        who = (names[c["passage"]],) if names else ()
        none = ("",) if names else ()
        rows += [("", *none, "(pause)", "", c["lead_seconds"], "")] if c["lead_seconds"] else []
        spoken = c["text"] if c["written"] == c["text"] else f"{c['written']}\n= {c['text']}"
        rows += [(c["index"] + 1, *who, spoken, c["n_bytes"], c["planned_seconds"], "; ".join(c["warnings"]))]
        rows += [("", *none, "(pause)", "", c["pause_seconds"], "")] if c["pause_seconds"] else []
    n_chunks = len(document["chunks"])
    counted = f"{n_chunks} {'chunk' if n_chunks == 1 else 'chunks'}"
    if names:
        parts = f"{len(passages)} {'passage' if len(passages) == 1 else 'passages'}"
        title = f"{counted} in {parts} of {', '.join(dict.fromkeys(names.values()))}"
    else:
        counted += f" of at most {document['budget_bytes']} bytes"
        title = f"{counted}, voice {document['voice']} ({document['reference_seconds']:.2f} s)"
    console().print(table(title, columns, rows, right=("chunk", "bytes", "predicted s")))
    passage_times(passages)
    say("")
    say(f"{sum(c['planned_seconds'] for c in document['chunks']):.2f} s of speech before cross-fading")
    if passages:
        say(f"{max(row['end'] for row in passages):.2f} s with all pauses")
    for remark in document["remarks"]:
        say(f"text: {remark}")
    said = document["speakers"] or [{"name": document["voice"], "warnings": document["voice_warnings"]}]
    for speaker in said:
        for warning in speaker["warnings"]:
            say(f"voice {speaker['name']}: {warning}")


def passage_times(passages: Sequence[dict[str, Any]]) -> None:
    """Print what was wanted of passages with times and what they get; nothing if none has one."""
    if not any(row["wanted_start"] is not None for row in passages):
        return
    columns = ("passage", "voice", "text", "wanted s", "got s", "speed", "late s", "over s")
    rows = [
        (row["passage"] + 1, row["speaker"], short(row["text"]), _span(row["wanted_start"], row["wanted_end"]),
         _span(row["start"], row["end"]), f"{row['speed']:.2f}", row["late_seconds"] or None,
         row["over_seconds"] or None)
        for row in passages
    ]  # fmt: skip
    say("")
    console().print(table("Times", columns, rows, right=("passage", *columns[3:])))


def _span(start: float | None, end: float | None) -> str:
    return " – ".join("" if value is None else f"{value:.2f}" for value in (start, end)).strip()


def misfits(rows: Sequence[Row]) -> tuple[str, ...]:
    """One line on the passages that begin or end later than wanted; () if all fit."""
    off = [row for row in rows if row.is_off]
    if not off:
        return ()
    worst = max(off, key=lambda row: max(row.late_seconds, row.over_seconds))
    return (
        f"{len(off)} of {len(rows)} passages do not fit; passage {worst.passage + 1} begins "
        f"{worst.late_seconds:.2f} s and ends {worst.over_seconds:.2f} s too late",
    )


def batch(rows: Sequence[dict[str, Any]], folder: str) -> None:
    """Print one row per row of a batch."""
    columns = ("id", "status", "voice", "audio s", "total s", "RTF", "file", "error")
    cells = [(r["id"], r["status"], r["voice"], r["seconds"], r["total_seconds"], r["rtf"], r["file"], r["error"])
             for r in rows]  # fmt: skip
    failed = sum(r["status"] != "done" for r in rows)
    title = f"{len(rows) - failed} of {len(rows)} rows spoken into {folder}"
    console().print(table(title, columns, cells, right=columns[3:6], whole=("id",)))


def rerun(document: dict[str, Any]) -> None:
    """Print whether a run spoken again has the same wave, and what differs."""
    if document["same"]:
        say(f"{document['id']}: exactly the same wave ({len(document['chunks'])} chunks)")
    else:
        rows = [(c["index"] + 1, "yes" if c["same"] else "no", c["largest_difference"]) for c in document["chunks"]]
        say(f"{document['id']}: a different wave")
        console().print(table("Chunks", ("chunk", "same", "largest difference"), rows, right=("chunk",)))
        say("")
        if document["differs"]:
            rows = [(d["what"], d["then"], d["now"]) for d in document["differs"]]
            console().print(table("What differs", ("", "then", "now"), rows))
        else:
            say("No recorded property of the run differs.")
        if document["unrecorded"]:
            say(f"not recorded, or unknown now: {', '.join(document['unrecorded'])}")
    for name in document["unknown_settings"]:
        say(f"not applied: {name}, a setting of a newer version")


def short(text: str, width: int = 40) -> str:
    """Return ``text``, cut to ``width`` characters with … at the end if it is longer."""
    return text if len(text) <= width else text[: width - 1] + "…"


_MARKS = {"same": "{wanted}", "wrong": "[{wanted} > {heard}]", "missing": "[-{wanted}]", "extra": "[+{heard}]",
          "repeated": "[++{heard}]"}  # fmt: skip


def measured(found: Measured) -> None:
    """Print the measures of a run, then of each chunk in which words are wrong what was heard."""
    rows = []
    for name, value in found.run.items():
        m = measures.get(name)
        worst = [(v, k) for k, row in enumerate(found.chunks) if (v := row.get(name)) is not None]
        pick = {"lower": max, "higher": min}.get(m.better)
        at = pick(worst) if pick and len(worst) > 1 else None
        rows.append((m.label, m.shown(value), f"{m.shown(at[0])} in chunk {at[1] + 1}" if at else "", m.help))
    console().print(table("Measures", ("", "run", "worst chunk", "what it says"), rows))
    bad = flagged(found)
    if found.steps:
        say("")
        say(f"{found.recogniser} listened: {len(bad)} of {len(found.chunks)} chunks have words wrong or missing")
    for index, problem in bad.items():
        steps = " ".join(_MARKS[s.kind].format(wanted=s.wanted, heard=s.heard) for s in found.steps[index])
        say(f"chunk {index + 1}: {problem}: {steps}")
