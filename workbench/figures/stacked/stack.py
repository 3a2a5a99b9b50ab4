"""Stack panels on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.engine.settings import MelConfig
from workbench.engine.signal import spectra
from workbench.figures.base import COLOUR_MAPS, colour_scale, diverging, dress, ink
from workbench.figures.stacked import drawing
from workbench.figures.stacked.panels import (
    Borders,
    CurvePanel,
    DifferencePanel,
    Panel,
    PitchPanel,
    SpectrumPanel,
    TierPanel,
    WavePanel,
    curve_range,
    loudest,
    pitch_range,
    top_decibels,
)
from workbench.figures.stacked.pictures import MAX_COLUMNS
from workbench.figures.theme import points

MAX_LABELS = 24
_MANY_PANELS = 4  # with more, the time is also written above the first
_ROWS, _ROWS_WITH_DOTS = 128, 256
_AROUND = 0.25  # of the span, beyond both its ends: what is sent for a short movement
_SIDES = 68  # pixels above and below the panels
_GAP = 26


def stack(
    panels: Sequence[Panel],
    *,
    span: tuple[float, float] | None = None,
    mark: tuple[float, float] | None = None,
    band: tuple[float, float] | None = None,
    top: float | None = None,
    dynamic_range: float = 80.0,
    difference_range: float = 20.0,
    colour_map: str = COLOUR_MAPS[0],
    scale: str = "mel",
    sample_rate: int = MelConfig().target_sample_rate,
    highest_hz: float | None = None,
    drag: str | bool = "zoom",
    dark: bool = False,
    max_columns: int = MAX_COLUMNS,
    panel_pixels: int = 190,
) -> go.Figure:
    """Stack panels on one time axis; zooming one zooms all, and the frequency axes move together.

    Args:
        panels: in order from the top.
        span: seconds to show; only these and a little around are sent, at the resolution of the screen, and the samples
            of the waveform themselves below half a second. None: all.
        mark: seconds to shade in every panel, unless that is all that is shown.
        band: part of the frequency axis to show, from 0 to 1; None: all.
        top: dB at the upper end of the colours; None: the maximum of all panels of the same unit.
        dynamic_range: dB from ``top`` to black.
        difference_range: dB at which the colours of a difference end.
        colour_map: one of ``COLOUR_MAPS``.
        scale: "mel", "linear" or "log" frequency axis.
        sample_rate: Hz; the axis ends at half of it.
        highest_hz: or here, if that is lower.
        drag: effect of dragging: "zoom", "select", "pan", or False for none.
        dark: colours for a dark page.
        max_columns: of the pictures.
        panel_pixels: height of a panel of weight 1.
    """
    whole = (0.0, max((p.seconds for p in panels), default=1.0))
    span = span or whole
    around = _AROUND * (span[1] - span[0]) if span != whole else 0.0
    sent = (span[0] - around, span[1] + around)
    many = len(panels) > _MANY_PANELS
    weights = [p.weight for p in panels]
    sides = _SIDES + (18 if many else 0)
    height = round(sum(w * panel_pixels for w in weights) + _GAP * (len(panels) - 1) + sides)
    fig = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        row_heights=weights,
        vertical_spacing=_GAP / max(height - sides, 1) if len(panels) > 1 else 0,
        subplot_titles=[p.title for p in panels],
    )
    dress(fig, dark, height, showlegend=False, dragmode=drag, barmode="overlay")
    rows_hz = _rows(panels, scale, min(sample_rate, 2 * (highest_hz or sample_rate)))
    level = 1.05 * loudest(panels)
    barred: set[str] = set()
    first_spectrum = ""
    for row, panel in enumerate(panels, start=1):
        if isinstance(panel, WavePanel):
            drawing.add_wave(fig, row, panel, sent, max_columns, dark)
            fig.update_yaxes(range=[-level, level], row=row, col=1)
        elif isinstance(panel, PitchPanel):
            drawing.add_pitch(fig, row, panel, sent, dark)
            fig.update_yaxes(range=pitch_range(panels), row=row, col=1)
        elif isinstance(panel, CurvePanel):
            drawing.add_curve_panel(fig, row, panel, sent, dark)
            fig.update_yaxes(range=curve_range(panel), row=row, col=1)
        elif isinstance(panel, TierPanel):
            drawing.add_tiers(fig, row, panel, span, dark)
        else:
            signed = isinstance(panel, DifferencePanel)
            peak = top_decibels(panels, panel.unit) if top is None else top
            limits = (-difference_range, difference_range) if signed else (peak - dynamic_range, peak)
            stops = diverging(dark) if signed else colour_scale(colour_map)
            kind = "signed" if signed else panel.unit
            drawing.add_spectrum(fig, row, panel, sent, rows_hz, max_columns, limits, stops, kind not in barred)
            barred.add(kind)
            axis = f"y{row if row > 1 else ''}"
            if band is not None:
                shown = [band[0] * len(rows_hz) - 0.5, band[1] * len(rows_hz) - 0.5]
                fig.update_yaxes(range=shown, row=row, col=1)
            if first_spectrum:
                fig.update_yaxes(matches=first_spectrum, row=row, col=1)
            first_spectrum = first_spectrum or axis
    _finish(fig, panels, span, dark)
    if many:
        _repeat_time(fig)
    if mark is not None and not (min(mark) <= span[0] and max(mark) >= span[1]):
        _shade(fig, mark, dark)
    return fig


def _rows(panels: Sequence[Panel], scale: str, sample_rate: float) -> np.ndarray:
    """Hz of the rows of all spectrograms: one axis for all. More rows where dots are drawn on them."""
    dotted = any(isinstance(p, SpectrumPanel) and p.dots for p in panels)
    plain = 100 if scale == "mel" else _ROWS
    return spectra.axis_hz(scale, _ROWS_WITH_DOTS if dotted else plain, int(sample_rate))


def _finish(fig: go.Figure, panels: Sequence[Panel], span: tuple[float, float], dark: bool) -> None:
    """Add axis titles, chunk borders and panel titles, and style a selection."""
    colours = ink(dark)
    fig.update_xaxes(range=list(span), showspikes=True, spikemode="across", spikethickness=1, spikedash="dot")
    fig.update_xaxes(spikecolor=colours.muted)
    fig.update_xaxes(title_text="time (s)", row=len(panels), col=1)
    fig.update_annotations(x=0, xanchor="left", yanchor="bottom", font={"size": points(12), "color": colours.muted})
    shapes, labels = [], []
    for row, panel in enumerate(panels, start=1):
        axis = f"y{row if row > 1 else ''} domain"
        shown = [(k, at) for k, at in enumerate(panel.borders, start=2) if span[0] <= at[0] <= span[1]]
        shapes += [shape for _, at in shown for shape in _border(at, axis, dark)]
        if isinstance(panel, WavePanel) and len(shown) <= MAX_LABELS:
            labels += [_border_label(k, at[0], axis, dark) for k, at in shown]
    fig.update_layout(
        shapes=shapes, annotations=[*fig.layout.annotations, *labels],
        uniformtext={"mode": "hide", "minsize": 10},
        selectdirection="h",  # a span is of time, however the hand moves up or down
        newselection={"line": {"color": colours.border, "width": 2, "dash": "solid"}},
        activeselection={"opacity": 0},  # the page shades the span in every panel
    )  # fmt: skip


def _repeat_time(fig: go.Figure) -> None:
    """Write the time above the first panel too; its title moves up."""
    fig.update_layout(margin_t=points(46), xaxis={"side": "top", "showticklabels": True})
    fig.layout.annotations[0].update(yshift=18)


def _shade(fig: go.Figure, mark: tuple[float, float], dark: bool) -> None:
    """Shade a span from the top to the foot of the figure."""
    low, high = sorted(mark)
    colour = ink(dark).border
    fig.add_shape(
        type="rect", xref="x", yref="paper", x0=low, x1=high, y0=0, y1=1, fillcolor=ink(dark).fade, layer="above",
        line={"color": colour, "width": 1}, name="span",
    )  # fmt: skip


def _border(at: tuple[float, float], axis: str, dark: bool) -> list[dict[str, Any]]:
    """A line at the start of a chunk, and a band over its fade-in."""
    colours, (start, end) = ink(dark), at
    frame = {"xref": "x", "yref": axis, "y0": 0, "y1": 1, "x0": start}
    line = frame | {"type": "line", "x1": start, "line": {"color": colours.border, "width": 1}}
    band = frame | {"type": "rect", "x1": end, "fillcolor": colours.fade, "line": {"width": 0}}
    return [line, band] if end > start else [line]


def _border_label(chunk: int, start: float, axis: str, dark: bool) -> dict[str, Any]:
    font = {"size": points(12), "color": ink(dark).border}
    return {"x": start, "y": 1, "xref": "x", "yref": axis, "text": f"#{chunk}", "font": font, "showarrow": False,
            "xanchor": "left", "yanchor": "top", "xshift": 2}  # fmt: skip


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
