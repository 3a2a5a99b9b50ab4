"""How fast it is said, and where it falls silent."""

from __future__ import annotations

import numpy as np

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import audio
from workbench.engine.speech.pace import usual_seconds

_WINDOW_SECONDS = 0.01
_QUIET_DECIBELS = 40.0  # below the loudest 5 % of the windows
_PAUSE_SECONDS = 0.2  # shorter silences are parts of sounds


def _pauses(sound: Sound) -> list[float] | None:
    """Seconds of each silence within the speech, those at its ends left out; None if all is silent."""
    rate = sound.config.target_sample_rate
    levels = audio.levels(sound.wave, rate, _WINDOW_SECONDS)
    if not len(levels) or float(levels.max()) < -80:
        return None
    loud = levels > np.percentile(levels, 95) - _QUIET_DECIBELS
    inside = audio.runs(~loud[np.flatnonzero(loud)[0] : np.flatnonzero(loud)[-1] + 1])
    return [seconds for first, end in inside if (seconds := (end - first) * _WINDOW_SECONDS) >= _PAUSE_SECONDS]


@measure(
    "pace", "", "Usual time of its text over the time it took, pauses apart; 1 is usual, 2 twice as fast.",
    of=(SOUND,), misleads="where numbers or signs stand in the text: they are counted as they are written.",
)  # fmt: skip
def pace(sound: Sound) -> float | None:
    """Ratio; None without text, or if all is silent."""
    pauses = _pauses(sound)
    usual = usual_seconds(sound.text) if sound.text.strip() else 0.0
    spoken = sound.seconds - sum(pauses or ())
    return usual / spoken if pauses is not None and usual and spoken > 0 else None


@measure(
    "longest_pause_seconds", "s", "The longest silence within the speech.", of=(SOUND,), label="longest pause",
    misleads="where the background is loud: then nothing is silent.",
)  # fmt: skip
def longest_pause(sound: Sound) -> float | None:
    """Seconds; 0 if no silence lasts 0.2 s, None if all is silent."""
    pauses = _pauses(sound)
    return None if pauses is None else max(pauses, default=0.0)


@measure(
    "pause_percent", "%", "Time in silences of 0.2 s and more within the speech.", of=(SOUND,), label="pauses",
    digits=0, misleads="where the background is loud: then nothing is silent.",
)  # fmt: skip
def pause_share(sound: Sound) -> float | None:
    """Per cent of the length; None if all is silent."""
    pauses = _pauses(sound)
    return None if pauses is None or not sound.seconds else 100 * sum(pauses) / sound.seconds
