"""Chunks lose no text and keep the budget, and equal upstream's except for the deliberate differences."""

from __future__ import annotations

import re
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.model import upstream
from workbench.engine.errors import SettingsError, TextError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import byte_budget, check_text, chunk_text, n_bytes, plan_chunks, text_of
from workbench.engine.text.preparing import prepare

REF = "Some call me nature, others call me mother nature."
SAMPLES = 5 * 24_000
words = st.lists(st.text("abcdefghijk", min_size=4, max_size=12), min_size=1, max_size=8).map(" ".join)
sentences = st.lists(st.tuples(words, st.sampled_from([". ", ", ", "! ", "? ", "; ", "。", "，", ": "])), min_size=1)
prose = sentences.map(lambda found: "".join(w + end for w, end in found))


@pytest.fixture(scope="module")
def theirs():
    return upstream.function("chunk_text")


@given(text=prose, budget=st.integers(120, 400))
@settings(max_examples=150, deadline=None)
def test_borders_are_upstreams_where_every_sentence_fits(theirs, text, budget):
    assert chunk_text(text, budget) == [c for c in theirs(text, max_chars=budget) if c]


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
        ("a" * (2**24 + 1), "16,777,217 bytes"),
        ("word " * 1000, "5,000 bytes without"),
        ("a\x00b", "NUL"),
    ],
)
def test_text_that_cannot_be_spoken_is_refused_with_its_reason(text, reason):
    with pytest.raises(TextError, match=re.escape(reason) if "5,000" not in reason else r"[45],\d{3} bytes without"):
        check_text(text)


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


def test_a_book_of_sixty_thousand_words_is_planned_within_a_second():
    chapter = (
        "It was the best of times, it was the worst of times; he said so (often), and “she” agreed with him. "
        "Mr. Lorry had 12 letters from St. Antoine, and nobody spoke of it.\n\n"
    )
    book = chapter * (60_000 // len(chapter.split()) + 1)
    began = time.process_time()
    prepared = prepare(book, set(string.printable) | set("“”"), ["en"]).check()
    chunks = plan_chunks(prepared, REF, SAMPLES, SynthesisSettings())
    assert time.process_time() - began < 1.0, "0.4 s of processor time on a machine of 2026"
    assert len(chunks) > 1000


def test_two_thousand_characters_are_planned_while_typing():
    text = ("He paid $1,234.56 at 7:45; “she” said no, Dr. Smith — and left. " * 40)[:2000]
    prepare(text, set(string.printable), ["en"])
    began = time.process_time()
    plan_chunks(prepare(text, set(string.printable), ["en"]), REF, SAMPLES, SynthesisSettings())
    assert time.process_time() - began < 0.1, "10 ms"


def test_over_the_budget_is_a_warning_where_there_is_no_place_to_cut():
    text = "See https://example.org/a/very/long/address/that/nobody/reads now."
    chunks = plan_chunks(text, REF, SAMPLES, SynthesisSettings(max_chunk_bytes=20))
    assert [c.n_bytes > 20 for c in chunks] == [any("over the budget of 20" in w for w in c.warnings) for c in chunks]
    assert any(c.n_bytes > 20 for c in chunks)


def test_what_fits_into_no_window_is_refused():
    with pytest.raises(TextError, match="and cannot be cut"):
        plan_chunks("https://example.org/" + "a" * 3000, REF, SAMPLES, SynthesisSettings())


def test_chunks_know_their_place_in_the_typed_text():
    text = "  One\u200b boat, and nobody was left in it at all.\r\n\r\nTwo   ﬁne boats, 22 in all. [pause 1s] The end."
    chunks = plan_chunks(prepare(text, set(string.printable), ["en"]), REF, SAMPLES, SynthesisSettings())
    assert [text[c.start : c.end] for c in chunks] == [
        "One\u200b boat, and nobody was left in it at all.",
        "Two   ﬁne boats, 22 in all.",
        "The end.",
    ]


def test_planned_length_follows_the_spoken_form():
    (chunk,) = plan_chunks(prepare("Your code is 7314.", None, ["en"]), REF, SAMPLES, SynthesisSettings())
    (words,) = plan_chunks("Your code is seven three one four.", REF, SAMPLES, SynthesisSettings())
    assert (chunk.text, chunk.written) == (words.text, "Your code is 7314.")
    assert chunk.duration_frames == words.duration_frames


def test_fix_duration_holds_with_pauses():
    chosen = SynthesisSettings(fix_duration=25.0, max_chunk_bytes=60)
    text = "A sentence of some forty bytes is here. [pause 2s] A sentence of some forty bytes is here. " * 2
    chunks = plan_chunks(text, REF, SAMPLES, chosen)
    joints = sum(not c.pause_seconds for c in chunks[:-1])
    whole = sum(c.planned_seconds + c.pause_seconds for c in chunks) - chosen.cross_fade_duration * joints
    assert whole == pytest.approx(25.0 - SAMPLES / 24000, abs=0.15), "a frame or two a chunk"


def test_a_text_of_chunks_plans_into_the_same_chunks():
    text = "[pause 0.5s] One boat is here. [pause 1.5s] Two boats, 22 in all. [pause 2s]"
    chunks = plan_chunks(prepare(text, None, ["en"]), REF, SAMPLES, SynthesisSettings())
    again = plan_chunks(prepare(text_of(chunks), None, ["en"]), REF, SAMPLES, SynthesisSettings())
    pauses = [(c.text, c.lead_seconds, c.pause_seconds) for c in chunks]
    assert pauses == [(c.text, c.lead_seconds, c.pause_seconds) for c in again]
    assert [p[1:] for p in pauses] == [(0.5, 1.5), (0.0, 2.0)]
