"""What every way to evaluate the model offers to ``solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from workbench.engine.model.sampling import Flow

CFG_OFF = 1e-5  # upstream's threshold below which the unconditional flow is not evaluated


class Field(Protocol):
    """The velocity of one chunk: its text is embedded, all that no step changes is computed."""

    def plan(self, times: torch.Tensor) -> None:
        """Take the times of all evaluations to come, float32 [evaluations], on the CPU, in their order."""

    def velocity(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Velocity at time ``t`` (no dimensions) and state ``x`` [1, frames, n_mels], float32, guidance included."""

    def close(self) -> None:
        """Give back what the chunk held. Called however the chunk ends."""


class Backend(Protocol):
    """A way to evaluate the model. One for each model in memory; used by one thread at a time.

    Attributes:
        name: as ``LoadSettings.backend`` names it.
        recorded: what a run notes of it; ``equality_of`` says which of these give the same samples to the last bit.
    """

    @property
    def name(self) -> str: ...

    @property
    def recorded(self) -> str: ...

    def begin(self, flow: Flow) -> Field:
        """The field of ``flow``."""
