"""The voice in cache/demo-voice speaks what it never heard, in voices that it never heard, and has a voice and no ring.

A handful of sentences of the development set: a guard against a broken export, not the evaluation.
"""

from __future__ import annotations

import json

import numpy as np

from training.demo_voice import artefacts, export, held_out, metrics, recogniser
from training.demo_voice.corpus import SAMPLE_RATE_HZ, SILENCE
from training.demo_voice.speaking import SamplerSettings, decode, generate_mel
from workbench.engine.catalog import bundled_folder
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import pitch


def test_it_is_understood_and_has_a_voice_without_ring_or_clicks(espeak):
    ear, phones = recogniser.load_exported(bundled_folder())
    cfm, vocoder = export.load_exported(bundled_folder())
    cases = held_out.held_out_cases(espeak, phones, 11, held_out.DEVELOPMENT)
    errors, total = {"plain": 0, "short": 0}, {"plain": 0, "short": 0}
    waves = []
    for case in cases:
        wave = decode(vocoder, generate_mel(cfm, case.reference, case.truth.text, SamplerSettings(nfe_step=7)))
        truth = metrics.collapse(case.truth.phones.tolist(), SILENCE)
        errors[case.kind] += metrics.edit_distance(ear.phones(mel_spectrogram(wave)), truth)
        total[case.kind] += len(truth)
        assert np.isfinite(wave).all() and 0.02 < np.sqrt(np.mean(wave**2)) < 0.3
        waves.append(wave)
    assert [case.kind for case in cases].count("plain") == 6
    assert errors["plain"] < 0.15 * total["plain"] and errors["short"] < 0.2 * total["short"]
    assert artefacts.ring_decibels(waves) < 3
    assert sum(map(artefacts.clicks, waves)) == 0
    voiced = [np.isfinite(pitch(wave, SAMPLE_RATE_HZ).hz).mean() for wave in waves]
    assert np.mean(voiced) > 0.4, "hoarse: espeak-ng's own speech has about 0.7"


def test_what_is_said_of_it_was_measured_on_all_sentences():
    measured = json.loads((bundled_folder() / "evaluation.json").read_text(encoding="utf-8"))
    assert measured["sentences"] == 38 and measured["nfe_step"] == 32 and measured["cfg_strength"] == 2
    assert measured["phone_error_rate_of_true_speech"] <= 0.03
    for found in (measured, measured["at_nfe_7"]):
        assert found["phone_error_rate"] <= 0.10 and found["mcd_from_chance_to_floor"] >= 0.70
        assert found["skipped_words"] <= 0.02 and found["repeated_words"] <= 0.02
    size = sum(path.stat().st_size for path in bundled_folder().rglob("*") if path.is_file())
    assert size <= 40e6
