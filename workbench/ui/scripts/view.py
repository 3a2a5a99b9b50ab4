"""Draw the plan of a script: each passage in the colour of its voice, with its time, chunks and problems."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from html import escape

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.scripts import Row, rows_of_run
from workbench.engine.speech.results import Run
from workbench.engine.text.normalise import Change, applied, summary
from workbench.figures.theme import chunk_colour
from workbench.ui import resources
from workbench.ui.parts import plan_view
from workbench.ui.parts.plan_view import SHOWN_CHARACTERS, Mark
from workbench.ui.scripts import session
from workbench.ui.scripts.planning import ScriptPlan
from workbench.ui.style import plain

SHOWN_ROWS = 500  # of the table of times; a film has more cues
_CSS = """<style>
.wb-passage{border-left:3px solid var(--c);padding:.1rem 0 .1rem .6rem;margin:.3rem 0;white-space:pre-wrap}
.wb-speaker{font-weight:600;color:color-mix(in srgb,var(--c) 40%,currentColor);margin-right:.5em}
.wb-when{font-size:.82em;opacity:.85;font-variant-numeric:tabular-nums;margin-right:.5em}
.wb-passage .wb-chunk{--c:inherit}
.wb-passage .wb-tag{--c:currentColor}
.wb-off{color:light-dark(#a34b08,#f2a86f);font-weight:600;opacity:1}
</style>"""


def show(text: str, plan: ScriptPlan, key: str) -> None:
    """Draw ``plan`` of ``text``, or its error; ``key`` is the widget key of the text area."""
    if plan.error:
        st.error(plain(plan.error))
    if plan.strangers:
        _cast(plan.strangers)
    _remarks(text, plan, key)
    if plan.chunks:
        st.html(_CSS + _facts(plan) + _passages(text, plan) + plan_view.warnings_of(plan.chunks))
        times(plan.rows)
    elif plan.parts:
        st.html(plan_view.uncut(text, list(_marks(plan))))


def _cast(strangers: tuple[str, ...]) -> None:
    """Offer a voice for each name that none has."""
    names = [voice.name for voice in resources.bundled_voices()]
    st.caption("Who speaks these? Or correct their names in the text.")
    with st.container(horizontal=True, gap="small"):
        for name in strangers[:12]:
            chosen = st.selectbox(
                name, names, index=None, placeholder="Choose a voice", key=f"script_cast_{name}", width=170
            )
            if chosen:
                session.cast_as(name, chosen)
                st.rerun()


def _remarks(text: str, plan: ScriptPlan, key: str) -> None:
    """Draw what was changed in the words, and what can be, with the button that does it."""
    changes, offers = _placed(plan, "changes"), _placed(plan, "offers")
    if changes:
        st.html(f'<div class="wb-state wb-remark">Changed: {escape(summary(changes))}</div>')
    if offers:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.button("Clean the text", key=f"clean_{key}", on_click=_clean, args=(key, applied(text, offers)))
            st.html(f'<div class="wb-state wb-remark">Offered: {escape(summary(offers))}</div>')


def _clean(key: str, cleaned: str) -> None:
    st.session_state[key] = cleaned


def _placed(plan: ScriptPlan, kind: str) -> list[Change]:
    """The changes of all passages with their places in the whole text."""
    return [
        dataclasses.replace(change, start=change.start + start)
        for start, prepared in plan.parts
        for change in getattr(prepared, kind)
    ]


def _facts(plan: ScriptPlan) -> str:
    whole = max(row.end for row in plan.rows)
    said = {
        "passage" if len(plan.rows) == 1 else "passages": str(len(plan.rows)),
        "voice" if len(plan.voices) == 1 else "voices": str(len(plan.voices)),
        "chunk" if len(plan.chunks) == 1 else "chunks": str(len(plan.chunks)),
        "with all pauses": f"{whole:.1f} s",
    }
    cells = "".join(f"<span><b>{value}</b> <span>{name}</span></span>" for name, value in said.items())
    return f'<div class="wb-facts">{cells}</div>'


def colours(plan_or_run: Mapping[str, object] | Run) -> dict[str, str]:
    """Return name to colour of each speaker, in order."""
    names = plan_or_run if isinstance(plan_or_run, Mapping) else _speakers(plan_or_run)
    return {name: chunk_colour(index) for index, name in enumerate(names)}


def _speakers(run: Run) -> list[str]:
    script = run.request.script
    return [one.name for one in script.speakers] if script else [run.voice]


def _passages(text: str, plan: ScriptPlan) -> str:
    marks, colour = list(_marks(plan)), colours(plan.voices)
    rows = {row.passage: row for row in plan.rows}
    parts, shown = [], 0
    for index, group in itertools.groupby(plan.chunks, lambda chunk: chunk.passage):
        chunks, row = list(group), rows[index]
        if chunks[0].start >= SHOWN_CHARACTERS:
            break
        body = []
        for chunk in chunks:
            facts = f"{chunk.index + 1} · {chunk.n_bytes} B · {chunk.planned_seconds:.1f} s"
            warned = f' <span class="wb-warn" title="{escape("; ".join(chunk.warnings))}">⚠</span>'
            tag = f'<span class="wb-tag">{facts}{warned if chunk.warnings else ""}</span>'
            body.append(f'<span class="wb-chunk">{tag}{plan_view.marked(text, chunk.start, chunk.end, marks)}</span> ')
        pause = chunks[-1].pause_seconds
        body.append(f'<span class="wb-pause">pause {pause:.2f} s</span>' if pause else "")
        parts.append(
            f'<div class="wb-passage" style="--c:{colour[row.speaker]}"><span class="wb-speaker">{escape(row.speaker)}'
            f"</span>{_when(row, plan)}{''.join(body)}</div>"
        )
        shown += 1
    more = len(plan.rows) - shown
    rest = f'<div class="wb-dim">… and {more:,} passages more</div>' if more else ""
    label = "The script, divided into passages and chunks"
    return f'<div class="wb-text" role="group" aria-label="{label}" tabindex="0">{"".join(parts)}{rest}</div>'


def _marks(plan: ScriptPlan) -> Iterator[Mark]:
    for start, prepared in plan.parts:
        for low, high, css, title, behind in plan_view.marks_of(prepared):
            yield low + start, high + start, css, title, behind


def _when(row: Row, plan: ScriptPlan) -> str:
    """Time, speed and other settings of a passage, where they were asked for or fitted."""
    said = [f"{row.start:.2f} – {row.end:.2f} s"] if row.wanted_start is not None else []
    script = plan.request.script if plan.request else None
    own = script.passages[row.passage].settings if script else {}
    said += [f"{row.speed:.2f} ×"] if "speed" in own else []
    said += [escape(f"{name} {value}") for name, value in own.items() if name != "speed"]
    off = ", ".join(_off(row))
    warned = f' <span class="wb-off">⚠ {off}</span>' if off else ""
    return f'<span class="wb-when">{" · ".join(said)}{warned}</span>' if said or off else ""


def _off(row: Row) -> Iterator[str]:
    if row.is_off and row.late_seconds > 0.05:
        yield f"{row.late_seconds:.2f} s late"
    if row.is_off and row.over_seconds > 0.05:
        yield f"ends {row.over_seconds:.2f} s late"


def times(rows: Sequence[Row], of: str = "Times") -> None:
    """Draw the passages beside the times that were wanted; nothing where none was. ``of`` begins the title."""
    timed = [row for row in rows if row.wanted_start is not None]
    if not timed:
        return
    off = [row for row in timed if row.is_off]
    said = f"{len(off)} of {len(timed)} passages do not fit" if off else f"all {len(timed)} passages fit"
    with st.expander(f"{of}: {said}", expanded=bool(off), key=f"script_{'_'.join(of.lower().split())}"):
        st.dataframe(
            [
                {"passage": row.passage + 1, "voice": row.speaker, "words": row.text, "wanted": row.wanted_start,
                 "until": row.wanted_end, "begins": row.start, "ends": row.end, "speed": row.speed,
                 "late": row.late_seconds, "ends late": row.over_seconds}
                for row in timed[:SHOWN_ROWS]
            ],
            column_config={
                **{name: st.column_config.NumberColumn(format="%.2f s")
                   for name in ("wanted", "until", "begins", "ends", "late", "ends late")},
                "speed": st.column_config.NumberColumn(format="%.2f ×"),
                "words": st.column_config.TextColumn(width=190),
            },
            hide_index=True, height="content" if len(timed) < 12 else 400,
        )  # fmt: skip
        if len(timed) > SHOWN_ROWS:
            st.caption(f"The first {SHOWN_ROWS}; `workbench plan --script FILE` lists all.")


def of_run(run: Run) -> None:
    """Draw the times of a finished script."""
    try:
        times(rows_of_run(run), "Times of the run")
    except WorkbenchError as error:
        st.error(str(error))
