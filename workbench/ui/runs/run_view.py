"""Show a finished run: numbers, sound, waveform and mel, time of each stage."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.signal import spectra
from workbench.ui import resources
from workbench.ui.parts.theme import is_dark

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


@st.cache_data(show_spinner=False, max_entries=12)
def _picture(run_id: str, dark: bool, _run: Run) -> figures.Figure:
    lengths = [len(c.wave) for c in _run.chunks]
    borders = spectra.chunk_borders(_run.starts, lengths, _run.sample_rate)
    decibels = spectra.mel_decibels(_run.mel)
    return figures.waveform_mel(_run.wave, decibels, _run.mel_config, borders=borders, dark=dark)


@st.cache_data(show_spinner=False, max_entries=12)
def _timeline(run_id: str, dark: bool, _run: Run) -> figures.Figure:
    return figures.gantt_with_utilisation(_run.spans, _run.utilisation, dark=dark)


@st.cache_data(show_spinner=False, max_entries=12)
def _loading(run_id: str, dark: bool, _run: Run) -> figures.Figure:
    return figures.load_bars(_run.spans, dark=dark)


def _wav(run: Run) -> bytes:
    from workbench.engine.runs import exports

    return resources.kept().get(("wav", run.id, run.created_at), lambda: exports.get("wav").make(run))


def show_run(run: Run) -> None:
    """Draw the numbers, sound, spectrogram and timeline of ``run``."""
    _numbers(run)
    if run.is_long:
        long_sound(run.id)
        st.caption(f"The run has {len(run.chunks)} chunks. The page Spectrograms shows each of them.")
        return
    st.audio(_wav(run), alt=f"Speech of run {run.id}, {run.audio_seconds:.1f} seconds")
    _chart(
        _picture(run.id, is_dark(), run),
        "run_picture",
        f"Waveform and mel spectrogram of {run.audio_seconds:.1f} s of speech in {len(run.chunks)} chunks",
    )
    st.header("Where the time went")
    _chart(
        _timeline(run.id, is_dark(), run),
        "run_timeline",
        f"Stages of each chunk over {run.total_seconds:.1f} s, with processor and memory use",
    )
    with st.expander(f"Loading: {run.load_seconds:.1f} s, once per server; not part of this run"):
        _chart(_loading(run.id, is_dark(), run), "run_loading", f"Stages of loading, {run.load_seconds:.1f} s in all")


def origin() -> str:
    """Return scheme and host of this page: what plays sound needs absolute addresses."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def long_sound(run_id: str) -> None:
    """Draw a player that reads the sound of a saved run from the server piece by piece."""
    if base := origin():
        st.audio(f"{base}/api/runs/{run_id}/audio.wav")


def _chart(figure: Any, key: str, alt: str) -> None:
    st.plotly_chart(figure, key=key, theme=None, config=figures.CONFIG, alt=alt)


def _numbers(run: Run) -> None:
    cells = [
        ("Speech", f"{run.audio_seconds:.2f} s", "Length of the joined audio."),
        ("First audio after", f"{run.time_to_first_audio_seconds:.2f} s", measures.get("first_audio_seconds").help),
        ("Whole run", f"{run.total_seconds:.2f} s", "From the first chunk's text to the joined audio."),
        ("RTF", measures.get("rtf").shown(run.rtf), measures.get("rtf").help),
        ("Load, once", f"{run.load_seconds:.1f} s", "Once per server, before the first run; not part of this run."),
    ]
    if run.n_reused:
        about = "Read from the chunk store: words, voice, settings and seed have not changed. RTF is that of the rest."
        cells.append(("Reused", f"{run.n_reused} of {len(run.chunks)}", about))
    if run.request.remake is not None:
        index = run.request.remake.chunk
        own = run.chunks[index].timing.total_seconds
        about = "The other chunks are unchanged. Whole run counts the time of all chunks."
        cells.insert(1, (f"Chunk {index + 1} remade in", f"{own:.2f} s", about))
    with st.container(horizontal=True, gap="medium"):
        for label, value, about in cells:
            st.metric(label, value, help=about, width=150)
    facts = f"{run.model} · {run.device} · {run.dtype} · voice {run.voice} · {run.settings.nfe_step} steps · {run.id}"
    facts += " · profiled, which slowed it" if run.request.profile else ""
    st.html(f'<div class="wb-state wb-dim">{escape(facts)}</div>')
