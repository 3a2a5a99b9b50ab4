"""Made-up voices: each from its seed, each another, and espeak-ng's own still there."""

from __future__ import annotations

import random

import numpy as np
import pytest

from training.demo_voice import corpus, variants
from training.demo_voice.espeak import Espeak, EspeakError, Speaker

TEXT = "We walked along the river."


def spectrum(espeak, variant):
    espeak.use(Speaker(variant))
    return corpus.record(espeak, TEXT, {}).mel.mean(0)


def test_a_variant_comes_from_its_seed_alone():
    made = [variants.random_variant(random.Random(k), "x") for k in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert sum(line.startswith("formant ") for line in made[0].splitlines()) == 9


def test_every_made_up_voice_is_another_and_speaks(espeak):
    rng = random.Random(3)
    heard = [spectrum(espeak, espeak.new_variant(rng)) for _ in range(4)]
    plain = spectrum(espeak, "")
    for i, mine in enumerate(heard):
        assert np.isfinite(mine).all() and np.abs(mine - plain).mean() > 0.2
        assert all(np.abs(mine - other).mean() > 0.2 for other in heard[:i])


def test_the_installed_voices_are_still_there(espeak):
    before = spectrum(espeak, "m4")
    espeak.new_variant(random.Random(1))
    assert np.abs(spectrum(espeak, "m4") - before).mean() < 0.05  # its flutter is never the same
    with pytest.raises(EspeakError, match="has no voice"):
        espeak.use(Speaker("nobody-of-that-name"))


def test_without_asking_for_it_nothing_is_made_up():
    espeak = Espeak.__new__(Espeak)
    espeak._variants = None
    with pytest.raises(EspeakError, match="invents"):
        espeak.new_variant(random.Random(1))
