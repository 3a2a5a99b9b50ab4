"""What is learnt from, and what is kept from it."""

from __future__ import annotations

import random

import pytest

from workbench.demo_voice import texts


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


def test_held_out_sentences_are_recognised_in_any_dress():
    for kind, sentence in texts.held_out_sentences():
        assert kind in {"short", "plain", "question", "number", "name", "long"}
        words = texts.words_of(sentence)
        if len(words) > 1:
            assert texts.is_held_out(sentence.upper().replace(",", ";"))
    assert texts.is_held_out("He said that the train to the coast leaves from here.")
    assert not texts.is_held_out("The cat sat on the mat and looked at nobody in particular.")


def test_every_held_out_character_is_in_the_vocabulary():
    assert {c for _, s in texts.held_out_sentences() for c in s} <= set(texts.CHARACTERS)
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
