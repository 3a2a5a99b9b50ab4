"""Chunks: nothing is lost, the budget holds, and upstream's borders are kept wherever upstream is not at fault."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.model import upstream
from workbench.engine.errors import SettingsError, TextError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import byte_budget, check_text, chunk_text, n_bytes, plan_chunks

REF = "Some call me nature, others call me mother nature."
SAMPLES = 5 * 24_000
words = st.lists(st.text("abcdefghijk", min_size=1, max_size=12), min_size=1, max_size=8).map(" ".join)
sentences = st.lists(st.tuples(words, st.sampled_from([". ", ", ", "! ", "? ", "; ", "。", "，", ": "])), min_size=1)
prose = sentences.map(lambda found: "".join(w + end for w, end in found))
anything = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=400)


@pytest.fixture(scope="module")
def theirs():
    return upstream.function("chunk_text")


@given(text=prose, budget=st.integers(120, 400))
@settings(max_examples=150, deadline=None)
def test_borders_are_upstreams_where_every_sentence_fits(theirs, text, budget):
    assert chunk_text(text, budget) == [c for c in theirs(text, max_chars=budget) if c]


@given(text=anything, budget=st.integers(10, 200))
@settings(max_examples=200, deadline=None)
def test_nothing_is_dropped_and_the_budget_holds(text, budget):
    chunks = chunk_text(text, budget)
    assert re.sub(r"\s", "", "".join(chunks)) == re.sub(r"\s", "", text)
    assert all(0 < n_bytes(c) <= budget for c in chunks)


def test_upstream_keeps_an_over_long_sentence_whole_and_we_part_it_between_words(theirs):
    sentence = "we walked along the shore and talked about nothing in particular " * 6
    assert len(theirs(sentence, max_chars=100)) == 1
    chunks = chunk_text(sentence, 100)
    assert len(chunks) == 4
    assert " ".join(chunks).split() == sentence.split()
    assert min(map(n_bytes, chunks)) > 60, "pieces are of similar length, no stub is left over"


def test_a_clause_mark_is_preferred_to_a_space():
    sentence = "the old man (who had never seen the sea) walked on without a word to anyone at all"
    assert chunk_text(sentence, 60)[0].endswith("sea)")


def test_chinese_is_parted_between_characters_and_counted_in_bytes():
    chunks = chunk_text("你好吗" * 40, 60)
    assert all(n_bytes(c) <= 60 for c in chunks)
    assert "".join(chunks) == "你好吗" * 40


def test_an_accent_stays_with_its_letter():
    chunks = chunk_text("e\u0301" * 40, 31)
    assert all(not chunk.startswith("\u0301") for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \n\t", "empty"),
        ("?!...", "nothing to pronounce"),
        ("— “ ”", "nothing to pronounce"),
        ("a" * 300_000, "300,000 bytes"),
        ("word " * 1000, "5,000 bytes without"),
        ("a\x00b", "NUL"),
    ],
)
def test_text_that_cannot_be_spoken_is_refused_with_its_reason(text, reason):
    with pytest.raises(TextError, match=re.escape(reason) if "5,000" not in reason else r"[45],\d{3} bytes without"):
        check_text(text)


def test_unknown_characters_are_named():
    with pytest.raises(TextError, match=r"'7' \(U\+0037\).*'é'"):
        check_text("7 cafés", lambda text: ["7", "é"])


def test_the_budget_is_upstreams_formula():
    seconds, chosen = 5.0, SynthesisSettings(speed=1.2)
    expected = int(n_bytes(REF + " ") / seconds * (22 - seconds) * 1.2)
    assert byte_budget(REF, seconds, chosen) == expected


def test_a_long_reference_does_not_make_every_clause_its_own_chunk():
    assert byte_budget(REF, 23.0, SynthesisSettings()) == 10


def test_planned_length_follows_the_reference_pace():
    (chunk,) = plan_chunks("Something of about the same length as the reference.", REF, SAMPLES, SynthesisSettings())
    hops = SAMPLES // 256
    assert chunk.duration_frames == hops + int(hops / n_bytes(REF + " ") * chunk.n_bytes)
    assert chunk.new_frames == chunk.duration_frames - (hops + 1)
    assert chunk.planned_seconds == pytest.approx((chunk.new_frames - 1) * 256 / 24000)


def test_a_very_short_text_is_spoken_slowly_and_says_so():
    (short,) = plan_chunks("Yes.", REF, SAMPLES, SynthesisSettings())
    hops = SAMPLES // 256
    assert short.duration_frames == hops + int(hops / n_bytes(REF + " ") * 4 / 0.3)
    assert "under 10 bytes" in short.warnings[0]


def test_seeds_count_up_from_the_first():
    chunks = plan_chunks("One two three. " * 20, REF, SAMPLES, SynthesisSettings(seed=7, max_chunk_bytes=40))
    assert [c.seed for c in chunks] == list(range(7, 7 + len(chunks)))


def test_fix_duration_is_the_length_of_the_whole():
    chosen = SynthesisSettings(fix_duration=25.0, max_chunk_bytes=60)
    chunks = plan_chunks("A sentence of some forty bytes is here. " * 4, REF, SAMPLES, chosen)
    spoken = sum(c.planned_seconds for c in chunks) - chosen.cross_fade_duration * (len(chunks) - 1)
    assert spoken == pytest.approx(25.0 - SAMPLES / 24000, abs=0.1)


def test_fix_duration_shorter_than_the_reference_is_refused():
    with pytest.raises(SettingsError, match="fix_duration"):
        plan_chunks("Hello there, friend.", REF, SAMPLES, SynthesisSettings(fix_duration=4.0))


def test_no_chunk_outgrows_the_models_window():
    chosen = SynthesisSettings(max_chunk_bytes=2000, speed=0.3)
    chunks = plan_chunks(
        "This is a sentence that takes its time, it does. " * 60, REF, SAMPLES, chosen, window_frames=4096
    )
    assert len(chunks) > 2
    assert max(c.duration_frames for c in chunks) <= 4096


def test_longer_than_the_training_data_is_flagged():
    chosen = SynthesisSettings(max_chunk_bytes=600)
    chunks = plan_chunks("This is a sentence that takes its time, it does. " * 10, REF, SAMPLES, chosen)
    assert any("longer than the 30 s" in w for w in chunks[0].warnings)


def test_planning_a_book_chapter_is_quick():
    began = time.perf_counter()
    plan_chunks("word " * 800 + ". " + "A sentence. " * 10_000, REF, SAMPLES, SynthesisSettings(max_chunk_bytes=40))
    assert time.perf_counter() - began < 10, "linear in the text; a second or so on an idle machine"
