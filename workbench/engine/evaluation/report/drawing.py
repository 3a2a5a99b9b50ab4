"""Small figures as SVG, to stand in an HTML page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WIDTH, _HEIGHT, _EDGE, _FOOT = 280, 120, 14, 18
_BINS_MAX = 20


def _svg(body: str, label: str) -> str:
    return (f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{label}">{body}</svg>')  # fmt: skip


def _tick(x: float, value: float, digits: int, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{value:.{digits}f}</text>'


def histogram(values: Sequence[float], digits: int) -> str:
    """Return a histogram of ``values`` (at least one), with the number of the highest bar."""
    numbers = np.asarray(values, float)
    n_bins = int(np.clip(np.ceil(np.sqrt(len(numbers))), 1, _BINS_MAX))
    low, high = float(numbers.min()), float(numbers.max())
    if not high - low > 1e-9 * max(abs(low), abs(high), 1e-9):  # too close for bins
        half = max(0.5, 0.001 * abs(low))
        n_bins, low, high = 1, low - half, high + half
    counts, edges = np.histogram(numbers, n_bins, (low, high))
    width, room = (_WIDTH - 2 * _EDGE) / n_bins, _HEIGHT - _FOOT - 16
    bars = ""
    for k, count in enumerate(counts):
        tall = room * float(count) / float(counts.max())
        bars += (f'<rect x="{_EDGE + k * width:.1f}" y="{_HEIGHT - _FOOT - tall:.1f}" width="{max(width - 1, 1):.1f}" '
                 f'height="{tall:.1f}" fill="var(--bar)"><title>{edges[k]:.{digits}f} to {edges[k + 1]:.{digits}f}: '
                 f"{count}</title></rect>")  # fmt: skip
    top = int(counts.argmax())
    bars += f'<text x="{_EDGE + (top + 0.5) * width:.1f}" y="12" text-anchor="middle">{counts.max()}</text>'
    ends = _tick(_EDGE, low, digits, "start") + _tick(_WIDTH - _EDGE, high, digits, "end")
    return _svg(bars + ends, f"histogram of {len(numbers)} values")


def differences(value: float, ends: Sequence[float], digits: int) -> str:
    """Return an interval ``ends`` with its ``value``, beside the line of no difference."""
    low, high = min(0.0, ends[0]), max(0.0, ends[1])
    size = (high - low) or 1.0
    places = [_EDGE + (x - low) / size * (_WIDTH - 2 * _EDGE) for x in (0.0, ends[0], ends[1], value)]
    zero, left, right, middle = places
    y = (_HEIGHT - _FOOT) / 2
    body = (f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="8" y2="{_HEIGHT - _FOOT}" stroke="currentColor" '
            f'stroke-dasharray="3 3"/><line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}" stroke="var(--bar)" '
            f'stroke-width="4"/><circle cx="{middle:.1f}" cy="{y}" r="5" fill="var(--bar)"/>')  # fmt: skip
    ticks = _tick(_EDGE, low, digits, "start") + _tick(_WIDTH - _EDGE, high, digits, "end")
    return _svg(body + ticks, f"difference {value:.{digits}f}, {ends[0]:.{digits}f} to {ends[1]:.{digits}f}")
