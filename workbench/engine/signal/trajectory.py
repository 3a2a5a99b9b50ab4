"""The states of the ODE, from noise to a mel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trajectory:
    """States of the ODE of one chunk.

    Attributes:
        times: float32 [k], flow time of each kept state; 0 is noise, 1 is speech.
        states: float16 [k, frames, n_mels], the chunk's frames without the reference.
        distances: float32 [n_steps], root mean square change of the state in each step.
    """

    times: np.ndarray
    states: np.ndarray
    distances: np.ndarray
