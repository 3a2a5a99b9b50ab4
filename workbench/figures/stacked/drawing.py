"""Draw one panel into its row of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from workbench.engine.signal import spectra
from workbench.figures.base import ink
from workbench.figures.stacked.panels import (
    Curve,
    CurvePanel,
    DifferencePanel,
    Dots,
    PitchPanel,
    SpectrumPanel,
    TierPanel,
    WavePanel,
)
from workbench.figures.theme import chunk_colour, points

MAX_SAMPLES = 12_000  # of a waveform that are sent as they are: half a second; of more, an envelope
_MARKED_SAMPLES = 400  # so few that each sample has a dot
_TICKS_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 12_000)
_DOTS = ("#00e5ff", "#7dff7a", "#ffd84d", "#ff8ad8")  # seen on every colour map, with a dark rim
Span = tuple[float, float]


def add_wave(fig: go.Figure, row: int, panel: WavePanel, span: Span, max_columns: int, dark: bool) -> None:
    """Samples as a line if there are few, else the envelope as an area, which no reader takes for the signal."""
    rate = panel.sample_rate
    first = max(0, int(span[0] * rate))
    part = panel.wave[first : int(span[1] * rate) + 1]
    colour = ink(dark).wave
    if 0 < len(part) <= MAX_SAMPLES:
        mode = "lines+markers" if len(part) <= _MARKED_SAMPLES else "lines"
        fig.add_trace(
            go.Scatter(x0=first / rate, dx=1 / rate, y=part.astype(np.float32), mode=mode, name="samples",
                       line={"color": colour, "width": 1}, marker={"size": 4, "color": colour},
                       hovertemplate="%{x:.5f} s, level %{y:.4f}<extra></extra>"),
            row=row, col=1,
        )  # fmt: skip
    elif len(part):
        low, high, size = spectra.envelope(part, max_columns)
        x0 = (first + 0.5 * size) / rate
        edge = {"mode": "lines", "line": {"color": colour, "width": 0.5}, "x0": x0, "dx": size / rate}
        template = "%{x:.3f} s, peak %{y:.3f}<extra></extra>"
        for values, fill in ((low, None), (high, "tonexty")):
            fig.add_trace(
                go.Scatter(y=values.astype(np.float32), fill=fill, fillcolor=colour, hovertemplate=template,
                           name="envelope", **edge),
                row=row, col=1,
            )  # fmt: skip
    fig.update_yaxes(nticks=5, title_text="level", row=row, col=1)


def add_pitch(fig: go.Figure, row: int, panel: PitchPanel, span: Span, dark: bool) -> None:
    """Dots where there is a voice; two pitches in two colours."""
    names = panel.names if any(panel.names) else ("", "")
    curves = [Curve(name, p.seconds, p.hz) for p, name in zip(panel.pitches, names, strict=False)]
    add_curves(fig, row, curves, "F0", "Hz", span, dark, mode="markers", digits=0)
    fig.update_yaxes(nticks=5, title_text="F0 (Hz)", row=row, col=1)


def add_curve_panel(fig: go.Figure, row: int, panel: CurvePanel, span: Span, dark: bool) -> None:
    """Lines, broken where there is no value."""
    add_curves(fig, row, panel.curves, "", panel.unit, span, dark, mode="lines", digits=1)
    fig.update_yaxes(nticks=5, title_text=panel.unit, row=row, col=1)


def add_curves(
    fig: go.Figure,
    row: int,
    curves: Sequence[Curve],
    what: str,
    unit: str,
    span: Span,
    dark: bool,
    *,
    mode: str,
    digits: int,
) -> None:
    """Add ``curves``, each in the colour of its place."""
    colours = (ink(dark).pitch, ink(dark).series[0])
    for curve, colour in zip(curves, colours, strict=False):
        inside = (curve.at_seconds >= span[0]) & (curve.at_seconds <= span[1])
        x, y = curve.at_seconds[inside].astype(np.float32), curve.values[inside].astype(np.float32)
        said = " ".join(part for part in (what, f"%{{y:.{digits}f}} {unit}") if part)
        template = f"{curve.name} %{{x:.2f}} s, {said}<extra></extra>".lstrip()
        style: dict[str, Any] = {"marker": {"color": colour, "size": 3}} if mode == "markers" else {}
        style |= {"line": {"color": colour, "width": 1.5}} if mode == "lines" else {}
        fig.add_trace(go.Scatter(x=x, y=y, name=curve.name, mode=mode, hovertemplate=template, **style), row=row, col=1)


def add_tiers(fig: go.Figure, row: int, panel: TierPanel, span: Span, dark: bool) -> None:
    """Intervals as bars with their text; a text that does not fit is seen under the pointer."""
    names = [tier.name for tier in panel.tiers]
    if [name.casefold() for name in names] == [panel.title.casefold()]:
        names = [""]  # one row, which the title names
    for number, tier in enumerate(panel.tiers):
        shown = [(k, *i) for k, i in enumerate(tier.intervals) if i[1] > span[0] and i[0] < span[1]]
        seen = [
            (max(start, span[0]), min(end, span[1])) for _, start, end, _ in shown
        ]  # a text is in what is seen of it
        texts = [escape(text, quote=False) for _, _, _, text in shown]
        fig.add_trace(
            go.Bar(
                orientation="h", base=[start for start, _ in seen],
                x=[end - start for start, end in seen], y=[number] * len(shown), width=0.92, text=texts,
                textposition="inside", insidetextanchor="middle", textangle=0, name=tier.name,
                textfont={"size": points(12), "color": ink(dark).text}, cliponaxis=True,
                marker={
                    "color": [_pale(chunk_colour(k)) for k, *_ in shown],
                    "line": {"color": ink(dark).border, "width": 1},
                },
                customdata=[[start, end] for _, start, end, _ in shown],
                hovertemplate="%{customdata[0]:.2f} to %{customdata[1]:.2f} s: %{text}<extra></extra>",
            ),
            row=row, col=1,
        )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=[escape(name, quote=False) for name in names], showgrid=False,
        zeroline=False, range=[len(names) - 0.5, -0.5], row=row, col=1,
    )  # fmt: skip


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.22)"


def row_names(rows_hz: np.ndarray) -> list[str]:
    """A name for each row of a spectrogram, which is also what a pointer reads: "431 Hz". All differ."""
    for digits in range(6):
        names = [f"{hz:.{digits}f} Hz" for hz in rows_hz]
        if len(set(names)) == len(names):
            return names
    return [f"{hz:.6f} Hz ({k})" for k, hz in enumerate(rows_hz)]


def add_spectrum(
    fig: go.Figure,
    row: int,
    panel: SpectrumPanel,
    span: Span,
    rows_hz: np.ndarray,
    max_columns: int,
    limits: tuple[float, float],
    stops: list[tuple[float, str]],
    with_bar: bool,
) -> None:
    """Add a spectrogram as whole dB in one byte each, a quarter of the size of floats."""
    rate, names = panel.frames_per_second, row_names(rows_hz)
    first, last = max(0, int(np.floor(span[0] * rate))), int(np.ceil(span[1] * rate)) + 1
    pooled, size = spectra.pool(panel.decibels[first:last], max_columns, signed=isinstance(panel, DifferencePanel))
    if len(pooled):
        values = spectra.on_axis(pooled, panel.bands_hz, rows_hz)
        z = np.ascontiguousarray(np.clip(np.rint(values), -127, 127).astype(np.int8).T)
        bottom, up = fig.get_subplot(row, 1).yaxis.domain
        bar = {"title": {"text": panel.unit, "side": "top"}, "thickness": 10, "len": up - bottom,
               "lenmode": "fraction", "y": (bottom + up) / 2, "x": 1.005, "tickfont": {"size": points(12)}, "nticks": 5,
               "outlinewidth": 0}  # fmt: skip
        template = f"%{{x:.3f}} s, %{{y}}, %{{z}} {panel.unit}<extra></extra>"
        heat: dict[str, Any] = {"zmin": limits[0], "zmax": limits[1], "zsmooth": False, "hovertemplate": template}
        x0 = (first + (size - 1) / 2) / rate
        heat |= {"colorscale": stops, "showscale": with_bar, "colorbar": bar}
        fig.add_trace(go.Heatmap(z=z, x0=x0, dx=size / rate, y=names, **heat), row=row, col=1)
        fig.update_layout(margin_r=points(64))
    for dots, colour in zip(panel.dots, _DOTS, strict=False):
        _add_dots(fig, row, dots, span, rows_hz, names, colour)
    fig.update_yaxes(
        **hz_ticks(rows_hz), type="category", categoryorder="array", categoryarray=names, title_text="Hz",
        row=row, col=1, showgrid=False,
    )  # fmt: skip


def _add_dots(
    fig: go.Figure, row: int, dots: Dots, span: Span, rows_hz: np.ndarray, names: list[str], colour: str
) -> None:
    inside = (dots.at_seconds >= span[0]) & (dots.at_seconds <= span[1]) & np.isfinite(dots.hz)
    inside &= np.nan_to_num(dots.hz, nan=np.inf) <= rows_hz[-1]
    hz = dots.hz[inside]
    at = np.rint(np.interp(hz, rows_hz, np.arange(len(rows_hz)))).astype(int)
    fig.add_trace(
        go.Scatter(
            x=dots.at_seconds[inside].astype(np.float32), y=[names[k] for k in at], mode="markers", name=dots.name,
            customdata=np.rint(hz).astype(np.int32), marker={"color": colour, "size": 4,
                                                              "line": {"color": "#101418", "width": 0.7}},
            hovertemplate=f"{dots.name} %{{customdata}} Hz at %{{x:.2f}} s<extra></extra>",
        ),
        row=row, col=1,
    )  # fmt: skip


def hz_ticks(rows_hz: np.ndarray) -> dict[str, Any]:
    """Ticks and range of a frequency axis whose row i is ``rows_hz[i]``; no two labels overlap."""
    ticks = [hz for hz in _TICKS_HZ if rows_hz[0] <= hz <= rows_hz[-1] * 1.001]
    at = np.interp(ticks, rows_hz, np.arange(len(rows_hz)))
    keep: list[int] = []
    for i in range(len(at)):
        if not keep or at[i] - at[keep[-1]] > len(rows_hz) / 14:
            keep.append(i)
    labels = [f"{ticks[i] / 1000:g}k" if ticks[i] >= 1000 else str(ticks[i]) for i in keep]
    return {"tickvals": [float(at[i]) for i in keep], "ticktext": labels, "range": [-0.5, len(rows_hz) - 0.5]}
