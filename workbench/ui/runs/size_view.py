"""Parts of the Chunk size page: predicted cost of every size, measured chunks, six numbers for the chosen size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from workbench.engine.runs.store import RunSummary, list_runs
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import costs
from workbench.engine.speech.voices import Voice
from workbench.engine.text.preparing import Prepared
from workbench.ui.parts import forms

UNMEASURED = costs.CostModel(0.0, 1.0, 0.0)  # cost 1 per frame, while no speed is known
SCANNED = sorted({int(s) for s in np.geomspace(forms.CHUNK_BYTES_LOW, forms.CHUNK_BYTES_HIGH, 44)})
SCANNED_CHARACTERS = 8_000  # of a longer text the beginning is scanned: 44 plans of a book take a minute


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


def scaled(options: Sequence[costs.Option], factor: float) -> list[costs.Option]:
    """Return ``options`` of the beginning of a text for one ``factor`` times as long."""
    if factor == 1:
        return list(options)
    found = []
    for o in options:
        p = o.prediction
        longer = replace(
            p, total_seconds=p.total_seconds * factor, audio_seconds=p.audio_seconds * factor, chunk_seconds=()
        )
        found.append(replace(o, n_chunks=round(o.n_chunks * factor), prediction=longer))
    return found


def measured(text: str, voice: str, settings: SynthesisSettings, model: str) -> list[RunSummary]:
    """Return the newest saved run of each size with this text, voice, model and settings, by size.

    Runs with reused chunks are left out: their times are not those of the size.
    """
    wanted = settings.as_dict()
    ignored = ("max_chunk_bytes", "seed", "keep_trajectory")
    found: dict[int, RunSummary] = {}
    for run in list_runs():
        size = run.settings.get("max_chunk_bytes")
        if (
            size
            and (run.text, run.voice, run.model, run.parent, run.n_reused) == (text, voice, model, "", 0)
            and all(run.settings.get(name) == value for name, value in wanted.items() if name not in ignored)
        ):
            found.setdefault(size, run)  # the newest comes first
    return [found[size] for size in sorted(found)]


def numbers(option: costs.Option, unit: str) -> None:
    """Draw six numbers for the chosen size; ``unit`` is "s", or "frames" while no speed is known."""
    p = option.prediction

    def form(value: float) -> str:
        return f"{value:.2f} s" if unit == "s" else f"{value:,.0f} frames"

    cells = (
        ("Chunks", f"{option.n_chunks:,}", "How often the model is called."),
        ("Per chunk", form(p.total_seconds / option.n_chunks), "Mean cost of a chunk."),
        ("Whole text", form(p.total_seconds), "Sum over all chunks."),
        ("First audio", form(p.first_seconds), "Cost of the first chunk, before anything can be heard."),
        ("On the reference", f"{p.reference_share:.0%}", "Frames of the reference, computed again for each chunk."),
        ("Longest", f"{option.longest_seconds:.1f} s", "Longest chunk with its reference; training ended at 30 s."),
    )
    with st.container(horizontal=True, gap="small"):
        for label, value, about in cells:
            st.metric(label, value, help=about, width=128)
