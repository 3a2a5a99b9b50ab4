"""Page: models on disk and in memory, and evidence that a run uses no network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from workbench import figures
from workbench.engine import cache
from workbench.engine.cache import Stock
from workbench.engine.cache.inventory import CachedFile
from workbench.engine.catalog import DEMO_VOICE, get_entry
from workbench.engine.checks import doctor
from workbench.engine.checks.network import watch_network
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.places import home
from workbench.engine.files.writing import human_bytes
from workbench.engine.jobs.queue import Job
from workbench.engine.settings import SynthesisSettings
from workbench.ui import resources, style
from workbench.ui.parts import cache_actions, tables, watch
from workbench.ui.parts.bundle_import import bundle_form
from workbench.ui.parts.preload_view import preload_line
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import run_view

# wide enough for "about 1,350 MB" and "part of the workbench"; Streamlit's own guess cuts them at the edge
_WIDTHS = {"size": 100, "download": 130, "pinned revision": 160}
SIZE_COLUMNS = {name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()}
MARKS = {"ok": "✓ ok", "warn": "⚠ check", "bad": "✗ bad"}


@dataclass
class Proof:
    """Result of the last run with watched sockets: time (UTC), network attempts, seconds of audio."""

    when: str = ""
    heard: tuple[str, ...] = ()
    audio_seconds: float = 0.0


@st.cache_resource(show_spinner=False)
def proof() -> Proof:
    """Return the one Proof of this server."""
    return Proof()


def prove(job: Job) -> None:
    """Speak two words while every look-up and connection of this process is recorded."""
    engine, voice, kept = resources.engine(), resources.default_voice(), proof()
    with watch_network() as heard:
        run = engine.run(
            "Hello there.", voice, SynthesisSettings(nfe_step=5),
            on_step=lambda at: job.report(at.step / at.n_steps, "speaking with watched sockets"),
        )  # fmt: skip
    kept.when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    kept.heard, kept.audio_seconds = tuple(heard), run.audio_seconds


def network() -> None:
    """Draw whether a run uses the network, and the evidence."""
    st.header("Network")
    kept, loaded = proof(), resources.engine_if_loaded()
    if kept.heard:
        st.error(f"A run will touch the network: **yes**. First attempt: {kept.heard[0][:200]}")
    else:
        st.success("A run will touch the network: **no**", icon=":material/cloud_off:")
    rows = []
    if loaded is not None and loaded.loaded.files is not None:
        files = loaded.loaded.files
        rows.append(("weights in memory, read from", str(files.weights)))
        rows.append(("vocoder in memory, read from", str(files.vocoder_weights)))
    measured = "not measured yet by this server"
    if kept.when:
        measured = f"{len(kept.heard)} look-ups or connections while speaking {kept.audio_seconds:.1f} s, {kept.when}"
    rows.append(("measured with Python's audit events (PEP 578)", measured))
    rows.append(("the only thing that downloads", "the button Download of a model below, which calls cache.fetch"))
    switches = [f"{name}={os.environ[name]}" for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT") if os.environ.get(name)]
    rows.append(("environment variables", ", ".join(switches) or "none set; none is needed"))
    st.html(tables.words_table(("evidence", "value"), rows, "Evidence that runs stay offline"))
    if st.button(
        "Measure now", icon=":material/network_check:", key="prove", help="Speaks two words with watched sockets."
    ):
        watch.remember("prove", resources.job_manager().start("Proof", prove, lane="auto"))
    watch.watch("prove")


def in_memory(names: list[str]) -> None:
    """Draw every loaded engine and the seconds that loading it again would take."""
    st.header("In memory")
    preload_line()
    engines = [engine for name in names if (engine := resources.engine_if_loaded(name)) is not None]
    for engine in engines:
        loaded = engine.loaded
        again = sum(s.seconds for s in loaded.spans if s.name != "import")
        st.markdown(f"**{loaded.spec.name}** · {loaded.device} · {loaded.dtype}")
        facts = {
            "loaded at (UTC)": engine.loaded_at[11:19],
            "runs since": str(engine.n_runs),
            "loading took": f"{engine.load_seconds:.1f} s",
            "a reload would take": f"{again:.1f} s",
            "import, once per process": f"{engine.load_seconds - again:.1f} s",
        }
        style.facts(facts)
        run_view.bars(
            figures.load_bars(loaded.spans, dark=is_dark()), f"load_{loaded.spec.name}",
            "Seconds of each stage of loading",
        )  # fmt: skip


def to_fetch(stock: Stock) -> str:
    """Return the approximate size of a download, known without a request; empty if there is nothing to download."""
    spec = get_entry(stock.model)
    if stock.state == "complete" or not spec.repo or spec.not_runnable:
        return ""
    return f"about {human_bytes(spec.fetch_bytes)}" if spec.fetch_bytes else "not known"


def on_disk() -> None:
    """Draw the catalogue with the state of each model, and the actions for the ticked model."""
    st.header("On disk")
    stocks = cache.inventory()
    rows = [
        {
            "model": s.model,
            "state": {"complete": "✓ complete", "incomplete": "⚠ incomplete", "absent": "– absent"}[s.state],
            "size": human_bytes(s.bytes) if s.bytes else "",
            "download": to_fetch(s),
            "licence": s.license,
            "languages": ", ".join(get_entry(s.model).languages),
            "where": s.source,
            "pinned revision": "part of the workbench" if s.model == DEMO_VOICE else (s.revision or "")[:12],
            "about": s.title,
        }
        for s in stocks
    ]
    new = st.session_state.pop("models_tick", None)  # imported or fetched just now
    if new in (names := [s.model for s in stocks]):
        st.session_state["stock"] = {"selection": {"rows": [names.index(new)], "columns": [], "cells": []}}
    event = st.dataframe(
        rows, hide_index=True, on_select="rerun", selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}}, key="stock", alt="Models of the catalogue; tick one",
        column_config=SIZE_COLUMNS,
    )  # fmt: skip
    ticked = [k for k in event["selection"]["rows"] if k < len(stocks)]
    if ticked:
        one_model(stocks[ticked[0]])
    else:
        st.caption("Tick a model to verify, delete or download it.")


def _layer(kind: str) -> str:
    return {"ema": "EMA"}.get(kind, kind)


def _known_of(file: CachedFile) -> str:
    """Return what is known of a file, in lines that wrap on a phone."""
    size = human_bytes(file.size) if file.size else ""
    state = (size, file.problem or "no problem", "shared with other models" if file.shared else "")
    return "\n".join(filter(None, (", ".join(filter(None, state)), str(file.path), file.sha256)))


def one_model(stock: Stock) -> None:
    """Draw the files of one model and its buttons."""
    spec = get_entry(stock.model)
    st.markdown(f"**{stock.model}**")
    there, taken = stock.layers
    weights = f"Weights in the file: {' and '.join(map(_layer, there))}; {_layer(taken)} used." if there else ""
    st.text("\n".join(filter(None, (stock.title, stock.note, weights, *stock.remarks, spec.license_note, spec.url))))
    rows = [(f.name, _known_of(f)) for f in stock.files]
    if rows and stock.state != "absent":
        st.html(tables.words_table(("file", "size, state, path, sha256"), rows, f"Files of {stock.model}"))
        with st.container(horizontal=True):
            cache_actions.verify(stock)
            cache_actions.delete(stock)
        cache_actions.verified(stock)
    cache_actions.fetch(stock, spec)


@st.cache_data(show_spinner="Checking", ttl=120)
def _checks(place: str) -> list[doctor.Check]:
    return doctor.examine(run=False)


def environment() -> None:
    """Draw the checks of the installation."""
    opened = st.expander("Environment", icon=":material/stethoscope:", on_change="rerun", key="environment")
    if opened.open:
        rows = [(MARKS[c.state], c.name, c.detail) for c in _checks(str(home()))]
        about = "Python, packages, device, memory and models"
        opened.html(tables.words_table(("state", "check", "found"), rows, about))


st.title("Models and cache")
cache_actions.done()
try:
    network()
    in_memory(list(dict.fromkeys([resources.default_model(), *resources.usable_models(str(home()))])))
    on_disk()
    with st.expander("Import a model from this machine", icon=":material/upload_file:",
                     expanded=watch.remembered("import") is not None):  # fmt: skip
        cache_actions.import_form()
    with st.expander("Bring in models of another machine", icon=":material/move_to_inbox:"):
        bundle_form()
    environment()
except WorkbenchError as error:
    st.error(str(error))
