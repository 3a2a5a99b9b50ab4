"""Export the speech as a sound file."""

from __future__ import annotations

from pathlib import Path

from workbench.engine.runs.exports.registry import export
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.results import Run


def _wav(run: Run, path: Path) -> None:
    write_sound(path, run.blocks(), run.n_samples, run.sample_rate, ".wav")


def _flac(run: Run, path: Path) -> None:
    write_sound(path, run.blocks(), run.n_samples, run.sample_rate, ".flac")


@export("wav", ".wav", "audio/wav", "WAV", "The speech, 16 bit, at its true level", member="speech.wav", writer=_wav)
def wav(run: Run) -> bytes:
    """Return the speech as a 16-bit WAV file at its true level."""
    return to_bytes(run.wave, run.sample_rate, ".wav")


@export("flac", ".flac", "audio/flac", "FLAC", "The same, compressed without loss to about half", member="speech.flac",
        writer=_flac)  # fmt: skip
def flac(run: Run) -> bytes:
    """Return the speech as a 16-bit FLAC file, about half the size of the WAV file."""
    return to_bytes(run.wave, run.sample_rate, ".flac")
