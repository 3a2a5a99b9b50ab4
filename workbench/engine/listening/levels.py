"""Match the levels of sounds, so that the louder one is not preferred for its loudness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.engine import measures
from workbench.engine.errors import ListeningError
from workbench.engine.measures import Sound

HEADROOM_DECIBELS = 1.0  # of the loudest sample below full scale
_SILENT_DECIBELS = -70.0  # the absolute gate of ITU-R BS.1770


@dataclass(frozen=True)
class Levels:
    """How sounds were brought to one level.

    Attributes:
        measure: name of the measure that is now equal: loudness, or RMS if loudness cannot be measured.
        target: its value after matching.
        gains_decibels: of each sound.
    """

    measure: str
    target: float
    gains_decibels: tuple[float, ...]

    @property
    def said(self) -> str:
        """In one sentence: which measure, which level, and by how much the sounds were changed."""
        m = measures.get(self.measure)
        low, high = min(self.gains_decibels), max(self.gains_decibels)
        return f"Levels are matched by {m.label} to {m.shown(self.target)}: by {low:+.1f} to {high:+.1f} dB."


def match(sounds: Sequence[Sound]) -> Levels:
    """Return the gains that give all ``sounds`` the same loudness: their median, or less so that nothing clips.

    Loudness is in LUFS (ITU-R BS.1770) if its package is installed and every sound is long enough, else RMS in dBFS.

    Raises:
        ListeningError: a sound is silent.
    """
    for name in ("loudness_lufs", "level_dbfs"):
        found = [measures.get(name).value(sound) for sound in sounds]
        known = [value for value in found if value is not None]
        if len(known) == len(found):
            break
    silent = sum(value is None or value < _SILENT_DECIBELS for value in found)
    if silent or not known:
        raise ListeningError(f"{silent} of {len(found)} sounds are silent.", remedy="Leave their runs out.")
    peaks = [20 * np.log10(max(float(np.abs(sound.wave).max()), 1e-10)) for sound in sounds]
    room = min(value - peak - HEADROOM_DECIBELS for value, peak in zip(known, peaks, strict=True))
    target = float(min(np.median(known), room))
    return Levels(name, target, tuple(target - value for value in known))
