"""The states of one or two flows as pictures with one slider, in the browser: it needs no script run to move."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import numpy as np
from streamlit.components.v2 import component

from workbench import figures
from workbench.engine.signal import spectra
from workbench.ui import dock, static
from workbench.ui.flow.states import Flow

_TICKS_HZ = (100, 500, 1000, 2000, 4000, 8000)
_HTML = """
<div class="stage">
  <div class="panes"></div>
  <div class="controls" role="group" aria-label="Steps of the flow">
    <button type="button" class="play" aria-label="Play from noise to speech"></button>
    <input type="range" min="0" value="0" step="1" aria-label="ODE step">
    <output aria-hidden="true"></output>
    <button type="button" class="hear" aria-label="Hear this step" title="Hear this step">Hear</button>
    <label><input type="checkbox" class="sound" checked>with sound</label>
  </div>
  <p class="note" aria-live="polite"></p>
</div>
"""
_stage = component("flow_stage", html=_HTML, css=static.text("flow.css"), js=static.text("flow.js"))


def show(
    flows: Sequence[Flow],
    sounds: Sequence[Sequence[dock.Sound | None]],
    *,
    by_time: bool,
    dynamic_range: float,
    colour_map: str,
) -> None:
    """Draw the states; the slider also moves the marks in the figures of the page.

    Args:
        flows: one or two.
        sounds: for each flow the sound of each state, None where it is not there yet.
        by_time: both flows are shown at one flow time; else at one number of the step.
        dynamic_range: dB below the top of the finished mel at which the colours end.
        colour_map: one of ``figures.COLOUR_MAPS``.
    """
    config = flows[0].run.mel_config
    pictures = [flow.pictures() for flow in flows]
    top = max(peak for _, _, peak in pictures)
    rows = spectra.mel_hz(config)
    about = [
        {
            "letter": flow.letter if len(flows) > 1 else "", "title": _title(flow), "steps": flow.steps,
            "times": [round(float(t), 4) for t in flow.path.times], "n_steps": flow.n_steps, "seconds": flow.seconds,
            "columns": columns, "sounds": [sound.as_dict() if sound else None for sound in heard],
        }
        for flow, (_, columns, _), heard in zip(flows, pictures, sounds, strict=True)
    ]  # fmt: skip
    _stage(
        key="flow_stage",
        data={
            # as text: the browser's side compares it to see whether anything changed
            "about": json.dumps({
                "id": "|".join(flow.key for flow in flows), "flows": about, "by_time": by_time,
                "low": top - dynamic_range, "top": top, "rows": len(rows), "hz": np.round(rows, 1).tolist(),
                "ticks": _TICKS_HZ, "palette": figures.palette(colour_map),
            }),
            "pictures": [base64.b64encode(levels).decode() for levels, _, _ in pictures],
        },
    )  # fmt: skip


def _title(flow: Flow) -> str:
    made = flow.run.settings
    sway = "no sway" if made.sway_sampling_coef is None else f"sway {made.sway_sampling_coef:g}"
    return f"NFE {flow.n_steps} · CFG {made.cfg_strength:g} · {sway} · seed {flow.chunk.seed}"
