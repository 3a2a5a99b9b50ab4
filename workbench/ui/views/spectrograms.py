"""Page: waveform, pitch and spectrograms of a reference, a run, a chunk or a file; A and B on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.signal import spectra
from workbench.ui import style
from workbench.ui.parts import tables
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source

WAVE, PITCH, MODEL, HEARD, DIFFERENCE, FOURIER = "Waveform", "F0", "Mel, model", "Mel, audio", "Difference", "STFT"
KINDS = (WAVE, PITCH, MODEL, HEARD, DIFFERENCE, FOURIER)
DRAGS = {"plays the span": "select", "zooms": "zoom", "does nothing": False}


def choose_sources() -> list[Source]:
    """Draw the choice of A, and of B if the visitor compares; return the chosen sources."""
    found: list[Source] = []
    wanted, part = st.query_params.get("run"), st.query_params.get("chunk", "")
    left, right = st.columns(2, gap="large")
    for letter, place in (("A", left), ("B", right)):
        with place:
            if letter == "B" and not st.toggle("Compare with B", key="compare"):
                break
            try:
                source = sources.choose(
                    letter,
                    wanted_run=wanted if letter == "A" else None,
                    wanted_chunk=int(part) - 1 if part.isdecimal() and letter == "A" else None,
                )
            except WorkbenchError as error:
                st.error(str(error))
                continue
            if source is not None:
                st.audio(sources.sound(source), alt=f"Speech of source {letter}")
                found.append(source)
    return found


def panel_of(kind: str, source: Source, prefix: str, decibels: float) -> figures.Panel | None:
    """Return one panel of ``source``; None if it lacks the data, as a file lacks the model's mel."""
    hz, rate, at = spectra.mel_hz(source.config), source.config.frames_per_second, source.borders
    if kind == WAVE:
        return figures.WavePanel(prefix + "Waveform", source.wave, source.sample_rate, at)
    if kind == PITCH:
        return figures.PitchPanel(prefix + "F0", sources.pitch_of(source), at)
    if kind == FOURIER:
        bands = np.linspace(0, source.sample_rate / 2, source.config.n_fft // 2 + 1)
        return figures.SpectrumPanel(prefix + "STFT", sources.fourier(source), bands, rate, at)
    if kind == HEARD:
        return figures.SpectrumPanel(prefix + "Mel of the audio", sources.heard_mel(source), hz, rate, at)
    if source.model is None:
        return None
    if kind == MODEL:
        return figures.SpectrumPanel(prefix + source.model_title, source.model, hz, rate, at)
    heard = sources.heard_mel(source)
    offset = spectra.level_offset(source.model, heard)
    change = spectra.difference(source.model, heard - offset, float(source.model.max()) - decibels)
    title = f"{prefix}Audio minus model, level corrected by {-offset:+.1f} dB"
    return figures.DifferencePanel(title, change, hz, rate, at)


def panels_of(found: list[Source], shown: list[str], decibels: float) -> list[figures.Panel]:
    """Return the chosen panels from the top; A and B of one kind are neighbours."""
    prefixes = ("A: ", "B: ") if len(found) > 1 else ("",)
    pairs = [(kind, s, prefix) for kind in KINDS if kind in shown for s, prefix in zip(found, prefixes, strict=False)]
    panels = [panel_of(kind, source, prefix, decibels) for kind, source, prefix in pairs]
    return [panel for panel in panels if panel is not None]


def choose_display() -> tuple[list[str], dict[str, Any]]:
    """Draw the widgets; return the chosen panels and the options of the figure."""
    shown = st.pills(
        "Panels", KINDS, selection_mode="multi",
        default=[WAVE, PITCH, MODEL, HEARD], key="panels", persist_state="session",
        help="Difference: what the vocoder changed, mel of the audio minus mel of the model.",
    )  # fmt: skip
    one, two, three, four = st.columns([2, 1, 1, 2])
    options: dict[str, Any] = {
        "dynamic_range": float(one.slider("Dynamic range (dB)", 30, 100, 80, 5, key="range", persist_state="session")),
        "colour_map": two.selectbox("Colours", figures.COLOUR_MAPS, key="colours", persist_state="session"),
        "scale": three.selectbox("Frequency", spectra.SCALES, key="scale", persist_state="session"),
    }
    drag = four.segmented_control(
        "Dragging", list(DRAGS), default="plays the span", required=True, key="drag", persist_state="session"
    )
    return shown, options | {"drag": DRAGS[str(drag)]}


def choose_span(found: list[Source], box: list[dict[str, list[float]]], key: str) -> None:
    """Play the span that was selected in the figure, and offer to show only this span."""
    longest = max(source.seconds for source in found)
    if box:
        low, high = (min(max(0.0, float(at)), longest) for at in sorted(box[-1]["x"])[:: len(box[-1]["x"]) - 1])
        st.markdown(f"**Span {low:.2f} to {high:.2f} s**")
        for letter, source in zip("AB", found, strict=False):
            part = sources.slice_sound(source, (low, high))
            if part:
                st.audio(part, autoplay=letter == "A", alt=f"Source {letter} from {low:.2f} to {high:.2f} seconds")
        if high - low > 0.02 and st.button("Show only this span", icon=":material/zoom_in:", key="zoom"):
            st.session_state[key] = (low, high)
            st.rerun()
    if key in st.session_state and st.button("Show all", icon=":material/zoom_out_map:", key="unzoom"):
        del st.session_state[key]
        st.rerun()


def numbers(found: list[Source]) -> None:
    """Draw the measures of each source in one table."""
    rows = []
    for letter, source in zip("AB", found, strict=False):
        row = {
            "": letter,
            "source": source.title,
            "length (s)": round(source.seconds, 2),
            "mel frames": source.config.frames_of(len(source.wave)),
        }
        rows.append(row | measures.row(measures.SOUND, sources.measurable(source)))
    tables.measured(rows, "Length, level and pitch of each source")


st.title("Spectrograms")
chosen = choose_sources()
if chosen:
    shown, options = choose_display()
    panels = panels_of(chosen, shown, options["dynamic_range"])
    name = "spectrum:" + ":".join(source.key for source in chosen)
    if panels:
        figure = figures.stack(
            panels, span=st.session_state.get(name), dark=is_dark(),
            panel_pixels=190 if len(panels) < 5 else 150, sample_rate=chosen[0].sample_rate, **options,
        )  # fmt: skip
        event = st.plotly_chart(
            figure, theme=None, key="spectrum", on_select="rerun", selection_mode="box", config=figures.CONFIG,
            alt="Waveform, pitch and spectrograms over time; the numbers are in the table below",
        )  # fmt: skip
        choose_span(chosen, event["selection"]["box"], name)
    else:
        style.empty("Choose a panel.")
    numbers(chosen)
else:
    style.empty("Choose a run, a reference, or a file of your own.")
