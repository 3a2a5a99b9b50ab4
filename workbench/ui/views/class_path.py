"""Page: a guided path over the pages. Predict, then see."""

from __future__ import annotations

import streamlit as st

from workbench.classroom.stops import STOPS
from workbench.engine.errors import WorkbenchError
from workbench.engine.speech.results import Run
from workbench.ui import dock, document, resources, style
from workbench.ui.classroom import measured, progress, view


def current_run() -> Run | None:
    """Return the run you hear, with the states of its ODE; None if there is none yet, or it is being made."""
    run_id = document.current()
    if run_id is None:
        return None
    job = resources.job_manager().get(run_id)
    if job is not None and getattr(job, "run", None) is not None:
        return job.run  # type: ignore[attr-defined, no-any-return]
    if job is not None and job.is_active:
        return None
    return resources.saved_run(run_id, trajectories=True)


st.title("Class")
st.caption(
    f"{len(STOPS)} stops from a text to its sound. At each one, say first what you expect; then this machine measures "
    "it in the run you hear."
)
try:
    progress.restore()
    progress.write()
    view.steps()
    if (made := measured.spoken()) is not None:
        document.show(made)
    run = current_run()
    if run is None:
        style.empty("The path looks at a run. Speak on the page <b>Synthesize</b>, or let the class make its own.",
                    synthesize="Synthesize")  # fmt: skip
        view.offer_run()
    else:
        dock.show(dock.of_run(run))
        view.stop(progress.at(), run)
        view.onwards(progress.at())
        view.summary(run)
except WorkbenchError as error:
    st.error(str(error))
