"""Phonemes as espeak-ng writes them become the teacher's tokens."""

from __future__ import annotations

import pytest

from training.demo_voice.teacher import phonemes
from training.demo_voice.teacher.alphabet import alphabet


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
