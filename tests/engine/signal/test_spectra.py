"""Spectrograms, pitch and distances agree with closed forms, and with librosa where it has the same function."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import AudioError
from workbench.engine.runs.comparison import compare_mels, differing, stage_seconds
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.signal import spectra
from workbench.engine.signal.alignment import align, cepstra, distortion
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import pitch

CONFIG = MelConfig()
RATE = CONFIG.target_sample_rate


def tone(hz: float, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_mel_in_decibels_is_bounded_below_and_linear_above() -> None:
    mel = np.array([[np.log(1e-5), 0.0, np.log(10.0), -40.0]], np.float32)
    assert spectra.mel_decibels(mel)[0] == pytest.approx([-100, 0, 20, -100], abs=1e-3)


def test_a_tone_stands_where_it_should_in_both_spectrograms() -> None:
    wave = tone(3000)
    fourier = spectra.stft_decibels(wave)
    assert fourier.shape == (CONFIG.frames_of(len(wave)), 513)
    assert fourier[20].argmax() == pytest.approx(3000 / (RATE / 1024), abs=1)
    # a sine of amplitude A under a Hann window of N samples peaks at A N / 4
    assert fourier[20].max() == pytest.approx(20 * np.log10(0.3 * 1024 / 4), abs=0.1)
    mel = spectra.decoded_mel(wave)
    assert spectra.mel_hz()[mel[20].argmax()] == pytest.approx(3000, rel=0.03)


def test_mel_axis_is_that_of_the_models_transform() -> None:
    import torchaudio.functional as functional

    bank = functional.melscale_fbanks(513, 0.0, RATE / 2, 100, RATE).numpy()
    centres = np.linspace(0, RATE / 2, 513)[bank.argmax(axis=0)]
    assert np.abs(spectra.mel_hz() - centres).max() < RATE / 1024  # to the nearest bin
    assert spectra.axis_hz("mel", 100, RATE) == pytest.approx(spectra.mel_hz())
    assert spectra.from_mel(spectra.to_mel(np.array([440.0]))) == pytest.approx([440.0])


@pytest.mark.parametrize("scale", spectra.SCALES)
def test_every_axis_keeps_a_band_at_its_frequency(scale: str) -> None:
    rows = spectra.axis_hz(scale, 128, RATE)
    assert rows[-1] == pytest.approx(RATE / 2, rel=0.04) and (np.diff(rows) > 0).all()
    shown = spectra.on_axis(spectra.stft_decibels(tone(1500)), np.linspace(0, RATE / 2, 513), rows)
    assert shown.shape == (CONFIG.frames_of(RATE), 128)
    assert rows[shown[10].argmax()] == pytest.approx(1500, rel=0.08)


def test_pooling_keeps_a_click_and_the_number_of_columns() -> None:
    values = np.full((5001, 4), -80.0, np.float32)
    values[3333, 2] = -3.0
    pooled, size = spectra.pool(values, 1000)
    assert len(pooled) <= 1000 and size == 6
    assert pooled.max() == -3.0 and pooled[3333 // 6, 2] == -3.0
    same, one = spectra.pool(values[:10], 1000)
    assert one == 1 and same.shape == (10, 4)
    mean, _ = spectra.pool(np.array([[-4.0], [2.0]]), 1, signed=True)
    assert mean[0, 0] == -1.0


def test_envelope_holds_the_extremes() -> None:
    wave = np.zeros(10_001, np.float32)
    wave[77], wave[9000] = 0.9, -0.8
    low, high, size = spectra.envelope(wave, 500)
    assert len(low) <= 500 and high[77 // size] == np.float32(0.9) and low[9000 // size] == np.float32(-0.8)


@pytest.mark.parametrize("hz", [65.0, 123.4, 220.0, 440.0])
def test_pitch_of_a_tone(hz: float) -> None:
    found = pitch(tone(hz), RATE)
    assert np.nanmedian(found.hz) == pytest.approx(hz, rel=2e-3)
    assert np.isfinite(found.hz).mean() > 0.95
    assert len(found.hz) == CONFIG.frames_of(RATE)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert np.isfinite(pitch(noise, RATE).hz).mean() < 0.02
    for length in (0, 10, 4800):
        assert not np.isfinite(pitch(np.zeros(length, np.float32), RATE).hz).any()


def test_pitch_follows_a_glide_and_pauses(speech: np.ndarray) -> None:
    t = np.arange(2 * RATE) / RATE
    glide = 0.3 * np.sin(2 * np.pi * (100 * t + 25 * t**2))  # from 100 to 200 Hz
    found = pitch(glide.astype(np.float32), RATE)
    inner = slice(10, -10)
    assert found.hz[inner] == pytest.approx((100 + 50 * found.seconds)[inner], rel=0.03)
    spoken = pitch(speech, RATE)
    assert np.nanmedian(spoken.hz) == pytest.approx(120, rel=0.01)
    quiet = spectra.mel_decibels(mel_spectrogram(speech)).max(axis=1)[: len(spoken.hz)] < -60
    assert quiet.any() and not np.isfinite(spoken.hz[quiet]).any()


def test_a_minute_is_analysed_in_bounded_time(speech: np.ndarray) -> None:
    wave = np.tile(speech, 20)
    pitch(wave[:RATE], RATE)
    began = time.process_time()
    pitch(wave, RATE)
    spectra.stft_decibels(wave)
    assert time.process_time() - began < 2.0  # measured: 0.25 s


def test_no_samples_is_a_clear_error() -> None:
    with pytest.raises(AudioError, match="no samples"):
        spectra.stft_decibels(np.zeros(0, np.float32))
    assert spectra.stft_decibels(np.zeros(3, np.float32)).shape == (1, 513)


def test_level_is_told_apart_from_what_the_vocoder_changed(speech: np.ndarray) -> None:
    model = spectra.decoded_mel(speech)
    quieter = spectra.decoded_mel(speech * np.float32(0.5))
    assert spectra.level_offset(model, quieter) == pytest.approx(-6.02, abs=0.01)
    assert spectra.mean_change(model, quieter) < 0.1
    duller = np.convolve(speech, np.ones(12, np.float32) / 12, "same")
    assert spectra.mean_change(model, spectra.decoded_mel(duller)) > 1


def test_what_lies_below_the_floor_does_not_differ() -> None:
    a, b = np.array([[-90.0, -20.0]]), np.array([[-70.0, -10.0], [0.0, 0.0]])
    assert spectra.difference(a, b).tolist() == [[20.0, 10.0]]
    assert spectra.difference(a, b, floor=-60.0).tolist() == [[0.0, 10.0]]


def test_chunk_borders_are_those_of_the_joined_audio() -> None:
    borders = spectra.chunk_borders([0, 900, 1900], [1000, 1100, 500], 1000)
    assert borders == [(0.9, 1.0), (1.9, 2.0)]
    assert spectra.chunk_borders([0], [1000], 1000) == []


def test_distortion_measures_shape_in_decibels_and_not_level() -> None:
    mel = np.random.default_rng(1).normal(0, 1, (30, 100))
    assert distortion(mel, mel) == 0
    assert distortion(mel, mel + 0.7) == pytest.approx(0, abs=1e-9)
    ripple = np.cos(np.pi * 3 * (np.arange(100) + 0.5) / 100) / spectra.DECIBELS_PER_NEPER  # 1 dB, third cepstrum
    assert distortion(mel, mel + ripple) == pytest.approx(1 / np.sqrt(2))
    assert cepstra(mel).shape == (30, 13)


@pytest.mark.slow
def test_alignment_undoes_a_pause_and_finds_the_same_path_as_librosa(speech: np.ndarray) -> None:
    import librosa

    mel = mel_spectrogram(speech)
    longer = np.concatenate([mel[:60], np.repeat(mel[60:61], 25, axis=0), mel[60:]])
    found = align(mel, longer)
    assert found.mcd_decibels == pytest.approx(0, abs=1e-6)
    assert np.allclose(found.b_on_a(longer), mel, atol=1e-6)
    assert found.path[0].tolist() == [0, 0] and found.path[-1].tolist() == [len(mel) - 1, len(longer) - 1]
    assert (np.diff(found.path, axis=0) >= 0).all() and np.diff(found.path, axis=0).max() == 1

    other = mel[::2] + np.random.default_rng(2).normal(0, 0.3, mel[::2].shape).astype(np.float32)
    ours = align(mel, other, band=1.0)
    total, _ = librosa.sequence.dtw(cepstra(mel).T, cepstra(other).T)
    a, b = cepstra(mel), cepstra(other)
    cost = np.linalg.norm(a[ours.path[:, 0]] - b[ours.path[:, 1]], axis=1).sum()
    assert cost == pytest.approx(total[-1, -1], rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 40), (40, 1), (3, 200)])
def test_alignment_of_very_different_lengths_reaches_both_ends(n: int, m: int) -> None:
    rng = np.random.default_rng(3)
    found = align(rng.normal(size=(n, 100)), rng.normal(size=(m, 100)))
    assert found.path[0].tolist() == [0, 0] and found.path[-1].tolist() == [n - 1, m - 1]
    assert found.b_on_a(np.zeros((m, 2))).shape == (n, 2)


def test_nothing_cannot_be_aligned() -> None:
    with pytest.raises(AudioError, match="no frames"):
        align(np.zeros((0, 100)), np.zeros((4, 100)))


def test_runs_are_compared_by_what_differs(tiny_engine: Any, voice: Any, _own_home: Any) -> None:
    from workbench.engine.runs.store import list_runs, save_run

    chosen = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)
    a = tiny_engine.run("One two three. Four five six.", voice, chosen)
    b = tiny_engine.run("One two three. Four five six.", voice, chosen.replace(seed=7))
    c = tiny_engine.run("One two three. Four five six.", voice, chosen.replace(seed=7, speed=0.5))
    for run in (a, b, c):
        save_run(run)
    rows = differing(list_runs())
    assert {row["setting"] for row in rows} == {"seed", "speed"}
    assert next(row for row in rows if row["setting"] == "speed")[c.id] == 0.5
    same_length = compare_mels(a.mel, b.mel)
    assert (
        not same_length.warped and same_length.measured["mcd_decibels"] > 0 and same_length.change.shape == a.mel.shape
    )
    longer = compare_mels(a.mel, c.mel)
    assert longer.warped and longer.b.shape == a.mel.shape
    assert sum(stage_seconds(a).values()) == pytest.approx(a.total_seconds, rel=0.2)
