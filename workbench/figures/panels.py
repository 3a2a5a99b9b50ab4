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
        return float(self.pitch.seconds[-1]) if len(self.pitch.seconds) else 0.0


@dataclass(frozen=True, eq=False)
class SpectrumPanel:
    """A spectrogram in dB [frames, bands] with bands at ``bands_hz``."""

    title: str
    decibels: np.ndarray
    bands_hz: np.ndarray
    frames_per_second: float
    borders: Borders = ()
    weight: float = 1.0

    @property
    def seconds(self) -> float:
        return max(len(self.decibels) - 1, 1) / self.frames_per_second


@dataclass(frozen=True, eq=False)
class DifferencePanel(SpectrumPanel):
    """A signed difference of two spectrograms, in dB."""


Panel = WavePanel | PitchPanel | SpectrumPanel


def top_decibels(panels: Sequence[Panel]) -> float:
    """Upper end of the colour scale in dB, the same for all spectrograms of ``panels`` so that they compare."""
    peaks = [float(p.decibels.max()) for p in panels if type(p) is SpectrumPanel and p.decibels.size]
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
