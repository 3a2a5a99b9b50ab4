"""Rows are full to the frame, in one voice, with something to say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from training.demo_voice.corpus import rows
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.errors import CorpusError


@pytest.mark.parametrize(
    "kind",
    [
        {"tiny": 1.0},
        {"brief": 1.0, "tiny": 0.0},
        {"brief": 0.0, "tiny": 0.0},
        {"span": 1.0},
        {"free": 1.0},
        {"drop": 1.0},
    ],
)
def test_rows_of_every_kind_are_whole(planned, kind):
    found, rng = Corpus.load(planned), random.Random(5)
    composer = rows.Composer(found, rows.RowPlan(**{"free": 0.0, "span": 0.0, "drop": 0.0} | kind))
    for n in (224, 320):
        for _ in range(8):
            row = composer.row(n, rng)
            assert row.index.shape == (n,) and row.index.min() >= 0 and row.index.max() < len(found.mel)
            assert 0 <= row.begin < row.end <= n and row.drop == ("drop" in kind)
            assert (found.phone[row.index][row.begin : row.end] != 0).any(), "there is something to say"
            spoken = found.speaker[np.searchsorted(found.first, row.index, side="right") - 1]
            assert len(set(spoken.tolist())) == 1, "one speaker a row"
            if kind.keys() & {"free", "drop"}:
                assert (row.begin, row.end) == (0, n)
            elif "span" not in kind:
                assert row.begin > 50, "a reference comes first"


def test_rows_that_cannot_be_filled_are_an_error_that_says_so(planned):
    composer = rows.Composer(Corpus.load(planned), rows.RowPlan(free=1.0))
    with pytest.raises(CorpusError, match="12 frames"):
        composer.row(12, random.Random(1))


def test_a_batch_fits_together(planned):
    composer = rows.Composer(Corpus.load(planned))
    drawn = rows.batch(composer, 5, 256, random.Random(2))
    assert drawn["index"].shape == (5, 256) and ((drawn["ids"] >= 0).sum(1) == drawn["n_chars"]).all()
