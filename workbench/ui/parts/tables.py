"""Tables of chunks, as HTML with aligned numbers and escaped text, and of measures, as data frames."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from workbench.engine import measures
from workbench.engine.speech.text import Chunk
from workbench.engine.timing import COLD, rtf_of_made
from workbench.figures.theme import chunk_colour

if TYPE_CHECKING:
    from workbench.engine.speech.results import ChunkResult

_HEAD = ("chunk", "text", "bytes", "planned s", "audio s", "text s", "ODE s", "vocoder s", "total s", "RTF", "seed")
_LEFT = ("chunk", "text")
MAX_ROWS = 40  # of a longer plan, those around the chunk being synthesized: the table is sent twice a second
_ROWS_AFTER = 8  # of these, chunks that are still to come
NO_VALUE = "–"  # in a cell of a data frame


def _row(cells: Sequence[tuple[str, str]], css: str = "") -> str:
    return f"<tr{css}>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in cells) + "</tr>"


def swatch(index: int) -> str:
    """Return the colour and the number (from 1) of chunk ``index`` as HTML."""
    return f'<span class="wb-swatch" style="--c:{chunk_colour(index)}"></span>{index + 1}'


def chunk_table(
    plan: Sequence[Chunk],
    results: Sequence[ChunkResult] = (),
    *,
    now: int | None = None,
    step: str = "",
    total_seconds: float | None = None,
) -> str:
    """Return an HTML table with planned and measured columns of every chunk, and sums.

    Args:
        plan: all chunks.
        results: the finished chunks.
        now: index of the chunk being synthesized.
        step: its ODE step, such as "3/16".
        total_seconds: of the run; shown with the sum of the chunks.
    """
    done = {r.chunk.index: r for r in results}
    plan = [done[c.index].chunk if c.index in done else c for c in plan]
    first = _first_row(plan, now, len(results))
    shown = plan[first : first + MAX_ROWS]
    rows = [_left_out(first, "before")] if first else []
    for chunk in shown:
        rows += [_pause_row(chunk.lead_seconds)] if chunk.lead_seconds else []
        rows.append(_chunk_row(chunk, done.get(chunk.index), step if chunk.index == now else "", chunk.index == now))
        rows += [_pause_row(chunk.pause_seconds)] if chunk.pause_seconds else []
    if left := len(plan) - first - len(shown):
        rows.append(_left_out(left, "more"))
    head = "".join(f'<th class="{"l" if name in _LEFT else ""}">{name}</th>' for name in _HEAD)
    return (
        f'<div class="wb-scroll"><table class="wb-table" aria-label="Chunks: planned and measured"><thead><tr>{head}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody><tfoot>{_foot(plan, results, total_seconds)}</tfoot></table></div>"
    )


def _first_row(plan: Sequence[Chunk], now: int | None, n_made: int) -> int:
    """Place in ``plan`` of the first row: such that the chunk being synthesized, or the next one, is among the rows."""
    at = min(n_made, len(plan)) if now is None else bisect_left(plan, now, key=lambda chunk: chunk.index)
    return max(0, min(at + _ROWS_AFTER, len(plan)) - MAX_ROWS)


def _left_out(number: int, where: str) -> str:
    return f'<tr><td class="l wb-dim" colspan="{len(_HEAD)}">{number:,} {where}</td></tr>'


def _pause_row(seconds: float) -> str:
    return f'<tr><td class="l wb-dim" colspan="{len(_HEAD)}">pause of {seconds:.2f} s</td></tr>'


def _cold(result: ChunkResult | None) -> str:
    """A mark of a chunk that was the first of its engine or of its length: its time says little of the others."""
    if result is None or result.timing.made not in COLD:
        return ""
    return f' <span class="wb-dim" title="its time may include compiling and planning">{result.timing.made}</span>'


def _chunk_row(chunk: Chunk, result: ChunkResult | None, step: str, is_now: bool) -> str:
    warning = f' <span class="wb-warn" title="{escape("; ".join(chunk.warnings))}">⚠</span>' if chunk.warnings else ""
    cells = [
        ("l", swatch(chunk.index) + _cold(result)),
        ("l clip", f'<span title="{escape(chunk.text)}">{escape(chunk.text)}</span>{warning}'),
        ("", f"{chunk.n_bytes}"),
        ("", f"{chunk.planned_seconds:.2f}"),
    ]
    if result is None:
        blank = '<span class="wb-dim">–</span>'
        cells += [("", blank), ("", blank), ("", escape(step) or blank), *[("", blank)] * 3]
    else:
        t = result.timing
        cells += [("", f"{result.audio_seconds:.2f}")]
        if result.is_reused:
            blank = '<span class="wb-dim">–</span>'
            reused = '<span class="wb-dim" title="unchanged: read from the chunks that are kept">reused</span>'
            cells += [("", blank), ("", reused), ("", blank), ("", f"{t.total_seconds:.3f}"), ("", blank)]
            return _row([*cells, ("", str(chunk.seed))])
        cells += [("", f"{t.text_seconds:.3f}"), ("", f"{t.ode_seconds:.3f}")]
        cells += [("", f"{t.vocoder_seconds:.3f}"), ("", f"{t.total_seconds:.3f}"), ("", f"{result.rtf:.2f}")]
    return _row([*cells, ("", str(chunk.seed))], ' class="now"' if is_now else "")


def _foot(plan: Sequence[Chunk], results: Sequence[ChunkResult], total_seconds: float | None) -> str:
    times = [r.timing for r in results]
    audio = sum(r.audio_seconds for r in results)
    spent = sum(t.total_seconds for t in times)
    n_reused = sum(r.is_reused for r in results)
    factor = rtf_of_made(spent, audio, [(r.timing.total_seconds, r.audio_seconds, r.is_reused) for r in results])
    cells = [
        ("l", "sum"),
        ("l", f"{len(results):,} of {len(plan):,} made" + (f", {n_reused} reused" if n_reused else "")),
        ("", f"{sum(c.n_bytes for c in plan):,}"),
        ("", f"{sum(c.planned_seconds for c in plan):,.2f}"),
    ]
    if results:
        cells += [("", f"{audio:.2f}"), ("", f"{sum(t.text_seconds for t in times):.3f}")]
        cells += [
            ("", f"{sum(t.ode_seconds for t in times):.3f}"),
            ("", f"{sum(t.vocoder_seconds for t in times):.3f}"),
        ]
        whole = f'<span title="the run took {total_seconds:.3f} s">' if total_seconds else "<span>"
        cells += [("", f"{whole}{spent:.3f}</span>"), ("", measures.get("rtf").shown(factor)), ("", "")]
    else:
        cells += [("", "")] * 7
    return _row(cells)


def words_table(head: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """Return an HTML table of text, the cells of which wrap, long paths too; ``label`` describes it."""
    heads = "".join(f'<th class="l" scope="col">{escape(name)}</th>' for name in head)
    lines = [_row([("l w", escape(cell)) for cell in row]) for row in rows]
    return (f'<table class="wb-table wb-wrapped" aria-label="{escape(label)}"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table>")  # fmt: skip


# Measures ------------------------------------------------------------------------------------------------------------


def measured(rows: Sequence[dict[str, Any]], alt: str) -> None:
    """Draw a table of ``rows`` from ``measures.row``, without the columns that are empty in all rows.

    Args:
        rows: heading to value.
        alt: description of the table.
    """
    used = {heading for row in rows for heading, value in row.items() if value is not None}
    shown = [{heading: value for heading, value in row.items() if heading in used} for row in rows]
    columns = measure_columns() | {"": st.column_config.TextColumn(width=32)}  # the letter of a run
    st.dataframe(shown, hide_index=True, column_config=columns, placeholder=NO_VALUE, alt=alt)


def measure_columns() -> dict[str, Any]:
    """Return the column configuration of each measure for ``st.dataframe``, by heading."""
    return {
        m.title: st.column_config.NumberColumn(format=f"%.{m.digits}f", help=m.help) for m in measures.of_every_cost()
    }
