"""What is learnt from, and what is kept from it."""

from __future__ import annotations

import random

import pytest

from training.demo_voice import corpus, held_out, texts


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (86, "eighty-six"),
        (200, "two hundred"),
        (1984, "one thousand nine hundred eighty-four"),
        (90040, "ninety thousand forty"),
    ],
)
def test_numbers_in_words(n, words):
    assert texts.spell_number(n) == words


HELD_OUT = [held_out.EVALUATION, held_out.DEVELOPMENT]


@pytest.mark.parametrize("chosen", HELD_OUT, ids=lambda chosen: chosen.file)
def test_held_out_sentences_are_recognised_in_any_dress(chosen):
    for kind, sentence in texts.held_out_sentences(chosen.file):
        assert kind in {"short", "plain", "question", "number", "name", "long"}
        words = texts.words_of(sentence)
        if len(words) > 1:
            assert texts.is_held_out(sentence.upper().replace(",", ";"))
    assert texts.is_held_out("He said that the train to the coast leaves from here.")
    assert not texts.is_held_out("The cat sat on the mat and looked at nobody in particular.")


def test_the_two_held_out_sets_share_neither_voices_nor_sentences_and_the_corpus_has_none_of_their_voices():
    kept = [{speaker.variant for speaker in chosen.speakers} for chosen in HELD_OUT]
    spoken = [{sentence for _, sentence in texts.held_out_sentences(chosen.file)} for chosen in HELD_OUT]
    assert not kept[0] & kept[1] and not spoken[0] & spoken[1]
    assert not (kept[0] | kept[1]) & {*corpus.TRAIN_VARIANTS, *corpus.MORE_VARIANTS}


def test_every_held_out_character_is_in_the_vocabulary():
    for chosen in HELD_OUT:
        assert {c for _, s in texts.held_out_sentences(chosen.file) for c in s} <= set(texts.CHARACTERS)
    assert texts.CHARACTERS[0] == " " and len(set(texts.CHARACTERS)) == len(texts.CHARACTERS)


def source():
    by_length = {3: ["the red house"], 8: ["a very long and winding road to town"]}
    return texts.TextSource(random.Random(0), by_length, ["apple", "stone"], ["quixotic"], ["Vienna"])


def test_utterances_end_in_a_mark_and_stay_in_the_vocabulary():
    drawn = source()
    for count in (1, 2, 3, 8, 8, 12):
        for _ in range(20):
            text = drawn.utterance(count)
            assert text[-1] in ".,!?:;" and set(text) <= set(texts.CHARACTERS)
            assert len(text.split()) <= max(count + 1, 8 * count)
