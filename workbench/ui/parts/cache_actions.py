"""Widgets to verify, delete, import and fetch a model. Deletion and download show their plan first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from workbench.engine import cache
from workbench.engine.cache import FetchPlan, Stock, Verification
from workbench.engine.cache.fetch.planning import endpoint_of
from workbench.engine.catalog import Entry, templates
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.writing import human_bytes
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.settings import WEIGHTS
from workbench.ui import resources
from workbench.ui.parts import watch

LANE = "files"  # for jobs that read or write the cache; synthesis runs beside them
BY_LAYOUT = "from the files beside the weights"
# a whole sha256 in a column, for comparing and copying
HASH_COLUMNS = {name: st.column_config.TextColumn(width=520) for name in ("sha256", "expected", "found")}


def start(key: str, title: str, work: Callable[[Job], Any]) -> None:
    """Run ``work`` beside the pages and remember it under ``key``; a refusal is shown."""
    try:
        watch.remember(key, resources.job_manager().start(title, work, lane=LANE))
    except WorkbenchError as error:
        st.error(str(error))


def reporter(job: Job, verb: str) -> Callable[[str, int, int], None]:
    """Return a progress callback that reports to the job and raises Cancelled if the job was cancelled."""

    def report(name: str, done: int, total: int) -> None:
        job.report(done / max(total, 1), f"{verb} {name}, {human_bytes(done)} of {human_bytes(total)}")

    return report


def verify(stock: Stock) -> None:
    """Draw the button that starts a verification."""
    key = f"verify_{stock.model}"
    if st.button("Verify", icon=":material/verified:", key=key, help="Reads every byte and compares sha256. Offline."):
        start(key + "_job", f"Verify {stock.model}",
               lambda job: cache.verify(stock.model, on_progress=reporter(job, "reading")))  # fmt: skip


def verified(stock: Stock) -> None:
    """Draw the result of the last verification in this session."""
    job = watch.watch(f"verify_{stock.model}_job")
    if job is None or job.state != DONE:
        return
    found: Verification = job.result
    if found.ok:
        st.success(f"All {len(found.files)} files have the right content, checked in {found.seconds:.1f} s.")
        return
    damaged = [f for f in found.files if f.status not in ("ok", "unknown")]
    unknown = [f for f in found.files if f.status == "unknown"]
    if damaged:
        names = ", ".join(f"{f.name} ({f.status})" for f in damaged)
        st.error(f"{len(damaged)} of {len(found.files)} files are not what they must be: {names}.")
    if unknown:
        st.warning(f"No checksum is known of {', '.join(f.name for f in unknown)}.")
    rows = [
        {"file": f.name, "status": f.status, "expected": f.expected, "found": f.found}
        for f in sorted(found.files, key=lambda f: f.status == "ok")
    ]
    st.dataframe(rows, hide_index=True, alt="Status of each file", column_config=HASH_COLUMNS)


@st.dialog("Delete from the cache?")
def _confirm_delete(model: str) -> None:
    try:
        plan = cache.plan_delete(model)
    except WorkbenchError as error:
        st.error(str(error))
        return
    paths = "this path" if len(plan.paths) == 1 else f"these {len(plan.paths)} paths"
    st.markdown(f"Deleting **{plan.model}** frees **{human_bytes(plan.bytes)}** and removes {paths}:")
    st.code("\n".join(str(path) for path in plan.paths), language=None, height=220)
    for kept in plan.kept:
        st.caption(f"Kept: {kept}")
    if resources.engine_if_loaded(model) is not None:
        st.caption("The model is in memory and stays usable until the server is restarted.")
    if st.button("Delete", type="primary", icon=":material/delete:", key="delete_model_now", width="stretch"):
        try:
            freed = plan.execute()
        except WorkbenchError as error:
            st.error(str(error))
            return
        resources.files_changed()
        st.session_state["models_said"] = f"{model} was deleted; this freed {human_bytes(freed)}."
        st.session_state.pop("models_new", None)
        st.rerun()


def delete(stock: Stock) -> None:
    """Draw the button that shows the plan of the deletion."""
    if st.button("Delete …", icon=":material/delete:", key=f"delete_{stock.model}", disabled=stock.state == "absent"):
        _confirm_delete(stock.model)


def hub_host() -> str:
    """Return the host of a download, from the environment. Raises FetchError if downloads are forbidden."""
    return urlsplit(endpoint_of(None)).netloc.rpartition("@")[2]


def fetch(stock: Stock, spec: Entry) -> None:
    """Show the approximate size and the host, then the exact plan, then the download. Sends nothing before a click."""
    if not spec.repo or spec.not_runnable or stock.state == "complete":
        return
    try:
        host = hub_host()
    except WorkbenchError as error:
        st.caption(f"This model cannot be downloaded: {error}")
        return
    key = f"plan_{stock.model}"
    about = f"about {human_bytes(spec.fetch_bytes)}" if spec.fetch_bytes else "size not known yet"
    st.markdown(f"Download: **{about}** from **{host}**. The button below asks {host} only for the list of files.")
    if st.button(f"Ask {host} for the exact size", icon=":material/cloud:", key=f"{key}_button"):
        start(key, f"Plan of {stock.model}", lambda job: cache.plan_fetch(stock.model))
    job = watch.watch(key)
    if job is None or job.state != DONE:
        return
    plan: FetchPlan = job.result
    st.markdown(f"**{human_bytes(plan.download_bytes)}** from **{plan.host}**, licence {plan.license}:")
    rows = [{"file": f.path, "size": human_bytes(f.size), "on disk": f.cached, "repository": f.repo,
             "revision": f.revision} for f in plan.files]  # fmt: skip
    st.dataframe(rows, hide_index=True, alt="Files of the download")
    label = f"Download {human_bytes(plan.download_bytes)} from {plan.host}"
    if st.button(label, type="primary", icon=":material/download:", key=f"{key}_download"):
        start(f"fetch_{stock.model}", f"Download of {stock.model}",
               lambda job: cache.fetch(stock.model, on_progress=reporter(job, "fetching")))  # fmt: skip
    download = watch.watch(f"fetch_{stock.model}")
    if download is not None and download.state == DONE:
        finished(f"fetch_{stock.model}", f"{stock.model} was downloaded and checked.", stock.model)


def finished(key: str, said: str, model: str = "") -> None:
    """Say what was done, tick ``model``, if one is named, in the list, which is read again, and draw the page anew."""
    watch.forget(key)
    resources.files_changed()
    st.session_state["models_said"] = said
    st.session_state["models_new"] = st.session_state["models_tick"] = model
    st.rerun()


def done() -> None:
    """Show what was done, until it is dismissed, with a button that speaks with a new model; a toast says it below."""
    state = st.session_state
    if said := state.pop("models_said", ""):
        state["models_last"] = said
        st.toast(said, icon=":material/check_circle:")
    if not state.get("models_last"):
        return
    st.success(state["models_last"])
    model = state.get("models_new")
    with st.container(horizontal=True, key="models_done"):
        if model and st.button(f"Speak with {model}", type="primary", key="models_use", icon=":material/graphic_eq:"):
            state["model"] = model
            _forget_done()
            st.switch_page("views/synthesize.py")
        if st.button("Dismiss", key="models_dismiss", type="tertiary", icon=":material/close:"):
            _forget_done()
            st.rerun()


def _forget_done() -> None:
    for key in ("models_last", "models_new"):
        st.session_state.pop(key, None)


def import_form() -> None:
    """Draw the form that imports a model from this machine."""
    with st.form("import", border=False):
        path = st.text_input(
            "Folder, archive or weights file on this machine", key="import_path", max_chars=1000,
            placeholder="/home/me/ckpts/my_model",
        )  # fmt: skip
        one, two, three, four = st.columns(4)
        name = one.text_input("Name", key="import_name", max_chars=64, placeholder="from the path")
        config = two.selectbox("Configuration", [BY_LAYOUT, *templates()], key="import_config")
        license_ = three.text_input("Licence", key="import_license", max_chars=60, placeholder="stated by its author")
        weights = four.selectbox(
            "Weights", WEIGHTS, key="import_weights", help="If the file holds EMA and raw weights."
        )
        go = st.form_submit_button("Import", icon=":material/upload_file:")
    if go and not path.strip():
        st.error("Give the path of the model.")
    elif go:
        start("import", "Import", lambda job: cache.import_model(
            path.strip(), name=name.strip() or None, weights=weights, license=license_.strip() or None,
            config=None if config == BY_LAYOUT else config, on_progress=reporter(job, "copying")))  # fmt: skip
    job = watch.watch("import")
    if job is not None and job.state == DONE:
        for note in job.result.notes:
            st.toast(note)
        name = job.result.spec.name
        finished("import", f"{name} was imported, {human_bytes(job.result.bytes)}.", name)
