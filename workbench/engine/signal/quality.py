"""Measure and correct faults of a reference recording: constant offset, long silences, noise, low level."""

from __future__ import annotations

import numpy as np

from workbench.engine import rules
from workbench.engine.signal.audio import SILENT_RMS, decibels, levels, rms, runs, trim_edges

OFFSET = 0.003  # of full scale; smaller offsets do no harm, except in a quiet recording
OFFSET_OF_LEVEL = 0.05  # the same for a quiet recording, relative to its level
LARGE_OFFSET = 0.03  # of full scale; the mean of any recording is an offset above this
QUIET_RMS = 0.01  # -40 dBFS
FULL_SCALE_PEAK = 1.25  # decoders of MP3 slightly exceed full scale
NOISE_DECIBELS = 15.0  # smallest distance of speech from background noise
LONG_PAUSE_SECONDS = 1.0
KEPT_PAUSE_SECONDS = 0.05  # length of a long pause after shortening, also for the pace
PAUSE_MARGIN_SECONDS = 0.075  # belongs to the speech at each end of a natural pause
_WINDOW_SECONDS = 0.01
_CLICK_WINDOWS = 5  # sounds this short do not end a pause
_HEARD_DBFS = -90.0  # quieter windows are digital silence from an editor


def without_offset(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Return (wave, offset). A wave with a harmful offset is high-pass filtered at 20 Hz; others keep their samples."""
    offset = _offset(wave, sample_rate)
    if not offset:
        return wave, 0.0
    from scipy.signal import butter, sosfiltfilt

    slow = butter(2, 20, "highpass", fs=sample_rate, output="sos")
    # the filter needs more samples than it has poles; a shorter wave cannot drift
    filtered = sosfiltfilt(slow, wave.astype(np.float64)) if len(wave) > 100 else wave - offset
    return filtered.astype(np.float32), offset


def _offset(wave: np.ndarray, sample_rate: int) -> float:
    """Return the offset of ``wave`` in its quiet parts, or its mean if that is large; 0 if it does no harm.

    The mean alone is not enough: voices are asymmetric, so their mean is not 0.
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
    """Return the levels in dBFS of speech and background: loud and quiet windows of 30 ms without digital silence."""
    level = levels(wave, sample_rate, 3 * _WINDOW_SECONDS)
    heard = level[level > _HEARD_DBFS]
    if not len(heard):
        return -200.0, -200.0
    loud, quiet = np.percentile(heard, [95, 5])
    return float(loud), float(quiet)


def long_pauses(wave: np.ndarray, sample_rate: int) -> list[tuple[int, int]]:
    """Return (start, end) in samples of the removable part of each pause over one second, also at the ends.

    If a pause contains digital silence, only that is removable: the rest was recorded.
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
    """Return ``wave`` with each of ``pauses`` shortened to 50 ms by cross-fading its two ends."""
    kept = round(KEPT_PAUSE_SECONDS * sample_rate)
    ramp = np.linspace(0, 1, kept, dtype=np.float32)
    parts, at = [], 0
    for first, end in pauses:
        joint = wave[first : first + kept] * ramp[::-1] + wave[end - kept : end] * ramp
        parts += [wave[at:first], joint]
        at = end
    return np.concatenate([*parts, wave[at:]])


def pace_samples(n_samples: int, pauses: list[tuple[int, int]], sample_rate: int) -> int:
    """Return the number of samples for the pace: ``n_samples`` with ``pauses`` shortened to 50 ms."""
    kept = round(KEPT_PAUSE_SECONDS * sample_rate)
    return n_samples - sum(end - first - kept for first, end in pauses)


def trimmed(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return ``wave`` without silence at its ends. For a very quiet wave the threshold is lower."""
    return trim_edges(wave, sample_rate, _silence_dbfs(wave))


def _silence_dbfs(wave: np.ndarray) -> float:
    """Return the level below which ``wave`` is silent: upstream's, lowered for a very quiet recording."""
    level = rms(wave)
    quiet = SILENT_RMS < level < QUIET_RMS
    return rules.REFERENCE_EDGE_DBFS + (decibels(level / rules.REFERENCE_RMS) if quiet else 0.0)


def remarks(wave: np.ndarray, sample_rate: int) -> list[str]:
    """Return one phrase per fault of the recording that will be audible in the speech; empty for a good one."""
    found, level = [], rms(wave)
    if level < QUIET_RMS:
        found.append(
            f"the recording is too quiet ({decibels(level):.0f} dBFS, usually -30 to -15): its noise is raised with "
            "the voice; record closer to the microphone"
        )
    speech, noise = speech_and_noise(wave, sample_rate)
    if speech - noise < NOISE_DECIBELS:
        found.append(
            f"the recording is too noisy (speech is {speech - noise:.0f} dB above the background, should be "
            f"{NOISE_DECIBELS:.0f} or more): the speech will be noisy too"
        )
    if float(np.mean(np.abs(wave) >= 0.999)) > 1e-3:
        found.append("the recording is clipped at full scale in many places and will sound distorted")
    return found
