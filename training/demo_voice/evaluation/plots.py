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

    figure = Figure(figsize=(11, 12), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 2)
    parts = {part: found for part, found in document["parts"].items() if not part.startswith("chunks")}
    for axis, (name, title, scale) in zip(axes.flat, _ROWS, strict=False):
        shown = {label(part): scale * found[name] for part, found in parts.items() if name in found}
        axis.barh(list(shown), list(shown.values()), color="#4c78a8")
        axis.invert_yaxis()
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
    _by_chunk_size(axes[2, 1], document)
    _by_kind(axes[3, 0], document)
    _contours(axes[3, 1], rows)
    figure.savefig(path, dpi=100)


def _by_chunk_size(axis: Any, document: dict[str, Any]) -> None:
    sizes = {int(p.removeprefix("chunks_")): f["wer"] for p, f in document["parts"].items() if p.startswith("chunks_")}
    axis.plot(sorted(sizes), [100 * sizes[s] for s in sorted(sizes)], "o-", color="#4c78a8")
    axis.set_title("words wrong by chunk size in bytes, %", fontsize=10)
    axis.set_ylim(bottom=0)


def _by_kind(axis: Any, document: dict[str, Any]) -> None:
    part = next((p for p in document["parts"] if p.startswith("voice_")), None)
    kinds = document["parts"].get(part, {}).get("by_kind", {})
    axis.bar(list(kinds), [100 * found["wer"] for found in kinds.values()], color="#4c78a8")
    axis.set_title(f"words wrong by kind of text, % ({label(part) if part else 'no voice'})", fontsize=10)


def _contours(axis: Any, rows: list[dict[str, Any]]) -> None:
    found = [row["pitch_correlation"] for row in rows if row["part"].startswith("voice") and "pitch_correlation" in row]
    axis.hist(found, bins=np.linspace(-0.5, 1, 16), color="#4c78a8")
    axis.set_title("pitch contour: correlation with the teacher's, texts", fontsize=10)
