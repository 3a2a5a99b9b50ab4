"""Parts of a report that Markdown and HTML share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

POOLED = "WER and CER: sum of errors over sum of words (or characters); other measures: mean over utterances."
INTERVALS = "Intervals: 95 %, bootstrap over utterances (BCa for means, percentile for medians)."
SUMMARY = ("measure", "mean", "95 % interval", "median", "95 % interval", "n", "recordings", "better")
COMPARED = ("measure", "A", "B", "B - A", "95 % interval", "n", "result")


def number(value: float | None, digits: int) -> str:
    """Return ``value`` with ``digits`` decimals; "-" for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(ends: Sequence[float] | None, digits: int) -> str:
    """Return an interval as text."""
    return "-" if ends is None else f"{number(ends[0], digits)} to {number(ends[1], digits)}"


def title(m: Mapping[str, Any]) -> str:
    """Return label and unit of a measure."""
    return f"{m['label']} ({m['unit']})" if m["unit"] else str(m["label"])


def summary_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the cells of ``SUMMARY`` for each measure; one more digit, because a mean is finer than one value."""
    return [
        (
            title(m), number(m["mean"], (d := m["digits"] + 1)), span(m["interval"], d), number(m["median"], d),
            span(m["median_interval"], d), str(m["n"]), number(m["truth"] and m["truth"]["mean"], d),
            m["better"] or "-",
        )
        for m in document["measures"].values()
    ]  # fmt: skip


def compared_rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the cells of ``COMPARED`` for each measure."""
    return [
        (
            title(m), number(m["a"], (d := m["digits"] + 1)), number(m["b"], d), f"{m['difference']:+.{d}f}",
            span(m["interval"], d), str(m["n"]), m["verdict"],
        )
        for m in found["measures"].values()
    ]  # fmt: skip


def facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was evaluated, as names and values."""
    settings = document["settings"] | document["load"]
    counts = [f"{document['n_utterances']} utterances", f"{document['n_failed']} failed"]
    if document["n_skipped"]:
        counts.append(f"{document['n_skipped']} lines skipped")
    found = [
        ("model", document["model"] + (" with random weights" if document["random_weights"] else "")),
        ("list", f"{document['list']} ({document['layout']})"),
        ("utterances", ", ".join(counts)),
        ("settings", ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)),
        ("weights", ", ".join(document["weights"]) or "unknown"),
        ("device", ", ".join(document["devices"]) or "unknown"),
        ("recogniser", ", ".join(document["recognisers"]) or "none"),
        ("made at", document["made_at"]),
    ]
    return found


def problems(document: Mapping[str, Any]) -> list[str]:
    """Return what is missing from the numbers, one line each."""
    lines = [f"Not measured: {line}" for line in document["lacking"]]
    if len(document["weights"]) > 1:
        lines.append("The weights have changed between the runs: evaluate again in another folder (--out).")
    lines += [f"Line {s['line']}{' (' + s['id'] + ')' if s['id'] else ''} was skipped: {s['why']}"
              for s in document["skipped"]]  # fmt: skip
    lines += [f"{row['id']} failed: {row['error']}" for row in document["utterances"] if row["error"]]
    return lines


def differing(found: Mapping[str, Any]) -> list[str]:
    """Return the settings in which two evaluations differ, one line each."""
    return [f"{name}: {a} in A, {b} in B" for name, (a, b) in found["differs"].items()] or ["no setting differs"]
