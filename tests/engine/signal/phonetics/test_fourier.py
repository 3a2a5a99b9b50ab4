"""Spectrograms, slices and mean spectra against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.errors import AudioError, SettingsError
from workbench.engine.signal.phonetics.fourier import (
    WINDOWS,
    Window,
    mean_spectrum,
    spectrogram,
    spectrum_at,
)

RATE = 24_000


def tone(hz: float, seconds: float = 1.0, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("milliseconds", [10.0, 42.7, 100.0])
@pytest.mark.parametrize("rate", [16_000, RATE, 44_100])
def test_a_tone_reads_its_frequency_and_level_under_every_window(kind: str, milliseconds: float, rate: int) -> None:
    found = spectrum_at(tone(440, rate=rate), rate, 0.5, Window(milliseconds, 0.75, kind))
    assert found.peak_hz == pytest.approx(440, abs=0.15 * 1000 / milliseconds)
    assert found.decibels.max() == pytest.approx(20 * np.log10(0.3), abs=0.4)


def test_the_slice_is_numpys_transform_of_the_window() -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    window = Window(20.0)
    n = window.samples(RATE)
    part = wave[12_000 - n // 2 :][:n] * window.shape(RATE)
    expected = 20 * np.log10(np.abs(np.fft.rfft(part, 2 * (len(spectrum_at(wave, RATE, 0.5, window).hz) - 1))))
    assert spectrum_at(wave, RATE, 0.5, window).decibels == pytest.approx(expected, abs=1e-2)


def test_a_frame_of_the_spectrogram_is_the_slice_at_its_time() -> None:
    wave = np.concatenate([tone(500), tone(3000)])
    window = Window(30.0, 0.5, emphasis=True)
    whole = spectrogram(wave, RATE, window)
    for second in (0.3, 1.5):
        frame = round(second * whole.frames_per_second)
        at = spectrum_at(wave, RATE, frame / whole.frames_per_second, window)
        loud = whole.decibels[frame] > -100  # below, the numbers are rounded
        assert np.interp(whole.hz, at.hz, at.decibels)[loud] == pytest.approx(whole.decibels[frame][loud], abs=0.05)
    assert whole.hz[whole.decibels[round(0.3 * whole.frames_per_second)].argmax()] == pytest.approx(500, abs=25)
    assert whole.hz[whole.decibels[round(1.5 * whole.frames_per_second)].argmax()] == pytest.approx(3000, abs=25)


def test_a_long_window_parts_harmonics_and_a_short_one_parts_pulses() -> None:
    pulses = np.zeros(RATE, np.float32)
    pulses[:: RATE // 100] = 0.5  # 100 Hz
    long, short = spectrogram(pulses, RATE, Window(60.0)), spectrogram(pulses, RATE, Window(3.0, 0.9))
    middle = long.decibels[len(long.decibels) // 2]
    on, between = (np.interp(hz, long.hz, middle) for hz in (1000, 1050))
    assert on - between > 30
    row = short.decibels[200:600, np.abs(short.hz - 2000).argmin()]
    assert np.ptp(row) > 30 and Window(3.0).bandwidth_hz(RATE) > 10 * Window(60.0).bandwidth_hz(RATE)


def test_the_mean_spectrum_of_noise_is_flat_and_of_a_tone_is_its_level() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 4 * RATE).astype(np.float32)
    found = mean_spectrum(noise, RATE, Window(40.0))
    assert np.ptp(found.decibels[20:-20]) < 4
    assert mean_spectrum(tone(1500), RATE).decibels.max() == pytest.approx(20 * np.log10(0.3), abs=0.5)


def test_pre_emphasis_lifts_an_octave_by_6_dB_and_leaves_1_kHz() -> None:
    window = Window(emphasis=True)
    lift = window.lift(np.array([500.0, 1000.0, 2000.0]), RATE)
    assert lift == pytest.approx([-6, 0, 6], abs=0.2)
    assert not Window().lift(np.array([500.0]), RATE).any()


def test_a_long_sound_has_a_bounded_number_of_frames_and_says_so() -> None:
    long = spectrogram(tone(440, 60), RATE, Window(3.0, 0.9))
    assert long.is_thinned and len(long.decibels) <= 12_001 and long.decibels.nbytes < 60_000_000
    assert long.hz[long.decibels[3000].argmax()] == pytest.approx(440, abs=60)
    assert not spectrogram(tone(440), RATE, Window()).is_thinned


def test_what_cannot_be_taken_is_refused_with_its_value() -> None:
    with pytest.raises(AudioError):
        spectrogram(np.zeros(0, np.float32), RATE)
    for bad, value in (({"milliseconds": 900.0}, "900"), ({"overlap": 1.0}, "1"), ({"kind": "Kaiser"}, "Kaiser")):
        with pytest.raises(SettingsError, match=value):
            Window(**bad)
    tiny = spectrogram(np.ones(3, np.float32), RATE)
    assert np.isfinite(tiny.decibels).all()
    assert np.isfinite(spectrum_at(np.ones(3, np.float32), RATE, 9.0).decibels).all()
