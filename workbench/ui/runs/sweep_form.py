"""The form of the Sweep page: settings to vary, their values, and the predicted time."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from workbench.engine import measures
from workbench.engine.errors import SettingsError, WorkbenchError
from workbench.engine.files.alone import is_running
from workbench.engine.settings import SynthesisSettings, describe
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.sweeps import Grid, open_sweep, sizes
from workbench.engine.sweeps.axes import values_in
from workbench.engine.sweeps.forecast import predicted_seconds
from workbench.engine.sweeps.job import SweepJob
from workbench.ui import resources, style
from workbench.ui.parts import forms
from workbench.ui.workspace.inspector import Form

_ROWS = {row["name"]: row for row in describe(SynthesisSettings)}
AXES = ("nfe_step", "max_chunk_bytes", "seed", "duration_factor",
        *(n for n in _ROWS if n not in ("nfe_step", "max_chunk_bytes", "seed", "keep_trajectory")))  # fmt: skip
_FIRST = {
    "nfe_step": "4, 7, 16",
    "max_chunk_bytes": "60, 140, 300",
    "seed": "0, 1",
    "duration_factor": "0.6 to 1.6, 6 values",
    "cfg_strength": "0, 1, 2, 3",
    "speed": "0.8, 1, 1.2",
    "sway_sampling_coef": "-1, 0",
    "ode_method": "euler, midpoint",
}
_TITLES = {"duration_factor": "Length of the speech, × the planned one", "voice": "Voices"}


def grid(text: str, form: Form) -> Grid | None:
    """Draw the form and return its grid; None if it is invalid.

    What does not vary is that of the document's form: voice, settings, model.
    """
    name, repeats, wanted = st.columns([3, 1, 3])
    called = name.text_input("Name", "My sweep", key="grid_name", max_chars=80, persist_state="session")
    times = repeats.number_input("Repeats", 1, 20, 1, key="grid_repeats", persist_state="session",
                                 help="Runs of each combination, to see the spread of the times.")  # fmt: skip
    sounds = [m for m in measures.of_every_cost(measures.SOUND) if measures.RUN not in m.of and not m.lacking]
    about = "Times are always measured. " + " ".join(f"**{m.name}**: {m.help}" for m in sounds)
    chosen = wanted.multiselect("Measures", [m.name for m in sounds], key="grid_measures", persist_state="session",
                                placeholder="Times only", help=about)  # fmt: skip
    axes = st.multiselect("What varies", ["voice", *AXES], ["nfe_step", "seed"], key="grid_axes",
                          format_func=title, persist_state="session")  # fmt: skip
    values: dict[str, tuple[object, ...]] = {}
    try:
        for axis, column in zip(axes, st.columns(max(len(axes), 1)), strict=False):
            with column:
                values[axis] = _values(axis)
        return Grid(called.strip(), values, _fixed(text, form, values), int(times), 0, tuple(chosen))
    except WorkbenchError as error:
        st.error(str(error))
        return None


def _fixed(text: str, form: Form, values: Collection[str]) -> dict[str, object]:
    """Return what does not vary. Raises SettingsError if something is missing in the form."""
    if not text.strip():
        raise SettingsError("There is no text.", remedy="Type a text.")
    request = form.request(text.strip())
    if request is None or form.voice is None or form.settings is None:
        raise SettingsError("The form is not complete.", remedy="Choose a voice, and settings in their range.")
    fixed: dict[str, object] = sizes.fixed_of(request)
    _refuse_own_cast(request)
    if form.settings.max_chunk_bytes is not None:
        fixed[sizes.AXIS] = form.settings.max_chunk_bytes
    if "voice" not in values:
        if not sizes.is_known(form.voice):
            raise SettingsError(
                f"The voice {form.voice.name} is known by no name.", remedy="Keep it as a voice, then choose it."
            )
        fixed["voice"] = form.voice.name
    clash = {"speed", "fix_duration"} if "duration_factor" in values else set()
    return {name: value for name, value in fixed.items() if name not in {*values, *clash}}


def _refuse_own_cast(request: SpeechRequest) -> None:
    """Raise SettingsError for a script that its text alone does not tell: one with voices, times or gaps of its own."""
    script = request.script
    if script is None:
        return
    known = {voice.name for voice in resources.bundled_voices()}
    strangers = [one.name for one in script.speakers if one.name != one.voice.name or one.name not in known]
    if strangers or script.gap_seconds:
        raise SettingsError(
            f"{strangers[0]} is cast for this script alone." if strangers else "The script has gaps of its own.",
            remedy="Name saved voices in the tags, and write pauses into the text.",
        )


def title(axis: str) -> str:
    """Return the label of an axis; its name if the form has none for it."""
    return _TITLES.get(axis) or (forms.title(axis) if axis in _ROWS else axis)


def _values(axis: str) -> tuple[object, ...]:
    """Draw the values of one axis."""
    if axis == "voice":
        names = [voice.name for voice in resources.bundled_voices()]
        return tuple(st.multiselect("Voices", names, names[:2], key="grid_values_voice", persist_state="session"))
    written = st.text_input(title(axis), _FIRST.get(axis, ""), key=f"grid_values_{axis}",
                            help="Values with commas, or `1 to 5, 9 values`.", persist_state="session")  # fmt: skip
    return values_in(axis, written)


def start(wanted: Grid) -> None:
    """Draw the predicted time of the grid and the button that starts it."""
    try:
        found = open_sweep(wanted)
        missing = found.missing()
        seconds = predicted_seconds(missing, {voice.id: voice for voice in found.voices.values()})
    except WorkbenchError as error:
        st.error(str(error))
        return
    about = f", about {style.duration(seconds)}" if seconds else ""
    there = len(found.trials) - len(missing)
    one, all_done = len(missing) == 1, "The one trial is done" if there == 1 else f"All {there} trials are done"
    label = f"Run {len(missing)} trial{'' if one else 's'}{about}" if missing else all_done
    button, said = st.columns([2, 5], vertical_alignment="center")
    lacking = found.lacking() if missing else []
    for line in lacking:
        st.error(line)
    busy = bool(lacking) or is_running(found.folder) or any(j.is_active for j in jobs(wanted.name))
    if button.button(label, key="grid_go", type="primary", disabled=not missing or busy, width="stretch"):
        try:
            resources.job_manager().submit(SweepJob(found))
            st.session_state.sweep_started = wanted.name
            st.rerun()
        except WorkbenchError as error:
            st.error(str(error))
    if there and missing:
        said.caption(f"{there} of {len(found.trials)} are done already.")
    elif not seconds and missing:
        said.caption("Too few chunks were measured on this machine to predict the time.")


def jobs(name: str) -> list[SweepJob]:
    """Return the jobs of the sweep ``name`` that the server has, the newest first."""
    found = resources.job_manager().jobs()
    return [job for job in found if isinstance(job, SweepJob) and job.sweep.grid.name == name]
