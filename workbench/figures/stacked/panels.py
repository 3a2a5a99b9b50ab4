"""Panels that a figure stacks on one time axis, and their common scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.engine.signal.pitch import Pitch

Borders = Sequence[tuple[float, float]]  # start of a chunk and end of its fade-in, seconds


@dataclass(frozen=True, eq=False)
class WavePanel:
    """A waveform, float32 [n_samples]. ``borders`` in all panels: those of every chunk but the first."""

    title: str
    wave: np.ndarray
    sample_rate: int
    borders: Borders = ()
    weight: float = 0.55

    @property
    def seconds(self) -> float:
        return len(self.wave) / self.sample_rate


@dataclass(frozen=True, eq=False)
class PitchPanel:
    """Fundamental frequency over time. ``over``: a second one, drawn over it in another colour."""

    title: str
    pitch: Pitch
    borders: Borders = ()
    weight: float = 0.55
    over: Pitch | None = None
    names: tuple[str, str] = ("", "")

    @property
    def pitches(self) -> tuple[Pitch, ...]:
        return (self.pitch,) if self.over is None else (self.pitch, self.over)

    @property
    def seconds(self) -> float:
        return max((float(p.seconds[-1]) for p in self.pitches if len(p.seconds)), default=0.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of a ``CurvePanel``: ``values`` at ``at_seconds``, NaN where there is none."""

    name: str
    at_seconds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class CurvePanel:
    """One or two lines over time, with the unit of their axis, such as intensity in dBFS."""

    title: str
    curves: Sequence[Curve]
    unit: str
    borders: Borders = ()
    weight: float = 0.5

    @property
    def seconds(self) -> float:
        return max((float(c.at_seconds[-1]) for c in self.curves if len(c.at_seconds)), default=0.0)


@dataclass(frozen=True, eq=False)
class Tier:
    """A row of a ``TierPanel``: (start, end, text) of its intervals, in seconds."""

    name: str
    intervals: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, eq=False)
class TierPanel:
    """Words or chunks as intervals, one row a tier."""

    title: str
    tiers: Sequence[Tier]
    borders: Borders = ()
    weight: float = 0.26

    @property
    def seconds(self) -> float:
        return max((end for tier in self.tiers for _, end, _ in tier.intervals), default=0.0)


@dataclass(frozen=True, eq=False)
class Dots:
    """A frequency over time, drawn on a spectrogram: ``hz`` at ``at_seconds``, NaN where there is none."""

    name: str
    at_seconds: np.ndarray
    hz: np.ndarray


@dataclass(frozen=True, eq=False)
class SpectrumPanel:
    """A spectrogram [frames, bands] with bands at ``bands_hz``. Panels of one ``unit`` share their colours."""

    title: str
    decibels: np.ndarray
    bands_hz: np.ndarray
    frames_per_second: float
    borders: Borders = ()
    weight: float = 1.0
    unit: str = "dB"
    dots: Sequence[Dots] = ()

    @property
    def seconds(self) -> float:
        return max(len(self.decibels) - 1, 1) / self.frames_per_second


@dataclass(frozen=True, eq=False)
class DifferencePanel(SpectrumPanel):
    """A signed difference of two spectrograms, in dB."""


Panel = WavePanel | PitchPanel | CurvePanel | TierPanel | SpectrumPanel


def top_decibels(panels: Sequence[Panel], unit: str = "dB") -> float:
    """Upper end of the colour scale, the same for all spectrograms of one ``unit`` so that they compare."""
    peaks = [float(p.decibels.max()) for p in panels if type(p) is SpectrumPanel and p.unit == unit and p.decibels.size]
    return float(np.ceil(max(peaks, default=0.0)))


def loudest(panels: Sequence[Panel]) -> float:
    """Largest magnitude of all waveforms of ``panels``, at least 0.05."""
    return max([float(np.abs(p.wave).max()) for p in panels if isinstance(p, WavePanel) and len(p.wave)] + [0.05])


def pitch_range(panels: Sequence[Panel]) -> list[float]:
    """[low, high] in Hz for nearly all pitch values of all panels; ignores single octave errors."""
    every = [pitch for p in panels if isinstance(p, PitchPanel) for pitch in p.pitches]
    found = [pitch.hz[np.isfinite(pitch.hz)] for pitch in every]
    voiced = np.concatenate(found) if found else np.zeros(0)
    low, high = np.percentile(voiced, [3, 97]) if len(voiced) else (60.0, 400.0)
    return [max(0.0, 0.85 * float(low) - 10), 1.15 * float(high) + 10]


def curve_range(panel: CurvePanel, decibels: float = 60.0) -> list[float]:
    """[low, high] of the axis of ``panel``: all values within ``decibels`` of the highest one."""
    found = np.concatenate([c.values[np.isfinite(c.values)] for c in panel.curves] or [np.zeros(0)])
    high = float(found.max()) if len(found) else 0.0
    low = max(float(found.min()), high - decibels) if len(found) else -decibels
    return [low - 2, high + 3]
