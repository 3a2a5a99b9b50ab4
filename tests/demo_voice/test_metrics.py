"""The measures, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.demo_voice import evaluate, held_out, metrics, recogniser
from workbench.engine.catalog import bundled_folder
from workbench.engine.signal.alignment import align


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ([], [], 0),
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3], [1, 3], 1),
        ([1], [2], 1),
        ([], [4, 5], 2),
        ([1, 2, 3, 4], [2, 3, 4, 5], 2),
    ],
)
def test_edit_distance(a, b, distance):
    assert metrics.edit_distance(a, b) == distance
    assert metrics.edit_distance(b, a) == distance


def test_collapse_merges_repeats_and_leaves_silence_out():
    assert metrics.collapse([0, 0, 5, 5, 0, 5, 7, 7, 0], silence=0) == [5, 5, 7]


def test_alignment_pairs_every_phone_once():
    heard, truth = [1, 2, 9, 4], [1, 2, 3, 4, 5]
    pairs = metrics.align(heard, truth)
    assert [h for h, _ in pairs if h is not None] == list(range(len(heard)))
    assert [t for _, t in pairs if t is not None] == list(range(len(truth)))
    assert (2, 2) in pairs and (None, 4) in pairs


WORDS = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [2, 5, 1]]


def spoken(*words):
    return [p for w in words for p in WORDS[w]]


def test_a_faithful_reading_skips_and_repeats_nothing():
    assert metrics.count_words(spoken(0, 1, 2, 3), WORDS) == metrics.WordCount(4, 0, 0)


@pytest.mark.parametrize("chosen", [held_out.EVALUATION, held_out.DEVELOPMENT], ids=["evaluation", "development"])
def test_espeaks_own_reading_skips_and_repeats_nothing(espeak, chosen):
    """Word events fall into phones: the `A` of "A cold wind" must not be wanted twice."""
    for case in held_out.held_out_cases(espeak, recogniser.load_exported(bundled_folder())[1], 12, chosen):
        words = evaluate.word_phones(case.truth)
        heard = metrics.collapse(case.truth.phones.tolist(), 0)
        assert [p for word in words for p in word] == heard
        assert len(words) == len(case.truth.words) and all(words)
        assert metrics.count_words(heard, words) == metrics.WordCount(len(words), 0, 0)


def test_one_wrong_phone_is_neither_skipped_nor_repeated():
    heard = spoken(0, 1, 2, 3)
    heard[6] = 30
    assert metrics.count_words(heard, WORDS) == metrics.WordCount(4, 0, 0)


@pytest.mark.parametrize("missing", range(4))
def test_a_skipped_word_is_found(missing):
    heard = spoken(*[w for w in range(4) if w != missing])
    assert metrics.count_words(heard, WORDS) == metrics.WordCount(4, 1, 0)


@pytest.mark.parametrize("again", range(4))
def test_a_repeated_word_is_found(again):
    heard = spoken(*[w for k in range(4) for w in ([k, k] if k == again else [k])])
    assert metrics.count_words(heard, WORDS) == metrics.WordCount(4, 0, 1)


def test_distortion_is_zero_for_itself_and_grows_with_noise(rng=np.random.default_rng(0)):
    mel = np.cumsum(rng.normal(size=(80, 100)), axis=0).astype(np.float32) * 0.1 - 4
    near = mel + rng.normal(size=mel.shape) * 0.1
    far = mel + rng.normal(size=mel.shape) * 0.5
    assert align(mel, mel).mcd_decibels == pytest.approx(0, abs=1e-6)
    assert 0 < align(mel, near).mcd_decibels < align(mel, far).mcd_decibels


def test_pitch_correlation_follows_the_tune():
    path = np.stack([np.arange(60)] * 2, axis=1)
    tune = 120 * np.exp(0.2 * np.sin(np.arange(60) / 7))
    assert metrics.pitch_correlation(tune, tune * 1.5, path) == pytest.approx(1)
    assert metrics.pitch_correlation(tune, 14400 / tune, path) == pytest.approx(-1)
    assert np.isnan(metrics.pitch_correlation(tune, np.full(60, np.nan), path))


def test_voice_print_forgets_loudness():
    mel = np.random.default_rng(1).normal(size=(50, 100))
    assert metrics.voice_print(mel + 2.0) == pytest.approx(metrics.voice_print(mel))
