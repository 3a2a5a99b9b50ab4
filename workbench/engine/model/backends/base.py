"""Interfaces of a backend, which evaluates the model for ``solve``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch

from workbench.engine.model.backends.graphs import Noting

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow

CFG_OFF = 1e-5  # upstream's threshold below which the unconditional flow is not evaluated


class Preparations(dict[str, float]):
    """Seconds of "compile" and "capture", where something was the first of its kind to need them."""

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to those of ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + time.perf_counter() - began


class Field(Protocol):
    """The velocity field of one chunk. Its text is embedded, and everything constant over the steps is computed."""

    def plan(self, times: torch.Tensor) -> None:
        """Receive the times of all evaluations in order, float32 [evaluations] on the CPU, before the first."""

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the velocity with guidance at time ``t`` (a scalar) and state ``x`` [1, frames, n_mels], float32."""

    def close(self) -> None:
        """Release everything that belongs to the chunk. Called at its end, also after an error."""


class Backend(Protocol):
    """A way to evaluate a model. Each model in memory has one; one thread at a time uses it.

    Attributes:
        name: as in ``LoadSettings.backend``.
        recorded: what a run notes of it; ``equality_of`` says which of these give the same samples to the last bit.
    """

    @property
    def name(self) -> str: ...

    @property
    def recorded(self) -> str: ...

    @property
    def usual_frames(self) -> Sequence[int]:
        """Lengths of chunks worth preparing before anybody asks for them."""

    def begin(self, flow: Flow) -> Field:
        """Return the field of ``flow``."""

    def decode(self, vocoder: Any, mel: torch.Tensor, noting: Noting) -> torch.Tensor:
        """Return the wave of ``mel`` float32 [frames, n_mels] on its device, float32 [samples], by upstream's vocoder.

        ``noting`` receives "capture" as in ``Graphs.recorded``.
        """
