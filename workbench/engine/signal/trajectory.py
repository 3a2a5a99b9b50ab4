"""The states of the ODE, from noise to a mel, and the plane in which they can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane in which the states of some trajectories differ most.

    Attributes:
        paths: of each trajectory float64 [k, 2]: its states in the plane, in units of the root mean square of a mel.
        explained: share of the states' variance along each of the two axes.
        n_frames: frames that all trajectories have, counted from the start; the plane is of these.
    """

    paths: tuple[np.ndarray, ...]
    explained: tuple[float, float]
    n_frames: int


def plane(states: Sequence[np.ndarray]) -> Plane:
    """The principal components of the states of one or more trajectories, taken together.

    Args:
        states: of each trajectory [k, frames, n_mels]. Of unequal ones the first frames are taken.
    """
    n_frames = min(len(s[0]) for s in states)
    flat = np.concatenate([s[:, :n_frames].reshape(len(s), -1) for s in states]).astype(np.float32)
    flat -= flat.mean(axis=0)
    # there are far fewer states than numbers in one: the small matrix of products has the same directions
    strengths, directions = np.linalg.eigh(flat @ flat.T)
    strengths, directions = np.maximum(strengths[::-1], 0), directions[:, ::-1]
    points = np.zeros((len(flat), 2))
    n = min(2, len(flat))
    points[:, :n] = directions[:, :n] * np.sqrt(strengths[:n] / max(flat.shape[1], 1))
    first, last = points[0], points[len(states[0]) - 1]
    points *= np.where(last < first, -1.0, 1.0)  # a sign is arbitrary: time goes to the right, and up
    shares = strengths / max(float(strengths.sum()), 1e-12)
    ends = np.cumsum([len(s) for s in states])[:-1]
    explained = (float(shares[0]), float(shares[1]) if len(shares) > 1 else 0.0)
    return Plane(tuple(np.split(points.astype(np.float64), ends)), explained, n_frames)
