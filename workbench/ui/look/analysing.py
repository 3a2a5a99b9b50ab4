"""What is computed of a source, once for all visitors: spectrograms, contours, and the difference of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import streamlit as st

from workbench.engine.runs import comparison
from workbench.engine.signal.phonetics import contours, fourier
from workbench.engine.signal.spectra import DECIBELS_PER_NEPER
from workbench.ui.resources import kept
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source

T = TypeVar("T")


def _once(name: str, source: Source, more: object, make: Callable[[], T]) -> T:
    return kept().get((name, source.key, more), make)


def spectrogram(source: Source, window: fourier.Window) -> fourier.Spectrogram:
    """Return the spectrogram of ``source`` under ``window``."""
    with st.spinner("Analysing the audio"):
        return _once("fourier", source, window, lambda: fourier.spectrogram(source.wave, source.sample_rate, window))


def intensity(source: Source) -> contours.Contour:
    """Return the level of ``source`` over time, in dBFS."""
    return _once("intensity", source, None, lambda: contours.intensity(source.wave, source.sample_rate))


def formants(source: Source, ceiling_hz: float) -> contours.Formants | None:
    """Return F1 to F4 of ``source``; None without the package that finds them."""
    if contours.lacking():
        return None
    with st.spinner("Looking for formants"):
        return _once(
            "formants", source, ceiling_hz,
            lambda: contours.formants(source.wave, source.sample_rate, ceiling_hz=ceiling_hz),
        )  # fmt: skip


def change(a: Source, b: Source) -> comparison.MelComparison:
    """Return the mels of the audio of ``a`` and ``b`` on the time axis of ``a``, and their difference."""

    def compared() -> comparison.MelComparison:
        logs = [np.asarray(sources.heard_mel(s) / DECIBELS_PER_NEPER, np.float32) for s in (a, b)]
        return comparison.compare_mels(logs[0], logs[1])

    with st.spinner("Aligning the mels"):
        return _once("change", a, b.key, compared)
