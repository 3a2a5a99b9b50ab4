"""Texts for training, and texts that are kept out of it."""

from __future__ import annotations

import random

import pytest

from training.demo_voice import phonemes, sets, talk, texts
from training.demo_voice.teacher import alphabet


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


FILES = [texts.EVALUATION_FILE, texts.DEVELOPMENT_FILE, texts.BRIEF_FILE]


@pytest.mark.parametrize("file", FILES)
def test_held_out_sentences_are_recognised_in_any_dress(file):
    for kind, sentence in texts.held_out_sentences(file):
        assert kind in {"short", "plain", "question", "number", "name", "long", "one", "two", "three"}
        if len(texts.words_of(sentence)) > 1:
            assert texts.is_held_out(sentence.upper().replace(",", ";"))
    assert texts.is_held_out("He said that the train to the coast leaves from here.")
    assert not texts.is_held_out("The cat sat on the mat and looked at nobody in particular.")


def test_the_held_out_sets_share_no_sentence_and_every_character_of_them_is_in_the_vocabulary():
    spoken = [{sentence for _, sentence in texts.held_out_sentences(file)} for file in FILES]
    assert sum(map(len, spoken)) == len(set().union(*spoken))
    assert {c for sentences in spoken for s in sentences for c in s} <= set(texts.CHARACTERS)
    assert texts.CHARACTERS[0] == " " and len(set(texts.CHARACTERS)) == len(texts.CHARACTERS)


def test_cases_are_in_every_voice_and_an_evaluation_of_a_third_is_a_third():
    found = sets.cases()
    assert len({case.key for case in found}) == len(found)
    assert {case.voice for case in found} == {*sets.REFERENCES, *sets.UNSEEN}
    passages = [case for case in found if case.part == "chunks_40"]
    assert passages and all(len(case.text) > 300 for case in passages)
    assert len(sets.cases(every=3)) < 0.45 * len(found)
    assert not {c.voice for c in sets.cases(unseen=False)} & set(sets.UNSEEN)


@pytest.mark.parametrize(
    ("written", "british", "wanted"),
    [
        ("ðə tɹˈe^ɪn tə ðə kˈo^ʊst", False, "ðə tɹˈAn tə ðə kˈOst"),
        ("ɪnðə hˈa^ʊs", False, "ɪn ðə hˈWs"),
        ("ɡˈə^ʊ həʊm", True, "ɡˈQ həʊm"),
        ("bˈɜːd", False, "bˈɜɹd"),
        ("bˈɜːd", True, "bˈɜːd"),
        ("d^ʒˈʌmp t^ʃˈɛɹi", False, "ʤˈʌmp ʧˈɛɹi"),
    ],
)
def test_phonemes_are_written_as_the_teacher_learnt_them(written, british, wanted):
    assert phonemes.in_teachers_alphabet(written, british) == wanted


def test_texts_of_both_kinds_of_english_become_tokens():
    table = alphabet()
    found = phonemes.tokens(["ðə kˈæt", "d^ʒˈʌmp"], False, lambda texts, british: list(texts))
    assert found == [[table[c] for c in "ðə kˈæt"], [table[c] for c in "ʤˈʌmp"]]


def test_talk_is_whole_sentences_with_every_place_filled():
    drawn = talk.Talk.load(random.Random(1), ["Vienna", "Oliver"])
    found = {drawn.sentence() for _ in range(300)}
    assert len(found) > 250, "it does not repeat itself"
    for text in found:
        assert set(text) <= set(texts.CHARACTERS) and text[-1] in ".!?" and not text[0].islower()
        assert not {"{", "}", "  "} & {*text, *(text[i : i + 2] for i in range(len(text)))}
    used = {place for options, _ in drawn.rules.values() for text in options for place in talk._PLACE.findall(text)}
    assert {p for p in used if ".." not in p} - {"name"} <= set(drawn.rules), "every rule is there"


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
