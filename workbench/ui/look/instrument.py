"""The figure with its tools: span, zoom, slice, words. Only this part of the page is drawn again while one looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from workbench import figures
from workbench.engine.signal.phonetics import contours
from workbench.ui import dock, style
from workbench.ui.fragments import fragment
from workbench.ui.look import analysing, display, panels, slice_view, tools, words
from workbench.ui.look.display import Display
from workbench.ui.look.spans import Spans
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sources
from workbench.ui.runs.sources import Source

_PLOTLY: dict[str, Any] = figures.CONFIG | {"displayModeBar": False, "doubleClick": False}
_MANY = 6  # panels, from which on each is lower
# the tools stay in sight while a long figure is scrolled
_CSS = """<style>
[data-testid=stLayoutWrapper]:has(>.st-key-look_bar){position:sticky;top:3.6rem;z-index:30}
.st-key-look_bar{background:light-dark(#ffffff,#14181d);padding:.35rem 0;border-bottom:1px solid
 color-mix(in srgb,currentColor 14%,transparent)}
@media (max-height:560px),(max-width:640px){[data-testid=stLayoutWrapper]:has(>.st-key-look_bar){position:static}}
</style>"""


@fragment
def show(found: Mapping[str, Source], chosen: Display) -> None:
    """Draw the figure of ``found`` with its tools, and the slice below it."""
    drawn = panels.of(found, chosen)
    if display.FORMANTS in chosen.shown and contours.lacking():
        st.info(f"{contours.lacking()}.", icon=":material/extension:")
    elif display.FORMANTS in chosen.shown and not {display.FOURIER, display.HEARD} & set(chosen.shown):
        st.caption("Formants are drawn on the panels STFT and Mel, audio: choose one of them.")
    if not drawn:
        style.empty("Choose a panel.")
        return
    first = next(iter(found.values()))
    name = "|".join(source.key for source in found.values())
    spans = Spans(name, max(source.seconds for source in found.values()))
    with st.container(key="look_bar"):
        st.html(_CSS)
        _bar(found, spans)
    figure = figures.stack(
        drawn, span=spans.view, mark=spans.selected, band=spans.band, dark=is_dark(), sample_rate=first.sample_rate,
        panel_pixels=190 if len(drawn) < _MANY else 150, **chosen.figure,
    )  # fmt: skip
    tools.bind(figure, spans.key)
    st.plotly_chart(
        dock.bind(figure, sources.playable(first), first.starts_at), theme=None, key="spectrum", config=_PLOTLY,
        alt="Waveform, words, pitch and spectrograms over time; the numbers are in the table below",
    )  # fmt: skip
    if display.WORDS in chosen.shown:
        words.offer(found)
    slice_view.show(found, chosen, spans)


def _bar(found: Mapping[str, Source], spans: Spans) -> None:
    """Draw the tools of span and zoom in one line that wraps."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        _zoom_buttons(spans)
        chosen = spans.selected
        with st.popover("Span", icon=":material/straighten:", width="content"):
            _span_form(spans)
        if chosen is not None:
            for letter, source in found.items():
                sound = sources.playable_span(source, chosen)
                if sound is not None:
                    label = f"Play {letter}" if len(found) > 1 else "Play"
                    dock.button(sound, label, key=f"play_span_{letter}")
            for label, icon, key, act, value in (
                ("Zoom to it", "zoom_in_map", "zoom", spans.show, chosen),
                ("Clear", "close", "clear_span", spans.select, None),
            ):
                st.button(label, icon=f":material/{icon}:", key=key, on_click=act, args=(value,), width="content")
        tools.listen(
            spans.key, "look_figure", name=_file_name(found), span=spans.select, view=spans.show,
        )  # fmt: skip
    st.caption(_told(found, chosen) if chosen is not None else _hint(spans))


def _zoom_buttons(spans: Spans) -> None:
    is_whole = spans.view is None and spans.band is None
    buttons = (
        ("Zoom in", "look_zoom_in", lambda: spans.zoom(0.5), False),
        ("Zoom out", "look_zoom_out", lambda: spans.zoom(2.0), is_whole),
        ("Earlier", "look_earlier", lambda: spans.move(-0.5), is_whole),
        ("Later", "look_later", lambda: spans.move(0.5), is_whole),
        ("Show all", "unzoom", lambda: spans.show(None), is_whole),
    )
    for label, key, act, is_off in buttons:
        st.button(label, key=key, disabled=is_off, on_click=act, width="content")


def _span_form(spans: Spans) -> None:
    """Draw two numbers, for those who do not drag."""
    low, high = spans.selected or spans.view or (0.0, spans.seconds)
    keys = [f"{end}_{spans.key}_{low:.4f}_{high:.4f}" for end in ("from", "to")]  # new ones with each new span

    def select() -> None:
        spans.select([st.session_state[key] for key in keys])

    with st.form("span_form", border=False):
        for label, value, key in zip(("From, s", "To, s"), (low, high), keys, strict=True):
            st.number_input(label, 0.0, spans.seconds, float(value), 0.05, format="%.3f", key=key)
        st.form_submit_button("Select", width="stretch", on_click=select)


def _hint(spans: Spans) -> str:
    shown = f"{spans.view[0]:.3f} to {spans.view[1]:.3f} s are shown. " if spans.view else ""
    return f"{shown}A click plays from there and takes a slice; drag over the figure to select a span."


def _told(found: Mapping[str, Source], span: tuple[float, float]) -> str:
    """Return the span and what is measured within it, in one line."""
    low, high = span
    parts = [f"**{low:.3f} to {high:.3f} s** · {1000 * (high - low):.0f} ms"]
    for letter, source in found.items():
        pitch, level = sources.pitch_of(source), analysing.intensity(source)
        inside = (pitch.seconds >= low) & (pitch.seconds <= high)
        voiced = pitch.hz[inside][np.isfinite(pitch.hz[inside])]
        loud = level.values[(level.seconds >= low) & (level.seconds <= high)]
        f0 = f"F0 {np.median(voiced):.0f} Hz" if len(voiced) else "no voice"
        power = 10 * np.log10(np.mean(10 ** (loud / 10))) if len(loud) else float("nan")
        parts.append(f"{letter + ': ' if len(found) > 1 else ''}{f0}, {power:.1f} dBFS".replace("nan dBFS", "no sound"))
    return " · ".join(parts)


def _file_name(found: Mapping[str, Source]) -> str:
    names = ["".join(c if c.isalnum() or c in "-_" else "_" for c in source.title) for source in found.values()]
    return "-".join(["f5tts", *names])[:120]
