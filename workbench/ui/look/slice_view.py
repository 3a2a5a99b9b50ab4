"""The spectrum at one moment, beside the mean of the selected span."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import streamlit as st

from workbench import figures
from workbench.engine.signal.phonetics import fourier, sheets
from workbench.ui.fragments import fragment
from workbench.ui.look import analysing, display, tools
from workbench.ui.look.display import Display
from workbench.ui.look.spans import Moment, Spans
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source

LEAST_SAMPLES = 64


@fragment
def show(found: Mapping[str, Source], chosen: Display, spans: Spans) -> None:
    """Draw the slice at the moment of the last click, or of the number that is typed."""
    moment = Moment(spans, lambda: _loudest(next(iter(found.values()))))
    st.header("Spectrum at a moment")

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        at = st.number_input(
            "Moment, s", 0.0, float(np.ceil(1000 * spans.seconds) / 1000), moment.second, 0.01, format="%.3f",
            key=moment.key, on_change=moment.typed, width=160,
        )  # fmt: skip
        is_log = st.toggle("Logarithmic frequency", key="slice_log", persist_state="session")
        has_mean = st.toggle(
            "Mean of the span" if spans.selected else "Mean of all that is shown", key="slice_mean",
            persist_state="session", help="The long-term average spectrum.",
        )  # fmt: skip
        tools.listen(spans.key, "look_moment", marks=at, at=moment.take)
        csv = st.container(width="content")
    spectra = _spectra(found, chosen, at, (spans.selected or spans.view) if has_mean else (), spans)
    csv.download_button(
        "CSV", partial(sheets.spectra_sheet, spectra), "f5tts-slice.csv", "text/csv", on_click="ignore",
        icon=":material/download:", key="slice_csv",
    )  # fmt: skip
    marks = _formants_at(next(iter(found.values())), chosen, at)
    figure = figures.slices(
        spectra, highest_hz=chosen.highest_hz, dynamic_range=chosen.dynamic_range, is_log=is_log, formants=marks,
        dark=is_dark(),
    )  # fmt: skip
    st.caption(_told(found, at))
    st.plotly_chart(
        figure, theme=None, key="slice", config=figures.CONFIG | {"displayModeBar": False},
        alt="Level over frequency at the moment; the highest peak and F0 are in the line above",
    )  # fmt: skip


def _spectra(
    found: Mapping[str, Source],
    chosen: Display,
    at: float,
    span: tuple[float, float] | tuple[()] | None,
    spans: Spans,
) -> dict[str, fourier.Spectrum]:
    """Return name to spectrum: of each source at ``at``; with ``span`` also the mean of it, of all for None."""
    made = {}
    for letter, source in found.items():
        rate, window = source.sample_rate, chosen.window
        made[f"{letter} at {at:.3f} s"] = fourier.spectrum_at(source.wave, rate, at, window)
        if span == ():
            continue
        low, high = span or (0.0, spans.seconds)
        part = source.wave[round(low * rate) : round(high * rate)]
        if len(part) >= LEAST_SAMPLES:
            made[f"{letter}, mean of {low:.2f} to {high:.2f} s"] = fourier.mean_spectrum(part, rate, window)
    return made


def _formants_at(source: Source, chosen: Display, at: float) -> dict[str, float]:
    if display.FORMANTS not in chosen.shown:
        return {}
    found = analysing.formants(source, chosen.ceiling_hz)
    if found is None or not len(found.seconds):
        return {}
    nearest = int(np.abs(found.seconds - at).argmin())
    return {f"F{k + 1}": float(hz) for k, hz in enumerate(found.hz[nearest])}


def _told(found: Mapping[str, Source], at: float) -> str:
    parts = []
    for letter, source in found.items():
        pitch, level = sources.pitch_of(source), analysing.intensity(source).at(at)
        hz = pitch.hz[int(np.abs(pitch.seconds - at).argmin())] if len(pitch.seconds) else float("nan")
        peak = fourier.spectrum_at(source.wave, source.sample_rate, at).peak_hz
        f0 = f"F0 {hz:.0f} Hz" if np.isfinite(hz) else "no voice"
        parts.append(f"{letter + ': ' if len(found) > 1 else ''}{f0} · intensity {level:.1f} dBFS · peak {peak:.0f} Hz")
    return " — ".join(parts)


def _loudest(source: Source) -> float:
    """Return the second at which ``source`` is loudest: a slice of silence would show nothing."""
    level = analysing.intensity(source)
    return float(level.seconds[int(level.values.argmax())]) if len(level.seconds) else 0.0
