"""From text to the teacher's phonemes: espeak-ng's, in the teacher's alphabet as its own front end maps them.

The map is that of `misaki` (hexgrad, Apache-2.0), the front end that the teacher was trained with.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from training.demo_voice.errors import TeacherError
from training.demo_voice.teacher.alphabet import alphabet

Phonemizer = Callable[[Sequence[str], bool], list[str]]
"""Texts and whether British is wanted, to phonemes as espeak-ng writes them, `^` between the signs of one sound."""

_SIGNS = {
    "ʔˌn̩": "ʔn", "ʔn̩": "ʔn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "e": "A", "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
    "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ɬ": "l", "̃": "",
}  # fmt: skip
_LONGEST_FIRST = sorted(_SIGNS.items(), key=lambda pair: -len(pair[0]))
_BRITISH = {"e^ə": "ɛː", "iə": "ɪə", "ə^ʊ": "Q"}
_AMERICAN = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""}
_BOTH = {"o": "ɔ", "ɾ": "T", "ʔ": "t", "^": "", "ɹɹ": "ɹ"}
_MERGED = re.compile(
    r"(?<![^\s,.])(ɪn|ɔn|ɒn|ʌv|ɒv|əv|fɹʌm|fɹɒm|fəɹ|fə|ðæt|ðat|wɪð|tə|bI|æt|at|tʊ|ænd|and)(ðə|ðɪ)(?![^\s,.])"
)


def in_teachers_alphabet(phonemes: str, british: bool) -> str:
    """espeak-ng's phonemes in the teacher's signs. espeak-ng writes `in the` as one word, the teacher learnt two."""
    for old, new in _LONGEST_FIRST:
        phonemes = phonemes.replace(old, new)
    phonemes = re.sub(r"(\S)̩", r"ᵊ\1", phonemes).replace("̩", "")  # syllabic consonants
    for old, new in ((_BRITISH if british else _AMERICAN) | _BOTH).items():
        phonemes = phonemes.replace(old, new)
    phonemes = _MERGED.sub(r"\1 \2", phonemes)
    return re.sub(r"\btəbi\b", "tə bi", re.sub(r"\bəvə\b", "əv ə", phonemes))


def tokens(texts: Sequence[str], british: bool, phonemize: Phonemizer | None = None) -> list[list[int]]:
    """The teacher's tokens of each text, without the zeros that stand around an utterance."""
    table, say = alphabet(), phonemize or espeak
    return [
        [table[sign] for sign in in_teachers_alphabet(phonemes.strip(), british) if sign in table]
        for phonemes in say(texts, british)
    ]


@lru_cache(2)
def _backend(british: bool) -> object:
    try:
        import espeakng_loader
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ImportError as error:
        raise TeacherError(
            f"{error.name} is not installed.", remedy="pip install -r training/demo_voice/requirements.txt"
        ) from error
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    quiet = logging.getLogger(f"{__name__}.espeak")  # it warns wherever espeak-ng writes two words as one
    quiet.setLevel(logging.ERROR)
    options = {"preserve_punctuation": True, "with_stress": True, "tie": "^", "language_switch": "remove-flags"}
    return EspeakBackend("en-gb" if british else "en-us", logger=quiet, **options)


def espeak(texts: Sequence[str], british: bool) -> list[str]:
    """Phonemes by espeak-ng. Raises TeacherError when `phonemizer` is not installed."""
    return _backend(british).phonemize(list(texts))  # type: ignore[attr-defined]
