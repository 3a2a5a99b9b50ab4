"""Plotly figures and PNG bytes from arrays, for pages and notebooks. Does not use Streamlit.

Spectra are given in dB, [frames, bands], as ``engine.signal.spectra`` makes them. ``dark`` chooses the colours of the
ink;
backgrounds are transparent. In a notebook, show a figure with ``fig.show(config=figures.CONFIG)``.
"""

from __future__ import annotations

from plotly.graph_objects import Figure

from workbench.figures.base import COLOUR_MAPS, CONFIG, palette, png
from workbench.figures.flow.animation import animation
from workbench.figures.flow.plane import trajectory_plane
from workbench.figures.flow.steps import distances, speeds, time_grids
from workbench.figures.lab import lab_timeline
from workbench.figures.listening import intervals
from workbench.figures.scatter import Point, heaps, scatter
from workbench.figures.stacked.panels import (
    Curve,
    CurvePanel,
    DifferencePanel,
    Dots,
    Panel,
    PitchPanel,
    SpectrumPanel,
    Tier,
    TierPanel,
    WavePanel,
)
from workbench.figures.stacked.pictures import difference_png, mel_png
from workbench.figures.stacked.slices import slices
from workbench.figures.stacked.stack import stack, waveform_mel
from workbench.figures.timings import gantt_with_utilisation, load_bars, stages_by_run

__all__ = [
    "COLOUR_MAPS",
    "CONFIG",
    "Curve",
    "CurvePanel",
    "DifferencePanel",
    "Dots",
    "Figure",
    "Panel",
    "PitchPanel",
    "Point",
    "SpectrumPanel",
    "Tier",
    "TierPanel",
    "WavePanel",
    "animation",
    "difference_png",
    "distances",
    "gantt_with_utilisation",
    "heaps",
    "intervals",
    "lab_timeline",
    "load_bars",
    "mel_png",
    "palette",
    "png",
    "scatter",
    "slices",
    "speeds",
    "stack",
    "stages_by_run",
    "time_grids",
    "trajectory_plane",
    "waveform_mel",
]
