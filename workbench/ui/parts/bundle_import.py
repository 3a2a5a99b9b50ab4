"""Widgets that bring in the models of a bundle, which another machine has written with ``cache export``."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from workbench.engine import cache
from workbench.engine.cache import BundleReport
from workbench.engine.cache.bundles.layout import Listed
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import user_path
from workbench.engine.files.writing import human_bytes
from workbench.engine.jobs.queue import DONE
from workbench.ui.parts import watch
from workbench.ui.parts.cache_actions import finished, reporter, start

MAX_MEGABYTES = 256  # of an upload, which is kept in memory; a larger bundle is read from the disk of the server
COMMAND = "workbench cache export MODEL"
_JOB = "bundle"


def bundle_form() -> None:
    """Draw where a bundle is, what it says it holds, and the button that checks it and brings its models in."""
    st.caption("A bundle is one file with models and their checksums, written on a machine that has them:")
    st.code(COMMAND, language="bash")
    given = _given()
    if given is not None:
        try:
            _offer(cache.list_bundle(given), given)
        except WorkbenchError as error:
            st.error(str(error))
    job = watch.watch(_JOB)
    if job is not None and job.state == DONE:
        st.session_state["bundle_round"] = _round() + 1  # empties both widgets
        st.toast(_told(job.result), icon=":material/check:")  # seen here; the message at the top may be out of sight
        finished(_JOB, _told(job.result))


def _round() -> int:
    return int(st.session_state.get("bundle_round", 0))


def _given() -> Path | BinaryIO | None:
    """Draw the two widgets; return the path or the content that was given."""
    by_path, by_upload = st.columns(2)
    path = by_path.text_input(
        "Bundle on the disk of the server", key=f"bundle_path_{_round()}", max_chars=1000,
        placeholder="/media/usb/bundle.tar",
    ).strip()  # fmt: skip
    upload = by_upload.file_uploader(
        f"or a bundle of up to {MAX_MEGABYTES} MB from your machine", type=["tar"], max_upload_size=MAX_MEGABYTES,
        key=f"bundle_file_{_round()}",
    )  # fmt: skip
    if path:
        try:
            return user_path(path)
        except WorkbenchError as error:
            st.error(str(error))
            return None
    if upload is None:
        return None
    stream = io.BytesIO(upload.getvalue())  # its own position: the job and the page read it at the same time
    stream.name = upload.name
    return stream


def _offer(listed: Listed, given: Path | BinaryIO) -> None:
    """Show what the bundle lists and the button that brings it in."""
    here = {stock.model for stock in cache.inventory() if stock.state == "complete"}
    rows = [
        {"model": model.name, "licence": model.license, "already here": "✓" if model.name in here else ""}
        for model in listed.models
    ]
    st.dataframe(rows, hide_index=True, alt="Models that the bundle lists")
    size = human_bytes(sum(file.size for file in listed.files.values()))
    if st.button(f"Check and bring in {size}", type="primary", icon=":material/move_to_inbox:", key="bundle_go",
                 disabled=watch.remembered(_JOB) is not None):  # fmt: skip
        start(_JOB, "Bundle", lambda job: cache.import_bundle(given, on_progress=reporter(job, "checking")))
        st.rerun()


def _told(report: BundleReport) -> str:
    """Say which models were brought in and which were here."""
    new = [name for name in report.models if name not in report.kept]
    said = [f"Brought in, every checksum right: {', '.join(new)}."] if new else []
    return " ".join([*said, *([f"Here already, unchanged: {', '.join(report.kept)}."] if report.kept else [])])
