"""Spectra at one moment, and mean spectra of a span, over frequency."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from workbench.engine.signal.phonetics.fourier import Spectrum
from workbench.engine.signal.spectra import LOWEST_HZ
from workbench.figures.base import dress, ink
from workbench.figures.theme import margins, points

_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 4000, 8000, 12_000)


def slices(
    found: Mapping[str, Spectrum],
    *,
    highest_hz: float = 12_000.0,
    dynamic_range: float = 80.0,
    is_log: bool = False,
    formants: Mapping[str, float] = {},
    dark: bool = False,
) -> go.Figure:
    """Spectra over frequency, in dBFS.

    Args:
        found: name to spectrum; one with "mean" in its name is dotted, and B's are blue, as its F0 is.
        highest_hz: end of the frequency axis.
        dynamic_range: dB shown below the highest level.
        is_log: logarithmic frequency axis.
        formants: name to Hz, drawn as lines; NaN is left out.
        dark: colours for a dark page.
    """
    colours = ink(dark)
    pair = (colours.pitch, colours.series[0])  # A and B, as in the panels of F0
    fig = go.Figure()
    top = max((float(s.decibels[s.hz <= highest_hz].max()) for s in found.values()), default=0.0)
    low = LOWEST_HZ if is_log else 0.0
    for name, spectrum in found.items():
        inside = (spectrum.hz >= low) & (spectrum.hz <= highest_hz)
        dash = "dot" if "mean" in name else "solid"
        fig.add_trace(
            go.Scatter(
                name=name, x=spectrum.hz[inside].astype(np.float32), y=spectrum.decibels[inside].astype(np.float32),
                mode="lines", line={"color": pair[name.startswith("B")], "width": 1.5, "dash": dash},
                hovertemplate="%{x:.0f} Hz, %{y:.1f} dBFS",
            )
        )  # fmt: skip
    dress(fig, dark, 300, hovermode="x", showlegend=True)
    for name, hz in formants.items():
        if np.isfinite(hz) and low < hz <= highest_hz:
            fig.add_vline(
                x=hz, line={"color": colours.muted, "width": 1, "dash": "dash"}, annotation_text=f"{name} {hz:.0f}",
                annotation_font={"size": points(12), "color": colours.muted}, annotation_position="bottom right",
            )  # fmt: skip
    ends = [float(np.log10(hz)) for hz in (low, highest_hz)] if is_log else [low, highest_hz]
    ticks = [hz for hz in _TICKS_HZ if low <= hz <= highest_hz] if is_log else None
    fig.update_xaxes(
        type="log" if is_log else "linear", range=ends, tickvals=ticks,
        title_text="frequency (Hz)", zeroline=False, hoverformat=".0f",
    )  # fmt: skip
    fig.update_yaxes(range=[top - dynamic_range, top + 5], title_text="level (dBFS)", zeroline=False)
    return fig.update_layout(margin=margins(l=56, r=16, t=40, b=42))
