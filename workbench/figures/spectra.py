"""Waveform, pitch and spectrograms on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.figures.base import COLOUR_MAPS, colour_scale, diverging, dress, ink, png
from workbench.figures.panels import (
    Borders,
    DifferencePanel,
    Panel,
    PitchPanel,
    SpectrumPanel,
    WavePanel,
    loudest,
    pitch_range,
    top_decibels,
)

MAX_COLUMNS = 1400  # about the pixels of a wide screen; more columns are slow to draw and not visible
MAX_LABELS = 24
_TICKS_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 12_000)


def stack(
    panels: Sequence[Panel],
    *,
    span: tuple[float, float] | None = None,
    top: float | None = None,
    dynamic_range: float = 80.0,
    difference_range: float = 20.0,
    colour_map: str = COLOUR_MAPS[0],
    scale: str = "mel",
    sample_rate: int = MelConfig().target_sample_rate,
    drag: str | bool = "zoom",
    dark: bool = False,
    max_columns: int = MAX_COLUMNS,
    panel_pixels: int = 190,
) -> go.Figure:
    """Stack panels on one time axis; zooming one zooms all.

    Args:
        panels: in order from the top.
        span: seconds to show; only these are sent, at the resolution of the screen. None: all.
        top: dB at the upper end of the colours; None: the maximum of all panels.
        dynamic_range: dB from ``top`` to black.
        difference_range: dB at which the colours of a difference end.
        colour_map: one of ``COLOUR_MAPS``.
        scale: "mel", "linear" or "log" frequency axis.
        sample_rate: Hz; the axis ends at half of it.
        drag: effect of dragging: "zoom", "select", or False for none.
        dark: colours for a dark page.
        max_columns: of the pictures.
        panel_pixels: height of a panel of weight 1.
    """
    span = span or (0.0, max((p.seconds for p in panels), default=1.0))
    weights = [p.weight for p in panels]
    gap = 26
    height = round(sum(w * panel_pixels for w in weights) + gap * (len(panels) - 1) + 68)
    fig = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        row_heights=weights,
        vertical_spacing=gap / max(height - 68, 1) if len(panels) > 1 else 0,
        subplot_titles=[p.title for p in panels],
    )
    dress(fig, dark, height, showlegend=False, dragmode=drag)
    top = top_decibels(panels) if top is None else top
    rows_hz = spectra.axis_hz(scale, 128 if scale != "mel" else 100, sample_rate)
    level = 1.05 * loudest(panels)
    shown: set[bool] = set()
    for row, panel in enumerate(panels, start=1):
        if isinstance(panel, WavePanel):
            _add_wave(fig, row, panel, span, max_columns, dark)
            fig.update_yaxes(range=[-level, level], row=row, col=1)
        elif isinstance(panel, PitchPanel):
            _add_pitch(fig, row, panel, span, dark)
            fig.update_yaxes(range=pitch_range(panels), row=row, col=1)
        else:
            signed = isinstance(panel, DifferencePanel)
            limits = (-difference_range, difference_range) if signed else (top - dynamic_range, top)
            stops = diverging(dark) if signed else colour_scale(colour_map)
            _add_spectrum(fig, row, panel, span, rows_hz, max_columns, limits, stops, signed not in shown)
            shown.add(signed)
    _finish(fig, panels, span, dark)
    return fig


def _finish(fig: go.Figure, panels: Sequence[Panel], span: tuple[float, float], dark: bool) -> None:
    """Add axis titles, chunk borders and panel titles, and style a selection."""
    colours = ink(dark)
    fig.update_xaxes(range=list(span), showspikes=True, spikemode="across", spikethickness=1, spikedash="dot")
    fig.update_xaxes(spikecolor=colours.muted)
    fig.update_xaxes(title_text="time (s)", row=len(panels), col=1)
    fig.update_annotations(x=0, xanchor="left", yanchor="bottom", font={"size": 12, "color": colours.muted})
    shapes, labels = [], []
    for row, panel in enumerate(panels, start=1):
        axis = f"y{row if row > 1 else ''} domain"
        shown = [(k, at) for k, at in enumerate(panel.borders, start=2) if span[0] <= at[0] <= span[1]]
        shapes += [shape for _, at in shown for shape in _border(at, axis, dark)]
        if isinstance(panel, WavePanel) and len(shown) <= MAX_LABELS:
            labels += [_border_label(k, at[0], axis, dark) for k, at in shown]
    box = {"line": {"color": colours.border, "width": 2, "dash": "solid"}}
    fig.update_layout(
        shapes=shapes, annotations=[*fig.layout.annotations, *labels], newselection=box,
        activeselection={"fillcolor": colours.border, "opacity": 0.25},
    )  # fmt: skip


def _border(at: tuple[float, float], axis: str, dark: bool) -> list[dict[str, Any]]:
    """A line at the start of a chunk, and a band over its fade-in."""
    colours, (start, end) = ink(dark), at
    frame = {"xref": "x", "yref": axis, "y0": 0, "y1": 1, "x0": start}
    line = frame | {"type": "line", "x1": start, "line": {"color": colours.border, "width": 1}}
    band = frame | {"type": "rect", "x1": end, "fillcolor": colours.fade, "line": {"width": 0}}
    return [line, band] if end > start else [line]


def _border_label(chunk: int, start: float, axis: str, dark: bool) -> dict[str, Any]:
    font = {"size": 11, "color": ink(dark).border}
    return {"x": start, "y": 1, "xref": "x", "yref": axis, "text": f"#{chunk}", "font": font, "showarrow": False,
            "xanchor": "left", "yanchor": "bottom"}  # fmt: skip


def _add_wave(
    fig: go.Figure, row: int, panel: WavePanel, span: tuple[float, float], max_columns: int, dark: bool
) -> None:
    first = max(0, int(span[0] * panel.sample_rate))
    part = panel.wave[first : int(span[1] * panel.sample_rate) + 1]
    if len(part):
        low, high, size = spectra.envelope(part, max_columns)
        at = (first + (np.arange(len(low)) + 0.5) * size) / panel.sample_rate
        x = np.repeat(at, 2).astype(np.float32)
        y = np.stack([low, high], axis=1).ravel().astype(np.float32)
        line = {"color": ink(dark).wave, "width": 1}
        fig.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip"), row=row, col=1)
    fig.update_yaxes(nticks=5, title_text="level", row=row, col=1)


def _add_pitch(fig: go.Figure, row: int, panel: PitchPanel, span: tuple[float, float], dark: bool) -> None:
    colours = (ink(dark).pitch, ink(dark).series[0])
    for pitch, name, colour in zip(panel.pitches, panel.names, colours, strict=False):
        inside = (pitch.seconds >= span[0]) & (pitch.seconds <= span[1])
        x, y = pitch.seconds[inside].astype(np.float32), pitch.hz[inside].astype(np.float32)
        template = f"{name} %{{x:.2f}} s, F0 %{{y:.0f}} Hz<extra></extra>".lstrip()
        marker = {"color": colour, "size": 3}
        fig.add_trace(
            go.Scatter(x=x, y=y, name=name, mode="markers", marker=marker, hovertemplate=template), row=row, col=1
        )
    fig.update_yaxes(nticks=5, title_text="F0 (Hz)", row=row, col=1)


def _add_spectrum(
    fig: go.Figure,
    row: int,
    panel: SpectrumPanel,
    span: tuple[float, float],
    rows_hz: np.ndarray,
    max_columns: int,
    limits: tuple[float, float],
    stops: list[tuple[float, str]],
    with_bar: bool,
) -> None:
    """Add a spectrogram as whole dB in one byte each, a quarter of the size of floats."""
    rate = panel.frames_per_second
    first, last = max(0, int(np.floor(span[0] * rate))), int(np.ceil(span[1] * rate)) + 1
    pooled, size = spectra.pool(panel.decibels[first:last], max_columns, signed=isinstance(panel, DifferencePanel))
    if len(pooled):
        values = spectra.on_axis(pooled, panel.bands_hz, rows_hz)
        z = np.ascontiguousarray(np.clip(np.rint(values), -127, 127).astype(np.int8).T)
        bottom, up = fig.get_subplot(row, 1).yaxis.domain
        bar = {"title": {"text": "dB", "side": "top"}, "thickness": 10, "len": up - bottom, "lenmode": "fraction",
               "y": (bottom + up) / 2, "x": 1.005, "tickfont": {"size": 10}, "nticks": 5,
               "outlinewidth": 0}  # fmt: skip
        template = "%{x:.2f} s, row %{y}, %{z} dB<extra></extra>"
        heat: dict[str, Any] = {"zmin": limits[0], "zmax": limits[1], "zsmooth": False, "hovertemplate": template}
        x0 = (first + (size - 1) / 2) / rate
        heat |= {"colorscale": stops, "showscale": with_bar, "colorbar": bar}
        fig.add_trace(go.Heatmap(z=z, x0=x0, dx=size / rate, y0=0, dy=1, **heat), row=row, col=1)
        fig.update_layout(margin_r=64)
    ticks = [hz for hz in _TICKS_HZ if rows_hz[0] <= hz <= rows_hz[-1]]
    at = np.interp(ticks, rows_hz, np.arange(len(rows_hz)))
    keep = [i for i in range(len(at)) if i == 0 or at[i] - at[i - 1] > len(rows_hz) / 14]
    labels = [f"{ticks[i] / 1000:g}k" if ticks[i] >= 1000 else str(ticks[i]) for i in keep]
    fig.update_yaxes(
        tickvals=[float(at[i]) for i in keep], ticktext=labels, range=[-0.5, len(rows_hz) - 0.5], title_text="Hz",
        row=row, col=1, showgrid=False,
    )  # fmt: skip


def waveform_mel(
    wave: np.ndarray,
    decibels: np.ndarray,
    config: MelConfig = MelConfig(),
    *,
    borders: Borders = (),
    dark: bool = False,
    **options: Any,
) -> go.Figure:
    """Waveform and mel of a run with chunk borders.

    Args:
        wave: float32 [n_samples].
        decibels: mel in dB [frames, n_mels] (``spectra.mel_decibels(run.mel)``).
        config: mel settings.
        borders: from ``spectra.chunk_borders``.
        dark: colours for a dark page.
        options: further arguments of ``stack``.
    """
    panels = (
        WavePanel("Waveform", wave, config.target_sample_rate, borders),
        SpectrumPanel("Mel", decibels, spectra.mel_hz(config), config.frames_per_second, borders),
    )
    return stack(panels, dark=dark, sample_rate=config.target_sample_rate, **options)


def mel_png(
    decibels: np.ndarray,
    *,
    top: float | None = None,
    dynamic_range: float = 80.0,
    colour_map: str = COLOUR_MAPS[0],
    max_columns: int = MAX_COLUMNS,
    row_pixels: int = 2,
) -> bytes:
    """PNG bytes of a spectrogram in dB [frames, bands], without axes; made in milliseconds."""
    pooled, _ = spectra.pool(decibels, max_columns)
    top = float(pooled.max()) if top is None else top
    return png(pooled, top - dynamic_range, top, colour_scale(colour_map), row_pixels=row_pixels)


def difference_png(
    decibels: np.ndarray,
    *,
    limit: float = 20.0,
    dark: bool = False,
    max_columns: int = MAX_COLUMNS,
    row_pixels: int = 2,
) -> bytes:
    """PNG bytes of a signed difference in dB [frames, bands]; the colours end at plus and minus ``limit``."""
    pooled, _ = spectra.pool(decibels, max_columns, signed=True)
    return png(pooled, -limit, limit, diverging(dark), row_pixels=row_pixels)
