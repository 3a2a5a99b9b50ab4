"""A flow: the states of the ODE of one chunk, as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

from workbench.engine import upstream
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal import spectra, trajectory
from workbench.engine.signal.trajectory import Trajectory
from workbench.engine.speech.results import ChunkResult, Run
from workbench.ui import resources

MAX_COLUMNS = 700
_ZERO = 160  # the byte of 0 dB; a byte is one dB


@st.cache_data(show_spinner="Importing F5-TTS, for its time grids", max_entries=256)
def grid_of(n_steps: int, sway: float | None, pruned: bool) -> np.ndarray:
    """Return the flow times of the solver, float32 [n_steps + 1]."""
    upstream.install()
    from workbench.engine.model.sampling import time_grid

    return time_grid(
        SynthesisSettings(nfe_step=n_steps, sway_sampling_coef=sway, use_epss=pruned, ode_method="euler")
    ).numpy()


@dataclass(frozen=True, eq=False)
class Flow:
    """The kept states of chunk ``index`` of ``run``, called ``letter`` on the page."""

    letter: str
    run: Run
    index: int

    @property
    def chunk(self) -> ChunkResult:
        return self.run.chunks[self.index]

    @property
    def path(self) -> Trajectory:
        """The states; only chunks that kept them become a flow."""
        kept = self.chunk.trajectory
        assert kept is not None
        return kept

    @property
    def key(self) -> str:
        """Equal for the same states."""
        return f"{self.run.id}:{self.index}:{self.chunk.seed}"

    @cached_property
    def grid(self) -> np.ndarray:
        """Flow times of the solver [n_steps + 1]; those of the kept states if they are all kept."""
        if len(self.path.times) == len(self.path.distances) + 1:
            return self.path.times
        made = self.run.settings
        return grid_of(made.nfe_step, made.sway_sampling_coef, made.use_epss)

    @cached_property
    def steps(self) -> list[int]:
        """Number of the ODE step that ended in each state; 0 is the noise."""
        return [int(np.abs(self.grid - t).argmin()) for t in self.path.times]

    @property
    def n_steps(self) -> int:
        return len(self.path.distances)

    @property
    def seconds(self) -> float:
        """Length of the picture."""
        return max(len(self.path.states[0]) - 1, 1) / self.run.mel_config.frames_per_second

    def pictures(self) -> tuple[bytes, int, float]:
        """Return the states as bytes [state, row, column], 1 dB each and 0 dB at 160, their columns, and the top in dB.

        The lowest frequency is the first row. The top is that of the finished mel.
        """
        return resources.kept().get(("flow pictures", self.key), self._pictures)

    def _pictures(self) -> tuple[bytes, int, float]:
        found = []
        for state in self.path.states:
            pooled, _ = spectra.pool(spectra.mel_decibels(state.astype(np.float32)), MAX_COLUMNS)
            found.append(np.clip(np.rint(pooled) + _ZERO, 0, 255).astype(np.uint8).T)
        top = float(np.ceil(spectra.mel_decibels(self.path.states[-1].astype(np.float32)).max()))
        return np.ascontiguousarray(np.stack(found)).tobytes(), found[0].shape[1], top


def plane_of(flows: list[Flow]) -> trajectory.Plane:
    """Return the plane of all ``flows`` together."""
    key = ("plane", *(flow.key for flow in flows))
    with st.spinner("Looking for the plane"):
        return resources.kept().get(key, lambda: trajectory.plane([flow.path.states for flow in flows]))
