"""Differences of words and of the seeds of chunks between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from workbench.engine.runs import comparison
from workbench.engine.runs.comparison import Edit
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.measured.files import Measured
from workbench.ui.parts import tables

SHOWN_ROWS = 500  # of the table of chunks
_TEXTS = 3  # chunks of which what was heard is drawn word by word


def show(documents: Mapping[str, RunDocument], measured: Mapping[str, Measured | None]) -> None:
    """Draw where the words and chunks of runs differ, for runs named by the keys; the words are those of the first two.

    Args:
        documents: name to run.json.
        measured: name to its measures, or None.
    """
    st.header("Words and chunks")
    first, second = list(documents)[:2]
    texts = (documents[first]["text"], documents[second]["text"])
    if texts[0] != texts[1]:
        found = comparison.edits(*texts)
        if found:
            st.caption(f"Struck out: only in {first}. Underlined: only in {second}.")
            st.html(f'<div class="wb-text">{marked(found)}</div>')
        else:
            st.caption(f"The texts differ and have more than {comparison.WORDS_MAX:,} words; see the table.")
    rows = comparison.differing_chunks(documents, measured)
    if not rows:
        n_chunks = len(documents[first]["chunks"])
        st.caption(f"All {n_chunks} chunks have the same words and seeds.")
        return
    heard = [(row["chunk"], row.get(f"heard {first}"), row.get(f"heard {second}")) for row in rows]
    different = [(chunk, a or "", b or "") for chunk, a, b in heard if a != b]
    for chunk, a, b in different[:_TEXTS]:
        st.caption(f"Chunk {chunk}, as heard: struck out only in {first}, underlined only in {second}.")
        st.html(f'<div class="wb-text">{marked(comparison.edits(a, b))}</div>')
    differ = "1 chunk differs" if len(rows) == 1 else f"{len(rows)} chunks differ"
    st.caption(f"{differ}; the first {SHOWN_ROWS} are shown." if len(rows) > SHOWN_ROWS else f"{differ}.")
    empty = {name for name in rows[0] if all(row[name] is None for row in rows)}
    shown = [{name: value for name, value in row.items() if name not in empty} for row in rows[:SHOWN_ROWS]]
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=tables.NO_VALUE,
        alt="Chunks whose words or seeds differ, one column per run",
    )


def marked(found: Sequence[Edit]) -> str:
    """Return the words as HTML: those of a only struck out, those of b only underlined."""
    parts = []
    for edit in found:
        if edit.is_same:
            parts.append(escape(edit.a))
            continue
        parts += [f"<del>{escape(edit.a)}</del>"] if edit.a else []
        parts += [f"<ins>{escape(edit.b)}</ins>"] if edit.b else []
    return " ".join(parts)
