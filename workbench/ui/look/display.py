"""How it is drawn: panels, colours, frequency axis, and the window of the spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from workbench import figures
from workbench.engine.signal import spectra
from workbench.engine.signal.phonetics import contours, fourier

WAVE, WORDS, PITCH, LEVEL = "Waveform", "Words", "F0", "Intensity"
MODEL, HEARD, CHANGE, FOURIER, FORMANTS, MINUS = "Mel, model", "Mel, audio", "Vocoder", "STFT", "Formants", "B − A"
KINDS = (WAVE, WORDS, PITCH, LEVEL, MODEL, HEARD, CHANGE, FOURIER, FORMANTS, MINUS)
DRAGS: dict[str, str | bool] = {"selects a span": "select", "zooms": "zoom", "is off": False}
_HIGHEST = {"12 kHz": 12_000.0, "8 kHz": 8_000.0, "5 kHz": 5_000.0, "3 kHz": 3_000.0}
_PRESETS_MS = (3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 42.7, 60.0, 90.0, 120.0)
_MODELS_MS = 42.7
_CEILINGS = {"5000 Hz, a man": 5000.0, "5500 Hz, a woman": 5500.0, "8000 Hz, a child": 8000.0}


@dataclass(frozen=True)
class Display:
    """What a visitor chose.

    Attributes:
        shown: of ``KINDS``.
        window: of the spectrogram and the slices.
        ceiling_hz: of the search for formants.
        highest_hz: end of the frequency axis.
        scale: "mel", "linear" or "log".
        dynamic_range: dB.
        colour_map: of ``figures.COLOUR_MAPS``.
        drag: effect of dragging.
    """

    shown: tuple[str, ...]
    window: fourier.Window
    ceiling_hz: float
    highest_hz: float
    scale: str
    dynamic_range: float
    colour_map: str
    drag: str | bool

    @property
    def figure(self) -> dict[str, Any]:
        """Return the options of ``figures.stack``."""
        return {
            "dynamic_range": self.dynamic_range, "colour_map": self.colour_map, "scale": self.scale,
            "highest_hz": self.highest_hz, "drag": self.drag,
        }  # fmt: skip


def choose(n_sources: int) -> Display:
    """Draw the widgets; return what was chosen."""
    usual = [WAVE, WORDS, PITCH, *((HEARD, MINUS) if n_sources > 1 else (MODEL, HEARD))]
    shown = st.pills(
        "Panels", KINDS if n_sources > 1 else KINDS[:-1], selection_mode="multi", default=usual,
        key=f"panels_{n_sources}", persist_state="session",
        help="Vocoder: the mel of the audio minus that of the model. Formants are drawn on the STFT, or on a mel. "
             "B − A: the mel of B's audio minus that of A's, aligned in time if their lengths differ.",
    )  # fmt: skip
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    drag = row.segmented_control(
        "Dragging", list(DRAGS), default="selects a span", required=True, key="drag", persist_state="session",
        help="A click plays from there. A double click shows all again.", width="content",
    )  # fmt: skip
    with row.popover("Picture", icon=":material/palette:", width="content"):
        decibels = st.slider("Dynamic range (dB)", 20, 120, 80, 5, key="range", persist_state="session")
        colours = st.selectbox("Colours", figures.COLOUR_MAPS, key="colours", persist_state="session")
        scale = st.selectbox("Frequency axis", spectra.SCALES, key="scale", persist_state="session")
        highest = st.selectbox("Up to", list(_HIGHEST), key="highest", persist_state="session")
    with row.popover("Window", icon=":material/tune:", width="content"):
        window, ceiling = _choose_window()
    return Display(tuple(shown), window, ceiling, _HIGHEST[highest], scale, float(decibels), colours, DRAGS[str(drag)])


def _choose_window() -> tuple[fourier.Window, float]:
    """Draw the knobs of the STFT, the slices and the formants."""
    length = st.select_slider(
        "Window, ms", _PRESETS_MS, _MODELS_MS, key="window_ms", persist_state="session",
        help=f"5 ms shows each pulse of the voice (wide-band), 30 ms and more each harmonic (narrow-band). "
             f"{_MODELS_MS} ms is the model's.",
    )  # fmt: skip
    overlap = st.slider("Overlap, %", 0, 95, 75, 5, key="window_overlap", persist_state="session")
    kind = st.selectbox("Shape", list(fourier.WINDOWS), index=1, key="window_kind", persist_state="session")
    emphasis = st.toggle(
        "Pre-emphasis", key="window_emphasis", persist_state="session",
        help=f"Adds 6 dB an octave above {fourier.EMPHASIS_HZ:.0f} Hz, as speech falls by about as much.",
    )  # fmt: skip
    window = fourier.Window(1024 / 24 if length == _MODELS_MS else length, overlap / 100, kind, emphasis)
    st.caption(f"Two tones nearer than {window.bandwidth_hz(24_000):.0f} Hz are one. For the STFT and the slice.")
    ceiling = st.selectbox(
        "Formants below", list(_CEILINGS), index=1, key="formant_ceiling", persist_state="session",
        disabled=bool(contours.lacking()), help="Praat looks for five of them below this frequency.",
    )  # fmt: skip
    return window, _CEILINGS[ceiling]
