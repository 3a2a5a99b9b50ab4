"""Download a run as one file a passage, speaker, chapter or chunk."""

from __future__ import annotations

from functools import partial

import streamlit as st

from workbench.engine.runs.exports.pieces import pieces, pieces_zip
from workbench.engine.speech.results import Run

_ABOUT = {
    "speaker": "For each speaker a file as long as the run, with silence where others speak: tracks for an editor",
    "passage": "A file for each passage; joined, they are the run to the sample",
    "chapter": "A file for each chapter, from heading to heading",
    "chunk": "A file for each chunk, before the cross-fades",
}


def downloads(run: Run) -> None:
    """Draw one button for each way to part ``run``; the zip is made when its button is pressed."""
    if run.is_long:
        return  # the command line does it, piece by piece
    kinds = [kind for kind in _ABOUT if run.request.script is not None or kind in ("chapter", "chunk")]
    kinds = [kind for kind in kinds if kind == "speaker" or len(pieces(run, kind)) > 1]
    if not kinds:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption("One file for each", width="content")
        for kind in kinds:
            st.download_button(
                kind.capitalize(), data=partial(pieces_zip, run, kind), file_name=f"f5tts-{run.id}-{kind}s.zip",
                mime="application/zip", help=_ABOUT[kind], on_click="ignore", key=f"download_pieces_{kind}",
            )  # fmt: skip
