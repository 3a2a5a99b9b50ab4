"""Show a finished run: its numbers, and its waveform and mel bound to the player."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st

from workbench import figures
from workbench.engine import measures
from workbench.engine.signal import spectra
from workbench.ui import dock, document, style
from workbench.ui.parts.theme import is_dark

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run


@st.cache_data(show_spinner=False, max_entries=12)
def _picture(run_id: str, made: str, dark: bool, _run: Run) -> figures.Figure:
    lengths = [len(c.wave) for c in _run.chunks]
    borders = spectra.chunk_borders(_run.starts, lengths, _run.sample_rate)
    decibels = spectra.mel_decibels(_run.mel)
    return figures.waveform_mel(_run.wave, decibels, _run.mel_config, borders=borders, dark=dark)


def picture(run: Run) -> None:
    """Draw waveform and mel of ``run``; a click plays from there. A long run is not drawn as a whole."""
    if run.is_long:
        st.caption(f"The run has {len(run.chunks)} chunks. The page Listen and look shows each of them.")
        return
    sound = document.sound_of(run)
    figure = _picture(run.id, str(sound.urls), is_dark(), run)
    chart(
        dock.bind(figure, sound),
        "run_picture",
        f"Waveform and mel spectrogram of {run.audio_seconds:.1f} s of speech in {len(run.chunks)} chunks",
    )


def origin() -> str:
    """Return scheme and host of this page: what plays sound needs absolute addresses."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def chart(figure: Any, key: str, alt: str) -> None:
    """Draw a figure with a description for screen readers."""
    st.plotly_chart(figure, key=key, theme=None, config=figures.CONFIG, alt=alt)


def bars(figure: Any, key: str, alt: str) -> None:
    """Draw a figure as ``chart`` does, with the names of its bars above it: a figure's own legend lies on the bars
    where the page is narrow."""
    found = [trace for trace in figure.data if trace.type == "bar"]
    style.legend((trace.name, trace.marker.color) for trace in found)
    figure.update_traces(showlegend=False, selector={"type": "bar"})
    if len(found) == len(figure.data):
        figure.update_layout(margin={"t": 8})
    chart(figure, key, alt)


def numbers(run: Run) -> None:
    """Draw a button that plays ``run``, its numbers, and one line of facts."""
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
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="numbers"):
        dock.button(document.sound_of(run), key="play_run")
        for label, value, about in cells:
            st.metric(label, value, help=about, width=130)
    facts = f"{run.model} · {run.device} · {run.dtype} · {_who(run)} · {run.settings.nfe_step} steps"
    facts += " · profiled, which slowed it" if run.request.profile else ""
    whole = f'{escape(facts)} · <span class="wb-id">{escape(run.id)}</span>'
    st.html(f'<div class="wb-state wb-dim"><span>{whole}</span></div>')


def _who(run: Run) -> str:
    script = run.request.script
    return f"voices {', '.join(one.name for one in script.speakers)}" if script else f"voice {run.voice}"
