"""The plan under the text: its chunks as coloured spans of the text itself, before anything is synthesized."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import Chunk, byte_budget, check_text, plan_chunks
from workbench.engine.speech.voices import Voice
from workbench.figures.theme import chunk_colour
from workbench.ui import resources

SHOWN_CHARACTERS = 20_000  # a longer text is planned whole and shown in part


def plan(text: str, voice: Voice, settings: SynthesisSettings, model: str) -> list[Chunk]:
    """The chunks of ``text``, by the engine where it is loaded, else without its vocabulary. Never waits for a model.

    Raises:
        TextError, SettingsError: as ``Engine.plan``.
    """
    engine = resources.engine_if_loaded(model)
    if engine is not None:
        return engine.plan(text, voice, settings)
    return plan_chunks(check_text(text), voice.ref_text, len(voice.audio), settings, voice.mel_config)


def upstream_bytes(voice: Voice | None) -> int:
    """Chunk size by upstream's rule for this voice."""
    if voice is None:
        return 0
    return byte_budget(voice.ref_text, voice.seconds, SynthesisSettings())


def locate(text: str, chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    """(from, to) of each chunk in ``text``: chunks hold its characters in order, spaces apart."""
    places, at = [], 0
    for chunk in chunks:
        left = sum(not c.isspace() for c in chunk.text)
        while at < len(text) and text[at].isspace():
            at += 1
        start = at
        while at < len(text) and left:
            left -= not text[at].isspace()
            at += 1
        places.append((start, at))
    return places


def coloured(text: str, chunks: Sequence[Chunk]) -> str:
    """``text`` as HTML, each chunk in its colour, with its number, bytes and seconds; warnings marked."""
    parts, end = [], 0
    for chunk, (low, high) in zip(chunks, locate(text, chunks), strict=True):
        if low >= SHOWN_CHARACTERS:
            break
        warning = (
            f' <span class="wb-warn" title="{escape("; ".join(chunk.warnings))}">⚠</span>' if chunk.warnings else ""
        )
        facts = f"{chunk.index + 1} · {chunk.n_bytes} B · {chunk.planned_seconds:.1f} s"
        parts.append(escape(text[end:low]))
        parts.append(
            f'<span class="wb-chunk" style="--c:{chunk_colour(chunk.index)}">'
            f'<span class="wb-tag">{facts}{warning}</span>{escape(text[low:high])}</span>'
        )
        end = high
    more = len(text) - end
    rest = f' <span class="wb-dim">… and {more:,} characters more</span>' if more > 1 else ""
    return f'<div class="wb-text" role="group" aria-label="The text, divided into chunks">{"".join(parts)}{rest}</div>'


def show_plan(text: str, voice: Voice | None, settings: SynthesisSettings, model: str) -> list[Chunk] | None:
    """Draw the plan, or what is wrong with text and settings. Returns the chunks, or None."""
    if voice is None:
        st.html('<div class="wb-empty">Choose a voice: the plan follows from its pace.</div>')
        return None
    if not text.strip():
        st.html('<div class="wb-empty">Type a text, or take an example. Its chunks appear here as you type.</div>')
        return None
    try:
        chunks = plan(text, voice, settings, model)
    except WorkbenchError as error:
        st.error(str(error))
        return None
    st.html(_facts(chunks, voice) + coloured(text.strip(), chunks) + _warnings(chunks))
    return chunks


def _facts(chunks: Sequence[Chunk], voice: Voice) -> str:
    seconds = sum(c.planned_seconds for c in chunks)
    longest = max(c.duration_frames for c in chunks) / voice.mel_config.frames_per_second
    facts = {
        "chunk" if len(chunks) == 1 else "chunks": str(len(chunks)),
        "bytes": f"{sum(c.n_bytes for c in chunks):,}",
        "of speech": f"{seconds:.1f} s",
        "longest with reference": f"{longest:.1f} s",
    }
    return (
        '<div class="wb-facts">'
        + "".join(f"<span><b>{value}</b> <span>{name}</span></span>" for name, value in facts.items())
        + "</div>"
    )


def _warnings(chunks: Sequence[Chunk], limit: int = 4) -> str:
    found = [(c.index, warning) for c in chunks for warning in c.warnings]
    lines = [f'<div class="wb-state"><span class="wb-warn">⚠</span>chunk {i + 1}: {escape(w)}</div>' for i, w in found]
    if len(lines) > limit:
        lines = [*lines[:limit], f'<div class="wb-state wb-dim">and {len(lines) - limit} more</div>']
    return "".join(lines)
