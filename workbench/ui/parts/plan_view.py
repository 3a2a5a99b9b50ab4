"""Draw the plan of a text: its chunks as coloured spans, before anything is synthesized."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, cast

import streamlit as st

from workbench.engine.catalog import get_model
from workbench.engine.errors import WorkbenchError
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import Chunk, byte_budget, number_languages
from workbench.engine.speech.voices import Voice
from workbench.engine.text.normalise import Change, summary
from workbench.engine.text.preparing import Prepared, prepare
from workbench.figures.theme import chunk_colour
from workbench.ui import resources
from workbench.ui.style import duration

if TYPE_CHECKING:  # it extends ``Plan``
    from workbench.ui.scripts.planning import ScriptPlan

SHOWN_CHARACTERS = 20_000  # a longer text is planned completely but shown in part


@dataclass(frozen=True)
class Plan:
    """The prepared text, its chunks and the model's window; ``error`` says why the text cannot be spoken."""

    prepared: Prepared | None
    chunks: tuple[Chunk, ...] = ()
    error: str = ""
    window_frames: int = 8192


def plan(text: str, voice: Voice, settings: SynthesisSettings, model: str) -> Plan:
    """Plan ``text`` without waiting for a model: by its vocabulary if it is on this disk, else without.

    A book takes a second; its plan is kept, whatever the seed is: the chunks have seeds from 0.
    """
    loaded = resources.engine_if_loaded(model)
    return _planned(
        text, voice.id, settings.replace(seed=0), model, id(loaded), resources.vocabulary(model) is None, voice
    )


@st.cache_resource(show_spinner="Planning the chunks", show_time=True, max_entries=32)
def _planned(
    text: str, voice_id: str, settings: SynthesisSettings, model: str, engine_id: int, unknown: bool, _voice: Voice
) -> Plan:
    voice, engine = _voice, resources.engine_if_loaded(model)
    spec = get_model(model) if engine is None else engine.loaded.spec
    window = WINDOW_FRAMES[spec.backbone] if engine is None else engine.loaded.window_frames
    # no chunk size changes the prepared text, so it is kept by itself
    prepared, error = _prepared(text, voice.language, settings.numbers, model, engine_id, unknown, voice, settings)
    if prepared is None or error:
        return Plan(prepared, error=error)
    try:
        return Plan(prepared, tuple(voice.plan(prepared, settings, window)), window_frames=window)
    except WorkbenchError as problem:
        return Plan(prepared, error=str(problem))


@st.cache_resource(show_spinner=False, max_entries=8)
def _prepared(
    text: str, language: str, numbers: str, model: str, engine_id: int, unknown: bool, _voice: Voice,
    _settings: SynthesisSettings,
) -> tuple[Prepared | None, str]:  # fmt: skip
    """The prepared text, and why it cannot be spoken."""
    engine, prepared = resources.engine_if_loaded(model), None
    try:
        if engine is not None:
            prepared = engine.prepare(text, _voice, _settings)
        else:
            languages = number_languages(get_model(model).languages, language, _settings)
            prepared = prepare(text, resources.vocabulary(model), languages)
        return prepared.check(), ""
    except WorkbenchError as problem:
        return prepared, str(problem)


def upstream_bytes(voice: Voice | None) -> int:
    """Return the chunk size in bytes by upstream's rule for this voice; 0 without a voice."""
    if voice is None:
        return 0
    pace = voice.pace_samples / voice.mel_config.target_sample_rate
    return byte_budget(voice.ref_text, voice.seconds, SynthesisSettings(), pace)


Mark = tuple[int, int, str, str, str]  # start, end, CSS class, title, words shown after it


def marks_of(prepared: Prepared, end: int | None = None) -> list[Mark]:
    """Return the marks in the typed text, in order and without overlap; with ``end``, those that begin before it.

    At one place, text that cannot be spoken comes first, then an offer, a change, words for a number.
    """
    end = len(prepared.typed) if end is None else end
    marks: list[Mark] = [
        (c.start, c.end, "wb-lacking", "the model cannot speak this", "") for c in _before(end, prepared.lacking)
    ]
    marks += [
        (c.start, c.end, "wb-offer", f"{c.what}: can be left out or written plainer", "")
        for c in _before(end, prepared.offers)
    ]
    marks += [
        (c.start, c.end, "wb-changed", f"{c.what}: read as {c.after!r}" if c.after else f"{c.what}: left out", "")
        for c in _before(end, prepared.changes)
        if c.before.strip()
    ]
    for low, high, words in prepared.spoken:
        if (start := prepared.place(low)) >= end:
            break
        marks.append((start, prepared.place(high - 1) + 1, "wb-said", "spoken as words", words))
    marks.sort(key=lambda mark: mark[0])
    apart: list[Mark] = []
    for mark in marks:
        if not apart or mark[0] >= apart[-1][1]:
            apart.append(mark)
    return apart


def _before(end: int, found: Sequence[Change]) -> Iterator[Change]:
    """Yield those of ``found``, which are in order, that begin before ``end``."""
    return itertools.takewhile(lambda change: change.start < end, found)


def marked(text: str, low: int, high: int, marks: Sequence[Mark]) -> str:
    """Return ``text[low:high]`` as HTML with the ``marks`` inside it."""
    parts, end = [], low
    first = bisect.bisect_left(marks, (low,))
    for start, stop, css, title, behind in marks[first:]:
        if stop > high:
            break
        shown = escape(text[start:stop])
        said = f'<span class="wb-words"> {escape(behind)}</span>' if behind else ""
        parts += [escape(text[end:start]), f'<span class="{css}" title="{escape(title)}">{shown}</span>{said}']
        end = stop
    return "".join([*parts, escape(text[end:high])])


def _pause(seconds: float) -> str:
    return f'<span class="wb-pause">pause {seconds:.2f} s</span> ' if seconds else ""


def coloured(text: str, chunks: Sequence[Chunk], marks: Sequence[Mark] = ()) -> str:
    """Return ``text`` as HTML: each chunk in its colour with number, bytes, seconds and warnings, and the ``marks``."""
    parts, end = [], 0
    for chunk in chunks:
        if chunk.start >= SHOWN_CHARACTERS:
            break
        warning = (
            f' <span class="wb-warn" title="{escape("; ".join(chunk.warnings))}">⚠</span>' if chunk.warnings else ""
        )
        facts = f"{chunk.index + 1} · {chunk.n_bytes} B · {chunk.planned_seconds:.1f} s"
        parts.append(marked(text, end, chunk.start, marks) + _pause(chunk.lead_seconds))
        parts.append(
            f'<span class="wb-chunk" style="--c:{chunk_colour(chunk.index)}">'
            f'<span class="wb-tag">{facts}{warning}</span>{marked(text, chunk.start, chunk.end, marks)}</span>'
        )
        parts.append(_pause(chunk.pause_seconds))
        end = chunk.end
    more = len(text) - end
    rest = f' <span class="wb-dim">… and {more:,} characters more</span>' if more > 1 and text[end:].strip() else ""
    return f'<div class="wb-text" role="group" aria-label="The text, divided into chunks">{"".join(parts)}{rest}</div>'


def uncut(text: str, marks: Sequence[Mark]) -> str:
    """Return ``text`` as HTML with ``marks`` and without chunks, for a text that cannot be spoken."""
    shown = marked(text, 0, min(len(text), SHOWN_CHARACTERS), marks)
    return f'<div class="wb-text" role="group" aria-label="The text, with unspeakable parts marked">{shown}</div>'


def plan_if_any(text: str, voice: Voice | None, settings: SynthesisSettings | None, model: str) -> Plan | None:
    """Return the plan of a text or a script, or None while text, voice or settings are missing."""
    from workbench.ui.scripts.planning import plan_of  # it extends ``Plan``

    if not (voice and settings and text.strip()):
        return None
    return plan_of(text, voice, settings, model) or plan(text, voice, settings, model)


def show_plan(text: str, found: Plan | None, voice: Voice | None, key: str) -> None:
    """Draw the plan ``found`` for ``text``, or its error.

    ``key`` is the widget key of the text area: the button "Clean the text" puts the cleaned text there.
    """
    if voice is None:
        st.html('<div class="wb-empty">Choose a voice: the plan depends on its pace.</div>')
        return
    if found is None:
        if not text.strip():
            st.html('<div class="wb-empty">Type a text, or choose an example. Its chunks appear here.</div>')
        else:  # without settings; on a phone they are out of sight
            st.html('<div class="wb-empty">A setting is out of its range; the settings say which.</div>')
        return
    if hasattr(found, "strangers"):  # not isinstance: the class may have been reloaded
        from workbench.ui.scripts import view

        view.show(text, cast("ScriptPlan", found), key)
        return
    if found.error:
        st.error(found.error)
    if found.prepared is None:
        return
    _show_remarks(found.prepared, key)
    shown = bisect.bisect_left(found.chunks, SHOWN_CHARACTERS, key=lambda chunk: chunk.start)
    marks = marks_of(found.prepared, found.chunks[shown - 1].end if shown else SHOWN_CHARACTERS)
    if found.chunks:
        st.html(_facts(found.chunks, voice) + coloured(text, found.chunks, marks) + warnings_of(found.chunks))
    elif marks:
        st.html(uncut(text, marks))


def _show_remarks(prepared: Prepared, key: str) -> None:
    """Draw one line with the changes made, and one with the changes offered and the button that makes them."""
    if prepared.changes:
        st.html(f'<div class="wb-state wb-remark">Changed: {escape(summary(prepared.changes))}</div>')
    if prepared.offers:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.button("Clean the text", key=f"clean_{key}", on_click=_clean, args=(key, prepared.cleaned))
            st.html(f'<div class="wb-state wb-remark">Offered: {escape(summary(prepared.offers))}</div>')


def _clean(key: str, cleaned: str) -> None:
    st.session_state[key] = cleaned


def told_in_short(found: Plan) -> str:
    """Return number of chunks and length of the speech in one line."""
    chunks = found.chunks
    seconds = sum(c.planned_seconds + c.lead_seconds + c.pause_seconds for c in chunks)
    n = "1 chunk" if len(chunks) == 1 else f"{len(chunks):,} chunks"
    n_warned = sum(bool(c.warnings) for c in chunks)
    warned = f" · {n_warned} with a warning" if n_warned else ""
    return f"{n} · {sum(c.n_bytes for c in chunks):,} bytes · {duration(seconds)} of speech{warned}"


def _facts(chunks: Sequence[Chunk], voice: Voice) -> str:
    seconds = sum(c.planned_seconds for c in chunks)
    pauses = sum(c.lead_seconds + c.pause_seconds for c in chunks)
    longest = max(c.duration_frames for c in chunks) / voice.mel_config.frames_per_second
    facts = {
        "chunk" if len(chunks) == 1 else "chunks": f"{len(chunks):,}",
        "bytes": f"{sum(c.n_bytes for c in chunks):,}",
        "of speech": f"{seconds:.1f} s" if seconds < 600 else duration(seconds),
        **({"of pauses": f"{pauses:.1f} s"} if pauses else {}),
        "longest with reference": f"{longest:.1f} s",
    }
    return (
        '<div class="wb-facts">'
        + "".join(f"<span><b>{value}</b> <span>{name}</span></span>" for name, value in facts.items())
        + "</div>"
    )


def warnings_of(chunks: Sequence[Chunk], limit: int = 4) -> str:
    """Return the first warnings of ``chunks`` as HTML, one line each, and how many more there are."""
    found = [(c.index, warning) for c in chunks for warning in c.warnings]
    shown = found[:limit]
    lines = [f'<div class="wb-state"><span class="wb-warn">⚠</span>chunk {i + 1}: {escape(w)}</div>' for i, w in shown]
    if left := len(found) - len(shown):
        lines.append(f'<div class="wb-state wb-dim">and {left:,} more</div>')
    return "".join(lines)
