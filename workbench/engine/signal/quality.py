"""What makes a recording a poor reference, measured: a constant offset, long silences, noise, its level."""

from __future__ import annotations

import numpy as np

from workbench.engine import rules
from workbench.engine.signal.audio import SILENT_RMS, decibels, levels, rms, runs, trim_edges

OFFSET = 0.003  # of full scale; below it no silence is taken for sound, but in a quiet recording
OFFSET_OF_LEVEL = 0.05
LARGE_OFFSET = 0.03
QUIET_RMS = 0.01  # -40 dBFS
FULL_SCALE_PEAK = 1.25  # decoders of MP3 overshoot a little
NOISE_DECIBELS = 15.0  # speech above its background
LONG_PAUSE_SECONDS = 1.0
KEPT_PAUSE_SECONDS = 0.05  # of a long pause, in the pace and when it is shortened
PAUSE_MARGIN_SECONDS = 0.075  # at each end, that belongs to the speech where no editor made the pause
_WINDOW_SECONDS = 0.01
_CLICK_WINDOWS = 5  # a sound this short does not end a pause
_HEARD_DBFS = -90.0  # quieter windows were made by an editor and tell nothing of the room


def without_offset(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """(wave, offset): ``wave`` as it is where it swings around 0, else without what is slower than 20 Hz."""
    offset = _offset(wave, sample_rate)
    if not offset:
        return wave, 0.0
    from scipy.signal import butter, sosfiltfilt

    slow = butter(2, 20, "highpass", fs=sample_rate, output="sos")
    # the filter needs some samples more than it has poles; a shorter wave has no time to drift
    filtered = sosfiltfilt(slow, wave.astype(np.float64)) if len(wave) > 100 else wave - offset
    return filtered.astype(np.float32), offset


def _offset(wave: np.ndarray, sample_rate: int) -> float:
    """The constant part of ``wave`` where it is quiet, or a large one anywhere; 0 for one that does no harm.

    Voices swing further to one side than to the other: their mean alone is no offset.
    """
    size = round(_WINDOW_SECONDS * sample_rate)
    windows = wave[: len(wave) // size * size].reshape(-1, size).astype(np.float64)
    if not len(windows):
        return 0.0
    swing = windows.std(axis=1)
    resting = float(np.median(windows.mean(axis=1)[swing <= np.percentile(swing, 10)]))
    level = float(wave.std(dtype=np.float64))
    least = OFFSET if level > QUIET_RMS else min(OFFSET, OFFSET_OF_LEVEL * level)
    mean = float(wave.mean(dtype=np.float64))
    return resting if abs(resting) >= least else mean if abs(mean) >= LARGE_OFFSET else 0.0


def speech_and_noise(wave: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """(speech, background) of ``wave`` in dBFS: the loud and the quiet windows of 30 ms, digital silence apart."""
    level = levels(wave, sample_rate, 3 * _WINDOW_SECONDS)
    heard = level[level > _HEARD_DBFS]
    if not len(heard):
        return -200.0, -200.0
    loud, quiet = np.percentile(heard, [95, 5])
    return float(loud), float(quiet)


def long_pauses(wave: np.ndarray, sample_rate: int) -> list[tuple[int, int]]:
    """(from, to) in samples of what is too much of each pause of over a second, those at the ends included.

    Of a pause that holds digital silence that is the too much; the rest of it was there when somebody spoke.
    """
    level = levels(wave, sample_rate, _WINDOW_SECONDS)
    speech, noise = speech_and_noise(wave, sample_rate)
    threshold = max(_silence_dbfs(wave), min(noise + 6, speech - 12))
    quiet = level < threshold
    for first, end in runs(~quiet):
        if end - first <= _CLICK_WINDOWS and first > 0 and end < len(quiet):
            quiet[first:end] = True
    size = round(_WINDOW_SECONDS * sample_rate)
    longest, margin, found = round(LONG_PAUSE_SECONDS / _WINDOW_SECONDS), round(PAUSE_MARGIN_SECONDS * sample_rate), []
    for first, end in runs(quiet):
        if end - first <= longest:
            continue
        made = [(a + first, b + first) for a, b in runs(level[first:end] < _HEARD_DBFS) if b - a > longest]
        found += [(a * size, min(b * size, len(wave))) for a, b in made]
        found += [] if made else [(first * size + margin, min(end * size, len(wave)) - margin)]
    return found


def shortened(wave: np.ndarray, pauses: list[tuple[int, int]], sample_rate: int) -> np.ndarray:
    """``wave`` with 50 ms left of each of its ``pauses``: their two ends, one faded into the other."""
    kept = round(KEPT_PAUSE_SECONDS * sample_rate)
    ramp = np.linspace(0, 1, kept, dtype=np.float32)
    parts, at = [], 0
    for first, end in pauses:
        joint = wave[first : first + kept] * ramp[::-1] + wave[end - kept : end] * ramp
        parts += [wave[at:first], joint]
        at = end
    return np.concatenate([*parts, wave[at:]])


def pace_samples(n_samples: int, pauses: list[tuple[int, int]], sample_rate: int) -> int:
    """Samples that tell how fast somebody speaks: ``n_samples`` without what is too long of ``pauses``."""
    kept = round(KEPT_PAUSE_SECONDS * sample_rate)
    return n_samples - sum(end - first - kept for first, end in pauses)


def trimmed(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """``wave`` without silence at its ends. A very quiet one is measured as if it were as loud as references are."""
    return trim_edges(wave, sample_rate, _silence_dbfs(wave))


def _silence_dbfs(wave: np.ndarray) -> float:
    """Level below which ``wave`` is silent: upstream's, or as far below a very quiet recording."""
    level = rms(wave)
    quiet = SILENT_RMS < level < QUIET_RMS
    return rules.REFERENCE_EDGE_DBFS + (decibels(level / rules.REFERENCE_RMS) if quiet else 0.0)


def remarks(wave: np.ndarray, sample_rate: int) -> list[str]:
    """What will be heard of the recording's faults in the speech, one phrase each; empty for a good one."""
    found, level = [], rms(wave)
    if level < QUIET_RMS:
        found.append(
            f"the recording is too quiet ({decibels(level):.0f} dBFS, usual are -30 to -15): its noise is raised with "
            "the voice; record closer to the microphone"
        )
    speech, noise = speech_and_noise(wave, sample_rate)
    if speech - noise < NOISE_DECIBELS:
        found.append(
            f"the recording is too noisy (speech is {speech - noise:.0f} dB above the background, "
            f"{NOISE_DECIBELS:.0f} or more imitate well): the speech will be noisy too"
        )
    if float(np.mean(np.abs(wave) >= 0.999)) > 1e-3:
        found.append("the recording is clipped at full scale in many places and will sound distorted")
    return found
