"""Page: cost and gain of the chunk size of the text, predicted and measured."""

from __future__ import annotations

import streamlit as st

from workbench import figures
from workbench.engine.errors import WorkbenchError
from workbench.engine.rules import TRAINED_SECONDS
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.voices import Voice
from workbench.figures.chunk_size import cost_fit, size_curves
from workbench.ui import document
from workbench.ui.parts import forms
from workbench.ui.parts.plan_view import Plan, plan_if_any, show_plan, told_in_short, upstream_bytes
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import size_results, size_sweep
from workbench.ui.runs.size_view import SCANNED_CHARACTERS, UNMEASURED, measured, numbers, priced, scaled, scanned
from workbench.ui.style import empty
from workbench.ui.workspace import expected, inspector, text_box
from workbench.ui.workspace.inspector import Form


def lesson(text: str, plan: Plan, factor: float, form: Form) -> None:
    """Draw curves, fit and recommendation for a text ``factor`` times as long as what ``plan`` is of."""
    voice, settings = form.voice, form.settings
    assert voice is not None and settings is not None
    size = chosen_size(voice, settings)
    points = expected.points(form.model)
    cost = costs.fit(points, costs.passes(settings))
    unit = "s" if cost else "frames"
    prepared, window = plan.prepared, plan.window_frames
    assert prepared is not None  # it has chunks
    unsized = settings.replace(max_chunk_bytes=None)
    options = scaled(scanned(prepared, window, voice.id, unsized, cost or UNMEASURED, voice), factor)
    (chosen,) = scaled(priced(prepared, window, voice, settings, [size], cost or UNMEASURED), factor)
    numbers(chosen, unit)
    if factor > 1:
        st.caption(f"Estimated from the first {SCANNED_CHARACTERS:,} characters.")
    best = costs.recommend(options, TRAINED_SECONDS) if cost else None
    recommendation(best, size, settings)
    curves, fit = st.columns([3, 2], gap="medium")
    with curves:
        runs = measured(text, voice.name, settings, form.model) if cost else ()
        st.plotly_chart(
            size_curves(
                options, size, unit=unit, cost=cost, known_frames=max((p.frames for p in points), default=0),
                frames_per_second=voice.mel_config.frames_per_second,
                measured=[(r.settings["max_chunk_bytes"], r.total_seconds, r.first_audio_seconds) for r in runs],
                recommended=best.max_bytes if best else None, dark=is_dark(),
            ),
            key="size_curves", theme=None, config=figures.CONFIG,
            alt=f"Cost of the text over the chunk size; at {size} bytes {chosen.prediction.total_seconds:.1f} {unit}",
        )  # fmt: skip
    with fit:
        the_fit(points, cost, settings)


def sample(text: str, whole: Plan, form: Form) -> tuple[Plan, float]:
    """Return the plan of the text, or of its beginning if it is long, and how many times as long the text is."""
    if len(text) <= SCANNED_CHARACTERS:
        return whole, 1.0
    end = text.rfind(" ", 0, SCANNED_CHARACTERS) if " " in text[:SCANNED_CHARACTERS] else SCANNED_CHARACTERS
    part = plan_if_any(text[:end], form.voice, form.settings, form.model)
    return (part, len(text) / end) if part is not None and part.chunks else (whole, 1.0)


def chosen_size(voice: Voice, settings: SynthesisSettings) -> int:
    """Draw the slider of the size to look at; return it. It starts at the size of the form."""
    rule = upstream_bytes(voice)
    start = settings.max_chunk_bytes or min(max(rule, forms.CHUNK_BYTES_LOW), forms.CHUNK_BYTES_HIGH)
    size = st.slider(
        "Chunk size to look at, bytes", min(forms.CHUNK_BYTES_LOW, start), max(forms.CHUNK_BYTES_HIGH, start), start,
        step=1, key=f"size_{voice.name}", persist_state="session",
    )  # fmt: skip
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        form = f"{settings.max_chunk_bytes} bytes" if settings.max_chunk_bytes else f"upstream's rule, {rule} bytes"
        words = size // 6  # an English word has five letters and a space
        st.caption(f"About {words} English words. The form speaks with {form}.")
        if size != (settings.max_chunk_bytes or rule) and st.button(
            f"Use {size} bytes", key="use_chosen", type="tertiary", icon=":material/check:"
        ):
            document.use(max_chunk_bytes=size)
    return size


def recommendation(best: costs.Recommendation | None, size: int, settings: SynthesisSettings) -> None:
    """Say which size is fastest, and offer to use it."""
    if best is None:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="recommended"):
        st.success(
            f"**{best.max_bytes} bytes: fast, and heard early.** {best.reason} This is about time alone: listen to the "
            "sizes below for the quality.", icon=":material/recommend:",
        )  # fmt: skip
        if best.max_bytes == settings.max_chunk_bytes:
            st.caption("In use.")
        elif st.button(f"Use {best.max_bytes} bytes", key="use_recommended", type="primary", icon=":material/check:"):
            document.use(max_chunk_bytes=best.max_bytes)


def formula(cost: costs.CostModel) -> str:
    """Return the cost of a chunk in words, without the parts that the fit found to be nothing."""
    parts = ((cost.fixed, "s"), (cost.linear * 1000, "ms per frame"), (cost.quadratic * 1e6, "µs per frame²"))
    return " + ".join(f"{value:.2f} {unit}" for value, unit in parts if value >= 0.005) or "0 s"


def the_fit(points: list[costs.Point], cost: costs.CostModel | None, settings: SynthesisSettings) -> None:
    """Draw the measured chunks and the cost fitted to them."""
    if points:
        st.plotly_chart(
            cost_fit(points, cost, costs.passes(settings), dark=is_dark()), key="cost_fit", theme=None,
            config=figures.CONFIG, alt=f"Seconds of {len(points)} measured chunks over their frames, and the fit",
        )  # fmt: skip
    if cost is None:
        empty("Too few chunks were measured on this machine, so the cost is counted in mel frames. Measure the "
              "sizes below, or speak some texts.")  # fmt: skip
        return
    error = f"{cost.error:.2f} s" if cost.error >= 0.1 else f"{cost.error * 1000:.1f} ms"
    st.caption(f"{formula(cost)}, from {cost.n_points} chunks on this machine, ± {error} a chunk")
    typical = cost.seconds(sum(p.frames for p in points) / len(points))
    if cost.error > 0.3 * typical:
        st.caption(
            f":orange[⚠ The times scatter by {cost.error / typical:.0%}: the machine was busy during some of them.]"
        )


st.title("Chunk size")
st.caption(
    "F5-TTS speaks a long text in chunks and computes the reference again with each chunk. With small chunks speech "
    "starts sooner, but more computation is spent on the reference. With large chunks attention grows with the square "
    "of the length, and training ended at 30\u00a0s."
)
form = inspector.show(with_size=False, with_run=False)
typed = text_box.show(height=100)
found = plan_if_any(typed, form.voice, form.settings, form.model)
if found and found.chunks and found.prepared is None:
    st.info("This text is a script: each passage is cut by itself. The curves below need a text of one voice.")
    show_plan(typed, found, form.voice, "text")
elif found and found.chunks and form.voice and form.settings:
    with st.expander(f"Plan: {told_in_short(found)}", key="plan"):
        show_plan(typed, found, form.voice, "text")
    try:
        part, factor = sample(typed, found, form)
        lesson(typed, part, factor, form)
        size_sweep.show(typed, part, factor, form)
        size_results.show(typed, form)
    except WorkbenchError as error:
        st.error(str(error))
else:
    show_plan(typed, found, form.voice, "text")
