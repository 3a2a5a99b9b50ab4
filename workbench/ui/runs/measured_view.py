"""Measures of a saved run: made on request, shown with what they say; chunks with wrong words are made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from workbench.engine import measures
from workbench.engine.errors import WorkbenchError
from workbench.engine.jobs.queue import DONE, Job
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.measures.intelligibility import SAME, Step
from workbench.engine.runs.measured.files import Measured, flagged, read_measured
from workbench.engine.runs.store import run_folder
from workbench.ui import resources
from workbench.ui.parts import tables, watch

if TYPE_CHECKING:
    from workbench.engine.jobs.best import Best
    from workbench.engine.speech.results import Run

SHOWN = 12  # chunks whose words are drawn
_TAGS = {"wrong": "mark", "missing": "del", "extra": "ins", "repeated": "ins"}


def measured(run: Run) -> None:
    """Draw the measures of ``run``, the chunks with wrong words, and the buttons that measure and make them again."""
    try:
        found = read_measured(run_folder(run.id))
    except WorkbenchError:  # not saved, or deleted meanwhile
        return
    st.header("What was said, and how well")
    label = "Measure again" if found else "Measure"
    about = f"{measures.COSTS[measures.SECONDS]} Words are compared with what a recogniser from the cache hears."
    if st.button(label, key=f"measure_{run.id}", icon=":material/hearing:", help=about):
        _start(f"measure_{run.id}", f"Measures of {run.id}", lambda job: _measure(job, run))
    job = watch.watch(f"measure_{run.id}")
    if job is not None and job.state == DONE:
        for line in job.result:
            st.caption(f"Not measured: {line}")
    _told(run)
    if found is not None:
        if found.outdated:
            again = ", ".join(f"{k + 1}" for k in found.outdated)
            st.caption(f"Since it was measured, another take was chosen for chunk {again}. Measure again.")
        _numbers(found)
        _words(run, found)


def _start(key: str, title: str, work: Callable[[Job], Any]) -> None:
    try:
        watch.remember(key, resources.job_manager().start(title, work, lane=SPEECH_LANE))
    except WorkbenchError as error:
        st.error(str(error))
        return
    st.rerun()


def _measure(job: Job, run: Run) -> list[str]:
    from workbench.engine.runs.measured.making import measure_run

    return measure_run(
        run.id, run=run, on_chunk=lambda index, n, text: job.report(index / n, f"chunk {index + 1} of {n}")
    )[1]


def _numbers(found: Measured) -> None:
    shown = [(measures.get(name), value) for name, value in found.run.items() if value is not None]
    rows = []
    for m, value in shown:
        per_chunk = [v for row in found.chunks if (v := row.get(m.name)) is not None]
        worst = {"lower": max, "higher": min}.get(m.better)
        rows.append({
            "measure": m.label, "run": m.shown(value),
            "worst chunk": m.shown(worst(per_chunk)) if worst and len(per_chunk) > 1 else "", "what it says": m.help,
        })  # fmt: skip
    st.dataframe(
        rows,
        hide_index=True,
        placeholder=tables.NO_VALUE,
        alt="Measures of the run, with its worst chunk and what each says",
    )


def _words(run: Run, found: Measured) -> None:
    """Draw the chunks with wrong words, and the button that makes them again."""
    if not found.steps or len(found.steps) != len(run.chunks):
        return
    bad = flagged(found)
    count = f"{len(bad)} of {len(found.steps)} chunks"
    if not bad and not found.outdated:
        st.success(f"{found.recogniser} heard every word of {len(found.steps)} chunks.")
    if not bad:
        return
    kinds = ", ".join(dict.fromkeys(kind for problem in bad.values() for kind in problem.split(", ")))
    st.warning(f"{count}: {kinds} ({found.recogniser} listened).", icon=":material/hearing_disabled:")
    for index in list(bad)[:SHOWN]:
        st.html(f'<div class="wb-dim">chunk {index + 1}</div><div>{marked(found.steps[index])}</div>')
    if len(bad) > SHOWN:
        st.caption(f"And {len(bad) - SHOWN} more.")
    _again(run, list(bad))


def marked(steps: Sequence[Step]) -> str:
    """Return the words as HTML: missing ones struck out, wrong ones marked with what was heard, others underlined."""
    parts = []
    for step in steps:
        if step.kind == SAME:
            parts.append(escape(step.wanted))
            continue
        title = f"{step.kind}: heard “{step.heard}”" if step.wanted and step.heard else step.kind
        tag = _TAGS[step.kind]
        parts.append(f'<{tag} title="{escape(title, quote=True)}">{escape(step.wanted or step.heard)}</{tag}>')
    return " ".join(parts)


def _again(run: Run, bad: list[int]) -> None:
    from workbench.engine.jobs.best import N_SEEDS, repair

    key = f"repair_{run.id}"
    chunks = "it" if len(bad) == 1 else f"these {len(bad)}"

    def work(job: Job) -> list[Best]:
        def tell(done: int, whole: int) -> None:
            job.report(done / whole, f"seed {done + 1} of at most {whole}")

        return repair(resources.pool(), run.id, bad, on_try=tell, on_step=lambda at: job.check())

    if st.button(
        f"Make {chunks} again with {N_SEEDS} other seeds, keep the best", key=key, type="primary",
        icon=":material/refresh:",
        help="Each is kept as a take of its chunk. The best has the fewest wrong words; undo takes the choice back.",
    ):  # fmt: skip
        _start(key, f"Other seeds for {len(bad)} chunks of {run.id}", work)
    watch.watch(key)


def _told(run: Run) -> None:
    """Say once what came of the other seeds."""
    key = f"repair_{run.id}"
    job = watch.remembered(key)
    if job is None or job.state != DONE:
        return
    watch.forget(key)
    better = ", ".join(f"{one.chunk + 1}" for one in job.result if one.is_better)
    if better:
        st.success(f"A better take was chosen for chunk {better}. Undo takes the choice back.")
    else:
        st.info("No other seed was better. What was made is among the takes.")
