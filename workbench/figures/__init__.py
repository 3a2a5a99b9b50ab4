"""Plotly figures and PNG bytes from arrays, for pages and notebooks. Does not use Streamlit.

Spectra are given in dB, [frames, bands], as ``engine.signal.spectra`` makes them. ``dark`` chooses the colours of the
ink;
backgrounds are transparent. In a notebook, show a figure with ``fig.show(config=figures.CONFIG)``.
"""

from __future__ import annotations

from plotly.graph_objects import Figure

from workbench.figures.base import COLOUR_MAPS, CONFIG, png
from workbench.figures.flow import animation, distances, time_grids
from workbench.figures.lab import lab_timeline
from workbench.figures.listening import intervals
from workbench.figures.panels import DifferencePanel, Panel, PitchPanel, SpectrumPanel, WavePanel
from workbench.figures.scatter import Point, scatter
from workbench.figures.spectra import difference_png, mel_png, stack, waveform_mel
from workbench.figures.timings import gantt_with_utilisation, load_bars, stages_by_run

__all__ = [
    "COLOUR_MAPS",
    "CONFIG",
    "DifferencePanel",
    "Figure",
    "Panel",
    "PitchPanel",
    "Point",
    "SpectrumPanel",
    "WavePanel",
    "animation",
    "difference_png",
    "distances",
    "gantt_with_utilisation",
    "intervals",
    "lab_timeline",
    "load_bars",
    "mel_png",
    "png",
    "scatter",
    "stack",
    "stages_by_run",
    "time_grids",
    "waveform_mel",
]
