"""Compare two readings of one text: time alignment and mel-cepstral distortion, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from workbench.engine.errors import AudioError
from workbench.engine.signal.spectra import DECIBELS_PER_NEPER


@dataclass(frozen=True, eq=False)
class Alignment:
    """Time alignment of two utterances a and b.

    Attributes:
        path: int [steps, 2], pairs of matching frames of a and b, from the first pair to the last.
        mcd_decibels: mel-cepstral distortion along the path.
    """

    path: np.ndarray
    mcd_decibels: float

    def b_on_a(self, b: np.ndarray) -> np.ndarray:
        """``b`` [frames, bands] warped to the frames of a; the last one where several match."""
        frames = np.zeros(self.path[-1, 0] + 1, int)
        frames[self.path[:, 0]] = self.path[:, 1]
        return b[frames]


def cepstra(mel: np.ndarray, n_coefficients: int = 13) -> np.ndarray:
    """Cepstral coefficients 1 to ``n_coefficients`` of a natural-log mel [frames, n_mels], which do not hold its level.

    Scaled so that the Euclidean distance of two frames is in dB.
    """
    transformed = scipy.fft.dct(np.asarray(mel, np.float64), norm="ortho", axis=1)[:, 1 : n_coefficients + 1]
    scaled: np.ndarray = transformed * DECIBELS_PER_NEPER / np.sqrt(mel.shape[1])
    return scaled


def distortion(mel_a: np.ndarray, mel_b: np.ndarray) -> float:
    """Mel-cepstral distortion in dB, frame by frame, of two natural-log mels of equal length [frames, n_mels]."""
    return float(np.linalg.norm(cepstra(mel_a) - cepstra(mel_b), axis=1).mean())


def align(mel_a: np.ndarray, mel_b: np.ndarray, band: float = 0.15) -> Alignment:
    """Time-align two mels [frames, n_mels] by dynamic time warping over their cepstra.

    The mel-cepstral distortion (Kubichek, 1993) is the mean over the path of the distance in dB; c1 to c13, so level
    does not count. It measures how much two readings differ, not which is better.

    Args:
        mel_a, mel_b: natural-log mels of the models.
        band: largest distance of the path from the straight line, as a share of the longer mel's frames.
    """
    if not len(mel_a) or not len(mel_b):
        raise AudioError("There are no frames to compare.", remedy="Choose two runs that hold speech.")
    a, b = cepstra(mel_a), cepstra(mel_b)
    radius = max(16, int(band * max(len(a), len(b))))
    path = _warp(a, b, radius)
    distances = np.linalg.norm(a[path[:, 0]] - b[path[:, 1]], axis=1)
    return Alignment(path, float(distances.mean()))


def _warp(a: np.ndarray, b: np.ndarray, radius: int) -> np.ndarray:
    """Cheapest path [steps, 2] from (0, 0) to the end, by anti-diagonals, within ``radius`` of the straight line."""
    n, m = len(a), len(b)
    slope = m / n
    radius = max(radius, int(np.ceil(slope)) + 1)
    one, two = np.full(n + 1, np.inf), np.full(n + 1, np.inf)  # totals of the last two diagonals, at i + 1
    choices: list[tuple[int, np.ndarray]] = []
    for diagonal in range(n + m - 1):
        low = max(0, diagonal - m + 1, int(np.ceil((diagonal - radius) / (1 + slope))))
        high = min(n - 1, diagonal, int((diagonal + radius) / (1 + slope)))
        i = np.arange(low, high + 1)
        cost = np.sqrt(np.square(a[i] - b[diagonal - i]).sum(axis=1))
        before = np.stack([two[i], one[i], one[i + 1]])  # from (i-1, j-1), (i-1, j), (i, j-1)
        choice = before.argmin(axis=0)
        best = before[choice, np.arange(len(i))]
        if diagonal == 0:
            best = np.zeros(1)
        two, one = one, np.full(n + 1, np.inf)
        one[i + 1] = cost + best
        choices.append((low, choice.astype(np.uint8)))
    return _walk_back(choices, n, m)


def _walk_back(choices: list[tuple[int, np.ndarray]], n: int, m: int) -> np.ndarray:
    """The path [steps, 2], followed from the end to the start along the recorded choices."""
    i, j = n - 1, m - 1
    path = [(i, j)]
    while i or j:
        low, choice = choices[i + j]
        step = int(choice[i - low])
        i, j = i - (step != 2), j - (step != 1)
        path.append((i, j))
    return np.array(path[::-1])
