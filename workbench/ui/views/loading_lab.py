"""Page: measure ways to load a model against states of the network."""

from __future__ import annotations

import json
from typing import Any, cast

import streamlit as st

from workbench import figures
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.speech.text import chunk_text
from workbench.figures.lab import stages_of
from workbench.lab import kept, measuring
from workbench.lab.strategies import BUG, OURS, STRATEGIES
from workbench.lab.text_169 import TEXT_169, TEXT_169_CHUNK_BYTES
from workbench.ui import resources, style
from workbench.ui.lab import lessons, view
from workbench.ui.lab.live import LabJob, end_seconds, live
from workbench.ui.parts import watch
from workbench.ui.parts.theme import is_dark
from workbench.ui.resources import job_manager

CLASS_ROOM_SECONDS = 2
MODELS = ("demo-voice", "F5TTS_v1_Base")
NETWORK_TITLES = {
    "blackhole": "never answers (blackhole)",
    "local-files": "local files only",
    "offline": "offline mode",
}
SHOWN_BEFORE = 20  # measurements to choose from


def story() -> None:
    """Draw what the issue reports."""
    source = measuring.SOURCE
    st.markdown(
        f"[Upstream's issue 75]({source['url']}), October 2024, on an {source['gpu']}: a text of "
        f"{source['characters']} characters took **more than 2 minutes** with the GPU mostly idle. After one line was "
        "moved out of a loop, it took **25 seconds**. This line loaded the vocoder and asked the Hub twice whether the "
        "cached files were still the newest. The Hub could not be reached, so each request cost a time-out. This page "
        "repeats the measurement with the real client, a real cache, a server on this machine that may not answer, and "
        "a new process for every bar."
    )


def choose() -> measuring.LabPlan | None:
    """Draw the widgets and return the plan; None if the choice is invalid."""
    strategies = st.pills("Strategies", list(STRATEGIES), selection_mode="multi", default=[BUG, OURS],
                           format_func=lambda name: STRATEGIES[name].title, key="lab_strategies")  # fmt: skip
    explained = "\n".join(f"- **{name}**: {about}" for name, about in measuring.NETWORKS.items())
    networks = st.pills("Networks", list(measuring.NETWORKS), selection_mode="multi", default=["blackhole"],
                         format_func=lambda name: NETWORK_TITLES.get(name, name), key="lab_networks",
                         help=explained)  # fmt: skip
    one, two, three = st.columns(3, gap="medium")
    timeout = one.select_slider("Time-out of the Hub's client, s", [1, 2, 3, 5, 10], CLASS_ROOM_SECONDS,
                                key="lab_timeout", help="The default of huggingface_hub is 10 s.")  # fmt: skip
    runs = two.slider("Runs in each process", 1, 5, 1, key="lab_runs",
                      help="Several runs show which strategies load every time.")  # fmt: skip
    model = three.selectbox("Model", MODELS, key="lab_model", help="F5TTS_v1_Base has 1.35 GB of weights; random "
                            "ones are used if it is absent. Speaking with it takes minutes on a CPU.")  # fmt: skip
    text = st.text_area("Text", TEXT_169, height="content", key="lab_text", max_chars=600)
    try:
        return measuring.LabPlan(strategies, networks, text, model, timeout, runs, max_chunk_bytes=TEXT_169_CHUNK_BYTES)
    except WorkbenchError as error:
        st.warning(str(error), icon=":material/tune:")
        return None


def results(document: dict[str, Any]) -> None:
    """Show the headline, the table, and the bars and code of each strategy."""
    headline(document)
    cells = document["cells"]
    st.html(view.table_html(cells))
    done = [c for c in cells if c["state"] == "finished"]
    style.legend(stages_of(done))
    for name in [s for s in STRATEGIES if any(c["strategy"] == s for c in cells)]:
        strategy, own = STRATEGIES[name], [view.titled(c) for c in done if c["strategy"] == name]
        st.header(strategy.title)
        st.markdown(strategy.paragraph)
        left, right = st.columns(2, gap="medium")
        if own:
            figure = figures.lab_timeline(own, end_seconds(done), dark=is_dark())
            left.plotly_chart(figure, theme=None, key=f"lab_{name}", config=figures.CONFIG,
                              alt=f"Where the time of {strategy.title} went")  # fmt: skip
        right.html(view.code_html(strategy))
    st.header("The log")
    st.caption("Each load, cache hit and network attempt is one line with its seconds. That is enough to find the bug.")
    titles = [view.cell_title(cell) for cell in cells]
    index = st.selectbox("Process", range(len(cells)), format_func=titles.__getitem__, key="lab_log")
    st.code("\n".join(cells[index]["log"]) or "no log", language=None, height=260, wrap_lines=True)
    st.download_button("Download the measurement (JSON)", json.dumps(document, indent=1), "loading-measuring.json",
                       "application/json", icon=":material/download:", key="lab_json")  # fmt: skip


def headline(document: dict[str, Any]) -> None:
    """Show the ratio of each network beside the one in the issue."""
    ratios = {network: ratio for network, ratio in document["run_ratios"].items() if ratio}
    shown = st.columns(max(3, len(ratios) + 1))
    for column, (network, ratio) in zip(shown, ratios.items(), strict=False):
        column.metric(f"Bug / ours, {view.network_title(network)}", f"{ratio:.2f}×",
                      help="Time from the request to the sound in a program that already runs, which the issue "
                      "reports.")  # fmt: skip
        column.caption(f"{document['ratios'][network]:.2f}× with starting Python and importing, once a process")
    source = measuring.SOURCE
    shown[len(ratios)].metric("In the issue", f"> {source['ratio']}×", help=str(source["words"]))
    runs, chunks = _count(document["runs"], "run"), _count(document["n_chunks"], "chunk")
    weights = "random weights" if document["random_weights"] else "its own weights"
    st.caption(
        f"{document['text_chars']} characters, {chunks}, {runs}, "
        f"{document['model']} with {weights} ({document['weights_bytes'] / 1e6:,.0f} MB), {document['nfe_step']} ODE "
        f"steps, time-out {document['timeout_seconds']} s. Requests are counted in the client and in the server's log."
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def in_all(n_cells: int, waiting: float) -> str:
    """Return the expected time of the measurement, if this server knows how long loading takes here; else ""."""
    loaded = resources.engine_if_loaded()
    return f" About {n_cells * loaded.load_seconds + waiting:.0f} s in all." if loaded is not None else ""


def before(job: Job | None) -> None:
    """Show the measurement of this session or of the address, and the choice of earlier ones."""
    names = kept.names()[:SHOWN_BEFORE]
    if job is not None and st.session_state.get("lab_told") != job.id:
        st.session_state["lab_told"] = st.session_state["lab_chosen"] = job.id
    asked = st.session_state.get("lab_chosen") or st.query_params.get("lab")
    if asked and asked not in names:
        names = [asked, *names]
    if not names:
        return
    st.session_state["lab_chosen"] = asked
    chosen = st.selectbox("Measurements on this machine", names, key="lab_chosen", index=None, format_func=when,
                          placeholder="Show an earlier one")  # fmt: skip
    if chosen is None:
        return
    st.query_params["lab"] = chosen
    try:
        results(job.result if job is not None and job.id == chosen else kept.load(chosen))
    except WorkbenchError as error:
        st.error(str(error))
    except (KeyError, TypeError, ValueError, AttributeError):  # of a file that somebody has changed
        st.error(f"The measurement {chosen} is damaged. Delete it from the folder {kept.FOLDER}, and measure again.")


def when(name: str) -> str:
    """Return the time of a measurement, from its id."""
    day, time = name[:8], name[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]} UTC"


st.title("Loading lab")
story()
plan = choose()
job = watch.remembered("lab")
busy = job is not None and job.is_active
if plan is not None:
    n_chunks = len(chunk_text(plan.text, plan.max_chunk_bytes))
    cost = sum(measuring.predict(c["strategy"], n_chunks, plan.timeout_seconds, plan.runs)[1] for c in plan.cells
               if c["network"] == "blackhole")  # fmt: skip
    told = f" About {cost:.0f} s will be spent waiting for a Hub that does not answer." if cost else ""
    st.caption(
        f"{len(plan.cells)} {'process' if len(plan.cells) == 1 else 'processes, one after the other'}.{told}"
        f"{in_all(len(plan.cells), cost)}"
    )
if st.button("Measure", type="primary", disabled=busy or plan is None, key="lab_go") and plan is not None:
    watch.remember("lab", job_manager().submit(LabJob(plan)))
    st.rerun()
if job is not None and job.is_active:
    live(cast(LabJob, job))
elif job is not None and job.error:
    st.error(job.error)
elif job is not None and job.state != DONE:
    st.warning("Cancelled. Its processes, port and folder were removed.", icon=":material/stop_circle:")
else:
    before(job)
st.divider()
lessons.calculator()
st.divider()
lessons.threads()
