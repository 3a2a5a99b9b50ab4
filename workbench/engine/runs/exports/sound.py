"""Export the speech as a sound file."""

from __future__ import annotations

from workbench.engine.runs.exports.registry import export
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.results import Run


@export("wav", ".wav", "audio/wav", "WAV", "The speech, 16 bit, at its true level", member="speech.wav")
def wav(run: Run) -> bytes:
    """Return the speech as a 16-bit WAV file at its true level."""
    return to_bytes(run.wave, run.sample_rate, ".wav")


@export("flac", ".flac", "audio/flac", "FLAC", "The same, compressed without loss to about half", member="speech.flac")
def flac(run: Run) -> bytes:
    """Return the speech as a 16-bit FLAC file, about half the size of the WAV file."""
    return to_bytes(run.wave, run.sample_rate, ".flac")
