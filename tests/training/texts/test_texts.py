"""What is learnt from, and what is kept from it."""

from __future__ import annotations

import random

import pytest

from training.demo_voice.texts import held_out, sources, talk
from training.demo_voice.texts.characters import CHARACTERS


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
    assert sources.spell_number(n) == words


FILES = [held_out.EVALUATION_FILE, held_out.DEVELOPMENT_FILE, held_out.BRIEF_FILE]


@pytest.mark.parametrize("file", FILES)
def test_held_out_sentences_are_recognised_in_any_dress(file):
    for kind, sentence in held_out.held_out_sentences(file):
        assert kind in {"short", "plain", "question", "number", "name", "long", "one", "two", "three"}
        if len(held_out.words_of(sentence)) > 1:
            assert held_out.is_held_out(sentence.upper().replace(",", ";"))
    assert held_out.is_held_out("He said that the train to the coast leaves from here.")
    assert not held_out.is_held_out("The cat sat on the mat and looked at nobody in particular.")


def test_the_held_out_sets_share_no_sentence_and_every_character_of_them_is_in_the_vocabulary():
    spoken = [{sentence for _, sentence in held_out.held_out_sentences(file)} for file in FILES]
    assert sum(map(len, spoken)) == len(set().union(*spoken))
    assert {c for sentences in spoken for s in sentences for c in s} <= set(CHARACTERS)
    assert CHARACTERS[0] == " " and len(set(CHARACTERS)) == len(CHARACTERS)


def test_talk_is_whole_sentences_with_every_place_filled():
    drawn = talk.Talk.load(random.Random(1), ["Vienna", "Oliver"])
    found = {drawn.sentence() for _ in range(300)}
    assert len(found) > 250, "it does not repeat itself"
    for text in found:
        assert set(text) <= set(CHARACTERS) and text[-1] in ".!?" and not text[0].islower()
        assert not {"{", "}", "  "} & {*text, *(text[i : i + 2] for i in range(len(text)))}
    used = {place for options, _ in drawn.rules.values() for text in options for place in talk._PLACE.findall(text)}
    assert {p for p in used if ".." not in p} - {"name"} <= set(drawn.rules), "every rule is there"


def source():
    by_length = {3: ["the red house"], 8: ["a very long and winding road to town"]}
    return sources.TextSource(random.Random(0), by_length, ["apple", "stone"], ["quixotic"], ["Vienna"])


def test_utterances_end_in_a_mark_and_stay_in_the_vocabulary():
    drawn = source()
    for count in (1, 2, 3, 8, 8, 12):
        for _ in range(20):
            text = drawn.utterance(count)
            assert text[-1] in ".,!?:;" and set(text) <= set(CHARACTERS)
            assert len(text.split()) <= max(count + 1, 8 * count)
