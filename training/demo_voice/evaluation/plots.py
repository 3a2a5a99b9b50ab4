"""One page that shows an evaluation: words, pleasantness, likeness and pitch by part, chunk size and kind of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_ROWS = (
    ("wer", "words wrong, %", 100.0),
    ("overall", "DNSMOS, overall", 1.0),
    ("own", "similarity to the own reference", 1.0),
    ("voiced", "voiced frames, %", 100.0),
    ("pitch_spread", "pitch spread, semitones", 1.0),
)
_LABELS = {"teacher": "teacher", "copy": "teacher through the vocoder"}
_KINDS = {
    "short": "short",
    "plain": "statements",
    "question": "questions",
    "number": "with numbers",
    "name": "with names",
    "long": "long",
}


def label(part: str) -> str:
    """How a part is named on the page: `voice_7` is "voice, 7 steps", `chunks_40` "chunks of 40 bytes"."""
    name, _, number = part.partition("_")
    if name == "chunks":
        return f"chunks of {number} bytes"
    words = {"voice": "voice", "unseen": "unseen voices", "brief": "1 to 3 words"}.get(name, name)
    return _LABELS.get(part, f"{words}, {number} steps")


def page(path: Path, document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Draw the page as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 14), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 2)
    parts = {part: found for part, found in document["parts"].items() if not part.startswith("chunks")}
    for axis, (name, title, scale) in zip(axes.flat, _ROWS, strict=False):
        shown = {label(part): scale * found[name] for part, found in parts.items() if name in found}
        _bars(axis, list(shown), {title: list(shown.values())}, "%.2f" if scale == 1 else "%.1f")
        axis.set_title(title, fontsize=10)
    _by_chunk_size(axes[2, 1], document)
    _by_kind(axes[3, 0], document)
    _contours(axes[3, 1], rows)
    figure.savefig(path, dpi=90)


def _bars(axis: Any, names: list[str], values: dict[str, list[float]], digits: str) -> None:
    """Horizontal bars, a group for each name, each with its number behind it."""
    place, height = np.arange(len(names)), 0.8 / max(1, len(values))
    for k, (title, numbers) in enumerate(values.items()):
        drawn = axis.barh(place + (k - (len(values) - 1) / 2) * height, numbers, height, label=title, color=f"C{k}")
        axis.bar_label(drawn, fmt=digits, fontsize=8, padding=2)
    axis.set_yticks(place, names)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.tick_params(labelsize=8)


def _of_voice(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts in which the bundled voices read the held-out sentences, at each number of steps."""
    return {part: found for part, found in document["parts"].items() if part.startswith("voice_")}


def _by_chunk_size(axis: Any, document: dict[str, Any]) -> None:
    sizes = {int(p.removeprefix("chunks_")): f["wer"] for p, f in document["parts"].items() if p.startswith("chunks_")}
    axis.plot(sorted(sizes), [100 * sizes[s] for s in sorted(sizes)], "o-", color="C0")
    axis.set_title("words wrong by chunk size, %", fontsize=10)
    axis.set_xlabel("bytes", fontsize=8)
    axis.set_xticks(sorted(sizes))
    axis.tick_params(labelsize=8)
    axis.set_ylim(bottom=0)


def _by_kind(axis: Any, document: dict[str, Any]) -> None:
    """Words wrong by kind of text; how many texts there are says how little one of them means."""
    parts = {part: found["by_kind"] for part, found in _of_voice(document).items() if "by_kind" in found}
    first = next(iter(parts.values()), {})
    kinds = sorted(first, key=lambda kind: list(_KINDS).index(kind) if kind in _KINDS else len(_KINDS))
    names = [f"{_KINDS.get(kind, kind)} ({first[kind]['readings']} texts)" for kind in kinds]
    shown = {label(part): [100 * found[kind]["wer"] if kind in found else 0.0 for kind in kinds]
             for part, found in parts.items()}  # fmt: skip
    _bars(axis, names, shown, "%.1f")
    axis.set_title("words wrong by kind of text, %", fontsize=10)
    if shown:
        axis.legend(fontsize=8)


def _contours(axis: Any, rows: list[dict[str, Any]]) -> None:
    """How many sentences have which correlation of their pitch with the teacher's reading."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["part"].startswith("voice_") and "pitch_correlation" in row:
            found.setdefault(label(row["part"]), []).append(row["pitch_correlation"])
    if found:
        axis.hist(list(found.values()), bins=np.linspace(-0.5, 1, 16), label=list(found))
        axis.legend(fontsize=8)
    axis.set_title("pitch contour: correlation with the teacher's, sentences", fontsize=10)
    axis.tick_params(labelsize=8)
