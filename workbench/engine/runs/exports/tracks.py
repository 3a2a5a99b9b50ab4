"""Export what is seen on the page Listen and look as numbers: F0, intensity and formants, and the mel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from workbench.engine import measures
from workbench.engine.runs.exports.registry import export
from workbench.engine.signal import spectra
from workbench.engine.signal.phonetics import contours, sheets
from workbench.engine.speech.results import Run

_Sheet = Callable[[measures.Sound, float, bool], str]  # of a sound, the second at which it begins, with headings


def _parts(run: Run) -> Iterator[tuple[measures.Sound, float]]:
    """The whole of ``run``; of a long one each chunk and the second at which it begins, so that memory is bounded."""
    if not run.is_long:
        yield measures.Sound.of_run(run), 0.0
        return
    for result, start in zip(run.chunks, run.starts, strict=True):
        yield measures.Sound.of_chunk(result, run.mel_config), start / run.sample_rate


def _contours(sound: measures.Sound, starts_at: float, headed: bool) -> str:
    rate = sound.config.target_sample_rate
    formants = None if contours.lacking() else contours.formants(sound.wave, rate)
    level = contours.intensity(sound.wave, rate)
    return sheets.contours_sheet(sound.pitch, level, formants, starts_at=starts_at, headed=headed)


def _mel(sound: measures.Sound, starts_at: float, headed: bool) -> str:
    decibels, config = sound.model_decibels, sound.config
    assert decibels is not None, "a run has the mel of its model"
    return sheets.spectrogram_sheet(
        decibels, spectra.mel_hz(config), config.frames_per_second, starts_at=starts_at, headed=headed
    )


def _made(make: _Sheet, run: Run) -> Iterator[str]:
    for number, (sound, starts_at) in enumerate(_parts(run)):
        yield make(sound, starts_at, not number)


def _write(make: _Sheet, run: Run, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_made(make, run))


@export("contours", ".contours.csv", "text/csv", "F0, formants, CSV", "F0, intensity, and formants with the extra "
        "praat: a row for each mel frame", member="contours.csv", writer=partial(_write, _contours),
        is_heavy=True)  # fmt: skip
def contours_csv(run: Run) -> str:
    """Return a CSV with time, F0, aperiodicity, intensity and, where Praat is installed, F1 to F4 and bandwidths.

    A long run is analysed chunk by chunk.
    """
    return "".join(_made(_contours, run))


@export("mel", ".mel.csv", "text/csv", "Mel, CSV", "The mel as the model made it, in dB: a row for each frame",
        member="mel.csv", writer=partial(_write, _mel), is_heavy=True)  # fmt: skip
def mel_csv(run: Run) -> str:
    """Return a CSV with a row for each mel frame and a column for each channel, in dB, named by its centre in Hz."""
    return "".join(_made(_mel, run))
