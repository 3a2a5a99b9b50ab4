"""Page: cost and gain of the chunk size, predicted and measured."""

from __future__ import annotations

import streamlit as st

from workbench import figures
from workbench.engine.errors import WorkbenchError
from workbench.engine.rules import TRAINED_SECONDS
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.voices import Voice
from workbench.figures.chunk_size import cost_fit, size_curves
from workbench.ui import resources
from workbench.ui.parts import forms
from workbench.ui.parts.examples import EXAMPLES
from workbench.ui.parts.live_text import live_text
from workbench.ui.parts.plan_view import Plan, plan_if_any, show_plan, upstream_bytes
from workbench.ui.parts.theme import is_dark
from workbench.ui.runs import sweep
from workbench.ui.runs.size_view import UNMEASURED, measured_points, numbers, priced, scanned
from workbench.ui.style import empty


def lesson(text: str, plan: Plan, voice: Voice, settings: SynthesisSettings, model: str) -> None:
    """Draw curves, fit and recommendation for a text that can be planned."""
    points = measured_points(model)
    cost = costs.fit(points, costs.passes(settings))
    unit = "s" if cost else "frames"
    prepared, window = plan.prepared, plan.window_frames
    assert prepared is not None  # it has chunks
    unsized = settings.replace(max_chunk_bytes=None)
    options = scanned(prepared, window, voice.id, unsized, cost or UNMEASURED, voice)
    size = settings.max_chunk_bytes or upstream_bytes(voice)
    (chosen,) = priced(prepared, window, voice, settings, [size], cost or UNMEASURED)
    numbers(chosen, unit)
    best = costs.recommend(options, TRAINED_SECONDS) if cost else None
    curves, fit = st.columns([3, 2], gap="medium")
    with curves:
        st.plotly_chart(
            size_curves(
                options,
                size,
                unit=unit,
                measured=sweep.measured(text, voice, settings, model) if cost else (),
                recommended=best.max_bytes if best else None,
                dark=is_dark(),
            ),
            key="size_curves",
            theme=None,
            config=figures.CONFIG,
            alt=f"Cost of the text over the chunk size; at {size} bytes {chosen.prediction.total_seconds:.1f} {unit}",
        )
    with fit:
        if points:
            st.plotly_chart(
                cost_fit(points, cost, costs.passes(settings), dark=is_dark()),
                key="cost_fit",
                theme=None,
                config=figures.CONFIG,
                alt=f"Seconds of {len(points)} measured chunks over their frames, and the fitted cost",
            )
        if cost:
            st.caption(
                f"{cost.fixed:.2f} s + {cost.linear * 1000:.2f} ms per frame + {cost.quadratic * 1e6:.2f} µs per frame²"
                f", from {cost.n_points} chunks on this machine, ± {cost.error:.2f} s"
            )
        else:
            empty("Too few chunks were measured on this machine, so the cost is counted in mel frames. Measure the "
                  "sizes below, or speak some texts.")  # fmt: skip
    if best:
        st.success(f"**{best.max_bytes} bytes.** {best.reason}", icon=":material/recommend:")
    try_for_real(text, plan, voice, settings, model, cost)


def try_for_real(
    text: str, plan: Plan, voice: Voice, settings: SynthesisSettings, model: str, cost: costs.CostModel | None
) -> None:
    """Draw the sweep: sizes, predicted time, button."""
    st.header("Measure the sizes")
    busy = any(job.is_active for job in sweep.jobs())
    sizes = st.pills(
        "Sizes in bytes", sweep.SIZES, selection_mode="multi", default=[60, 140, 300], key="sweep_sizes", disabled=busy
    )
    about = ""
    if cost and sizes and plan.prepared:
        found = priced(plan.prepared, plan.window_frames, voice, settings, sizes, cost)
        about = f", about {sum(o.prediction.total_seconds for o in found):.0f} s"
    label = f"Run {len(sizes)} sizes{about}" if sizes else "Choose sizes"
    if st.button(label, key="sweep_go", type="primary", disabled=busy or not sizes):
        sweep.start(resources.request(text, voice, settings, model), sizes)


st.title("Chunk size")
st.caption(
    "F5-TTS speaks a long text in chunks and computes the reference again with each chunk. With small chunks speech "
    "starts sooner, but more computation is spent on the reference. With large chunks attention grows with the square "
    "of the length, and the model was trained only up to 30 s."
)
left, right = st.columns([5, 2], gap="medium")
model = resources.default_model()
with right:
    voices = {v.name: v for v in resources.bundled_voices()}
    voice = resources.bundled_voice(st.selectbox("Voice", list(voices), key="size_voice", persist_state="session"))
    steps = forms.nfe()
    size = st.slider(
        forms.title("max_chunk_bytes"),
        forms.CHUNK_BYTES_LOW,
        forms.CHUNK_BYTES_HIGH,
        min(max(upstream_bytes(voice), forms.CHUNK_BYTES_LOW), forms.CHUNK_BYTES_HIGH),
        step=1,
        key=f"size_{voice.name}",
        persist_state="session",
    )
    st.caption(f"Upstream's rule for this voice: {upstream_bytes(voice)} bytes.")
with left:
    typed = st.text_area("Text", EXAMPLES["A paragraph"], key="size_text", height=120, persist_state="session")
    live_text("size_text")
    settings = SynthesisSettings(nfe_step=steps, max_chunk_bytes=size)
    found = plan_if_any(typed, voice, settings, model)
    show_plan(typed, found, voice, "size_text")
if found and found.chunks and voice:
    try:
        lesson(typed.strip(), found, voice, settings, model)
    except WorkbenchError as error:
        st.error(str(error))
sweep.progress()
