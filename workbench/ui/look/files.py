"""Numbers of what is looked at as CSV, to be taken along."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from workbench.engine.signal import spectra
from workbench.engine.signal.phonetics import sheets
from workbench.ui.look import analysing, display, words
from workbench.ui.look.display import Display
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source


def offer(found: Mapping[str, Source], chosen: Display) -> None:
    """Draw the buttons; each sheet is made when it is asked for."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for letter, source in found.items():
            of = f" of {letter}" if len(found) > 1 else ""
            made = {
                "F0, intensity, formants": ("contours", _contours(source, chosen)),
                "Mel": ("mel", _mel(source)),
            }
            if display.FOURIER in chosen.shown:
                made["STFT"] = ("stft", _fourier(source, chosen))
            if words.of(source) is not None:
                made["Words"] = ("words", _words(source))
            for label, (name, make) in made.items():
                st.download_button(
                    f"{label}{of}, CSV", make, f"f5tts-{name}{'-' + letter if of else ''}.csv", "text/csv",
                    on_click="ignore", icon=":material/download:", key=f"csv_{name}_{letter}", width="content",
                )  # fmt: skip


def _contours(source: Source, chosen: Display) -> Callable[[], str]:
    def make() -> str:
        level, resonances = analysing.intensity(source), analysing.formants(source, chosen.ceiling_hz)
        return sheets.contours_sheet(sources.pitch_of(source), level, resonances)

    return make


def _mel(source: Source) -> Callable[[], str]:
    def make() -> str:
        decibels = source.model if source.model is not None else sources.heard_mel(source)
        return sheets.spectrogram_sheet(decibels, spectra.mel_hz(source.config), source.config.frames_per_second)

    return make


def _fourier(source: Source, chosen: Display) -> Callable[[], str]:
    def make() -> str:
        taken = analysing.spectrogram(source, chosen.window)
        return sheets.spectrogram_sheet(taken.decibels, taken.hz, taken.frames_per_second, "dbfs")

    return make


def _words(source: Source) -> Callable[[], str]:
    def make() -> str:
        found = words.of(source) or ()
        return sheets.sheet({
            "start_s": [w.start for w in found], "end_s": [w.end for w in found], "word": [w.text for w in found],
            "confidence": [w.confidence for w in found],
        })  # fmt: skip

    return make
