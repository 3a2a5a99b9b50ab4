"""Intensity against closed forms and Praat, formants of a vowel that is made of known resonances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from workbench.engine.errors import PackageError
from workbench.engine.signal.phonetics import contours
from workbench.engine.signal.phonetics.contours import formants, intensity

RATE = 24_000
PRAAT = "Praat is not here: pip install praat-parselmouth (extra praat)"


def vowel(resonances: tuple[float, ...], f0: float = 110.0, seconds: float = 0.8) -> np.ndarray:
    """Pulses through resonances of 80 Hz bandwidth."""
    sound = np.zeros(round(seconds * RATE))
    sound[:: round(RATE / f0)] = 1.0
    sound = scipy.signal.lfilter([1], [1, -np.exp(-2 * np.pi * 100 / RATE)], sound)  # a voice falls with frequency
    for hz in resonances:
        radius, angle = np.exp(-np.pi * 80 / RATE), 2 * np.pi * hz / RATE
        sound = scipy.signal.lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], sound)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def test_intensity_of_a_tone_is_its_level_and_shows_no_pulses() -> None:
    t = np.arange(RATE) / RATE
    found = intensity((0.5 * np.sin(2 * np.pi * 100 * t)).astype(np.float32), RATE)
    inside = found.values[10:-10]
    assert inside == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
    assert found.at(0.5) == pytest.approx(-9.03, abs=0.05)


def test_intensity_rises_where_the_sound_does() -> None:
    wave = np.concatenate([np.zeros(RATE // 2), 0.2 * np.sin(np.arange(RATE // 2))]).astype(np.float32)
    found = intensity(wave, RATE)
    assert found.at(0.2) < -60 < -20 < found.at(0.8)
    assert not len(intensity(np.zeros(0, np.float32), RATE).values)
    assert np.isfinite(intensity(np.zeros(10, np.float32), RATE).values).all()


def test_intensity_is_praats(speech: np.ndarray) -> None:
    parselmouth = pytest.importorskip("parselmouth", reason=PRAAT)
    theirs = parselmouth.Sound(speech.astype(float), RATE).to_intensity(75.0, 256 / RATE, True)
    at = np.asarray(theirs.xs())
    ours = intensity(speech, RATE, hop_length=1)
    loud = theirs.values[0] > theirs.values[0].max() - 30
    difference = np.interp(at, ours.seconds, ours.values)[loud] - (theirs.values[0][loud] - 93.98)
    assert np.abs(difference).max() < 0.1


@pytest.mark.parametrize("wanted", [(300.0, 2300.0, 3000.0, 3700.0, 4700.0), (700.0, 1200.0, 2500.0, 3500.0, 4500.0)])
def test_formants_of_a_vowel_are_its_resonances(wanted: tuple[float, ...]) -> None:
    pytest.importorskip("parselmouth", reason=PRAAT)
    found = formants(vowel(wanted), RATE, ceiling_hz=5500)
    middle = np.nanmedian(found.hz[10:-10], axis=0)
    assert middle == pytest.approx(wanted[:4], rel=0.08)


def test_quiet_frames_have_no_formants_and_a_click_is_no_error() -> None:
    pytest.importorskip("parselmouth", reason=PRAAT)
    sound = np.concatenate([vowel((500.0, 1500.0, 2500.0, 3500.0, 4500.0)), np.zeros(RATE // 2, np.float32)])
    found = formants(sound, RATE)
    assert np.isnan(found.hz[found.seconds > 0.95]).all() and np.isfinite(found.hz[found.seconds < 0.7, 0]).all()
    assert not len(formants(np.ones(100, np.float32), RATE).seconds)


def test_without_praat_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contours, "find_spec", lambda name: None)
    assert "pip install praat-parselmouth" in contours.lacking() and "GPL" in contours.lacking()
    with pytest.raises(PackageError, match="pip install praat-parselmouth"):
        formants(np.zeros(RATE, np.float32), RATE)
