"""Parts of the Chunk size page: predicted cost of every size, measured chunks, six numbers for the chosen size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.voices import Voice
from workbench.engine.sweeps import forecast
from workbench.engine.text.preparing import Prepared
from workbench.ui import resources
from workbench.ui.parts import forms

MEASURED_RUNS = 200  # newest runs; their chunks are enough to fit the cost
UNMEASURED = costs.CostModel(0.0, 1.0, 0.0)  # cost 1 per frame, while no speed is known
SCANNED = sorted({int(s) for s in np.geomspace(forms.CHUNK_BYTES_LOW, forms.CHUNK_BYTES_HIGH, 44)})


@st.cache_data(show_spinner=False, max_entries=24)
def scanned(
    prepared: Prepared, window: int, voice_id: str, settings: SynthesisSettings, cost: costs.CostModel, _voice: Voice
) -> list[costs.Option]:
    """Return the predicted cost of the text at each size of ``SCANNED``; cached: the slider only moves a line."""
    return priced(prepared, window, _voice, settings, SCANNED, cost)


def priced(
    prepared: Prepared, window: int, voice: Voice, settings: SynthesisSettings, sizes: Sequence[int],
    cost: costs.CostModel,
) -> list[costs.Option]:  # fmt: skip
    """Return the predicted cost of the text at each of ``sizes``, planned as the engine plans it."""
    return costs.scan(partial(voice.plan, prepared, window_frames=window), settings, sizes, cost, voice.mel_config)


def measured_points(model: str) -> list[costs.Point]:
    """Return measured chunks of finished runs of ``model``: same device and number format as in memory or last used."""
    engine = resources.engine_if_loaded(model)
    return forecast.measured_points(model, *((engine.loaded.device, engine.loaded.dtype) if engine else ()))


def numbers(option: costs.Option, unit: str) -> None:
    """Draw six numbers for the chosen size; ``unit`` is "s", or "frames" while no speed is known."""
    p = option.prediction

    def form(value: float) -> str:
        return f"{value:.2f} s" if unit == "s" else f"{value:,.0f} frames"

    cells = (
        ("Chunks", f"{option.n_chunks}", "How often the model is called."),
        ("Per chunk", form(p.total_seconds / option.n_chunks), "Mean cost of a chunk."),
        ("Whole text", form(p.total_seconds), "Sum over all chunks."),
        ("First audio", form(p.first_seconds), "Cost of the first chunk, before anything can be heard."),
        ("On the reference", f"{p.reference_share:.0%}", "Frames of the reference, computed again for each chunk."),
        ("Longest", f"{option.longest_seconds:.1f} s", "Longest chunk with its reference; training ended at 30 s."),
    )
    with st.container(horizontal=True, gap="medium"):
        for label, value, about in cells:
            st.metric(label, value, help=about, width=140)
