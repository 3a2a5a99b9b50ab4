"""Differences of words, chunks and pitch between runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.runs import comparison
from workbench.engine.runs.measured.files import Measured
from workbench.engine.signal.pitch import Pitch

_WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12).map(" ".join)


@given(_WORDS, _WORDS)
def test_both_texts_can_be_put_together_from_the_edits(a: str, b: str) -> None:
    found = comparison.edits(a, b)
    assert " ".join(e.a for e in found if e.a) == a and " ".join(e.b for e in found if e.b) == b
    assert all(not e.is_same for e in found) or a.split() != [] != b.split()


def test_a_text_of_too_many_words_is_not_compared() -> None:
    assert comparison.edits("word " * (comparison.WORDS_MAX + 1), "word") == []


def _document(texts: list[str], seed: int) -> Any:
    plans = [{"text": text, "seed": seed + k} for k, text in enumerate(texts)]
    return {"plans": plans, "chunks": [{"audio_seconds": 1.234} for _ in texts]}


def test_chunks_that_differ_in_words_seed_or_number_are_listed() -> None:
    a, b = _document(["One.", "Two."], 0), _document(["One.", "Too.", "Three."], 0)
    rows = comparison.differing_chunks({"A": a, "B": b}, {"A": None, "B": None})
    assert [row["chunk"] for row in rows] == [2, 3]
    assert (rows[0]["text A"], rows[0]["text B"], rows[0]["seed A"]) == ("Two.", "Too.", 1)
    assert rows[1]["text A"] is None and rows[1]["seed B"] == 2 and rows[1]["audio B (s)"] == 1.23
    assert comparison.differing_chunks({"A": a, "B": a}, {"A": None, "B": None}) == []


def test_what_was_heard_counts_where_all_were_listened_to() -> None:
    a = _document(["One.", "Two."], 0)
    heard = [Measured({}, (), heard=words) for words in (("one", "two"), ("one", "too"))]
    rows = comparison.differing_chunks({"A": a, "B": a}, dict(zip("AB", heard, strict=True)))
    assert [(row["chunk"], row["heard A"], row["heard B"]) for row in rows] == [(2, "two", "too")]
    assert comparison.differing_chunks({"A": a, "B": a}, {"A": heard[0], "B": None}) == []


def _pitch(hz: list[float]) -> Pitch:
    values = np.array(hz)
    return Pitch(np.arange(len(hz)) / 93.75, values, np.zeros(len(hz)))


def test_the_pitch_of_b_is_drawn_on_the_frames_of_a() -> None:
    rng = np.random.default_rng(0)
    a = np.repeat(rng.normal(size=(8, 100)), 4, axis=0).astype(np.float32)
    b = np.repeat(a, 2, axis=0)
    hz = np.repeat(np.arange(8) * 20.0 + 100, 4)
    found = comparison.compare_mels(a, b, (_pitch([*hz, hz[-1]]), _pitch([*np.repeat(hz, 2), hz[-1]])))
    assert found.warped and found.pitches is not None
    np.testing.assert_array_equal(found.pitches[1].hz[: len(hz)], hz)
    same = comparison.compare_mels(a, a, (_pitch(list(hz)), _pitch(list(hz[:-2]))))
    assert same.pitches is not None and np.isnan(same.pitches[1].hz[-2:]).all()
    np.testing.assert_array_equal(same.pitches[1].hz[:-2], hz[:-2])
    assert comparison.compare_mels(a, b).pitches is None
