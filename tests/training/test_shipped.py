"""The voice in cache/demo-voice says its words, has its own pitch, no ring and no clicks.

A guard against a broken export on four short sentences; the evaluation listens with a recogniser.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from training.demo_voice.vocoder import artefacts
from workbench import SynthesisSettings
from workbench.engine.catalog import bundled_folder
from workbench.engine.signal.alignment import align
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import pitch
from workbench.engine.speech.voices import load_voice

NAMES = ("Nora", "Arthur", "Clara", "Victor")


@pytest.fixture(scope="module")
def voices():
    return [load_voice(name) for name in NAMES]


@pytest.fixture(scope="module")
def waves(demo_engine, voices):
    """What the reference of each voice says, read by the next voice."""
    settings = SynthesisSettings(nfe_step=7)
    speakers = [*voices[1:], voices[0]]
    return [demo_engine.run(v.ref_text, by, settings).wave for v, by in zip(voices, speakers, strict=True)]


def shape(wave: np.ndarray) -> np.ndarray:
    """Log mel without its mean over time: the words, with less of the voice."""
    mel = mel_spectrogram(wave)
    return mel - mel.mean(0)


def test_the_recording_with_the_same_words_is_the_nearest(voices, waves):
    recordings = [shape(voice.audio) for voice in voices]
    for k, wave in enumerate(waves):
        distances = [align(shape(wave), mel).mcd_decibels for mel in recordings]
        speaker = (k + 1) % len(voices)  # its own recording is near for another reason
        others = min(d for i, d in enumerate(distances) if i not in (k, speaker))
        assert distances[k] < 0.92 * others, f"text {k} sounds like another: {distances}"


def test_it_is_as_loud_as_speech_and_has_a_voice_without_ring_or_clicks(waves):
    for wave in waves:
        assert np.isfinite(wave).all() and 0.02 < np.sqrt(np.mean(wave**2)) < 0.3
    assert artefacts.ring_decibels(waves) < 3
    assert sum(map(artefacts.clicks, waves)) == 0
    voiced = [np.isfinite(pitch(wave, 24_000).hz).mean() for wave in waves]
    assert np.mean(voiced) > 0.3, "hoarse: the references have about half of their frames voiced"


def test_each_voice_has_the_pitch_of_its_reference(voices, waves):
    for voice, wave in zip([*voices[1:], voices[0]], waves, strict=True):
        spoken, wanted = (np.nanmedian(pitch(w, 24_000).hz) for w in (wave, voice.audio))
        assert 0.75 < spoken / wanted < 1.33, f"{voice.name}: {spoken:.0f} Hz, its reference {wanted:.0f} Hz"


def test_it_is_small_enough_to_be_cloned():
    assert sum(path.stat().st_size for path in bundled_folder().rglob("*") if path.is_file()) <= 40e6


def test_what_is_said_of_it_was_measured_on_all_sentences():
    parts = json.loads((bundled_folder() / "evaluation.json").read_text(encoding="utf-8"))["parts"]
    assert parts["voice_7"]["readings"] == parts["unseen_7"]["readings"] == parts["teacher"]["readings"] == 38
    assert parts["voice_7"]["wer"] <= 0.03 and parts["unseen_7"]["wer"] <= 0.05 and parts["brief_7"]["wer"] <= 0.10
    assert max(parts[f"chunks_{size}"]["wer"] for size in (40, 100, 200, 300)) <= 0.05
    assert parts["voice_7"]["own"] >= 0.82 and parts["voice_7"]["own"] - parts["voice_7"]["others"] >= 0.15


def test_every_row_of_the_cards_table_is_what_was_measured():
    parts = json.loads((bundled_folder() / "evaluation.json").read_text(encoding="utf-8"))["parts"]
    card = (bundled_folder() / "README.md").read_text(encoding="utf-8")
    rows = [
        line.replace("*", "").split("|")[1:-1] for line in card.splitlines() if line.startswith("| ") and "`" in line
    ]
    told = {re.search(r"`(\w+)`", cells[0])[1]: [cell.strip() for cell in cells[1:]] for cells in rows}
    assert {"teacher", "copy", "voice_7", "voice_32", "unseen_7", "brief_7"} <= set(told)
    for part, cells in told.items():
        found = parts[part]
        assert cells == [
            str(found["readings"]),
            f"{100 * found['wer']:.1f} %",
            f"{found['overall']:.2f}",
            f"{found['own']:.2f} / {found['others']:.2f}",
            f"{100 * found['voiced']:.0f} %",
            f"{found['pitch_spread']:.1f}",
        ], f"the card's row of {part}"
