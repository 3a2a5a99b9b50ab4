"""What a recogniser hears of what was to be said: words and characters wrong, missing, too much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workbench.engine.measures.registry import SECONDS, SOUND, measure
from workbench.engine.measures.subjects import Sound

NEEDS = ("faster_whisper", "jiwer", "whisper_normalizer")
SAME, WRONG, MISSING, EXTRA, REPEATED = "same", "wrong", "missing", "extra", "repeated"
_UNSPACED = ("zh", "ja", "th", "lo", "my", "km", "yue")  # written without spaces: a word is a character


@dataclass(frozen=True)
class Step:
    """One step from what was to be said to what was heard.

    Attributes:
        kind: "same", "wrong", "missing" (not heard), "extra" (heard beside it) or "repeated" (heard once too often).
        wanted, heard: the words, as they are compared: lower case, numbers as digits, without marks.
    """

    kind: str
    wanted: str
    heard: str


@lru_cache(4)
def _normaliser(kind: str) -> Any:
    if kind == "english":
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer(split_letters=kind == "letters")


def comparable(text: str, language: str) -> str:
    """``text`` as it is compared, by Whisper's own normalisers; hyphens part words in both, or in none."""
    kind = "english" if language == "en" else "letters" if language in _UNSPACED else "basic"
    words = _normaliser(kind)(text).replace("-", " ").split()
    return " ".join(word for word in words if any(c.isalnum() for c in word))


def compare(wanted: str, heard: str) -> list[Step]:
    """The steps from ``wanted`` to ``heard``, both as from ``comparable``, by the fewest changes of words."""
    import jiwer

    a, b = wanted.split(), heard.split()
    if not a or not b:
        found = [Step(MISSING, wanted, "")] if a else [Step(EXTRA, "", heard)] if b else []
        return found
    steps = []
    for part in jiwer.process_words(wanted, heard).alignments[0]:
        old = a[part.ref_start_idx : part.ref_end_idx]
        new = b[part.hyp_start_idx : part.hyp_end_idx]
        kind = {"equal": SAME, "substitute": WRONG, "delete": MISSING, "insert": EXTRA}[part.type]
        if kind == EXTRA and _said_before_or_after(new, b, part.hyp_start_idx, part.hyp_end_idx):
            kind = REPEATED
        steps.append(Step(kind, " ".join(old), " ".join(new)))
    return steps


def _said_before_or_after(new: list[str], words: list[str], first: int, end: int) -> bool:
    size = len(new)
    return words[max(0, first - size) : first] == new or words[end : end + size] == new


def steps_of(sound: Sound) -> list[Step]:
    """The steps from the text of ``sound`` to what a recogniser hears. Raises RecogniserError if there is none."""
    language = sound.heard.language
    return compare(comparable(sound.text, language), comparable(sound.heard.text, language))


def n_words(sound: Sound) -> float:
    """Words that were to be said: what a chunk weighs in the rate of a run."""
    return float(len(comparable(sound.text, sound.heard.language).split()))


def n_characters(sound: Sound) -> float:
    """Characters that were to be said, spaces among them."""
    return float(len(comparable(sound.text, sound.heard.language)))


@measure(
    "wer_percent", "%", "Word error rate: words wrong, missing or too much, of those that were to be said.",
    of=(SOUND,), label="WER", better="lower", digits=1, needs=NEEDS, cost=SECONDS, weight=n_words,
    misleads="where the recogniser errs: names, homophones and rare words count as errors; it also guesses words right "
    "that nobody understands. Compare only numbers of one recogniser.",
)  # fmt: skip
def word_error_rate(sound: Sound) -> float | None:
    """Per cent; above 100 if more is heard than was to be said. None without words."""
    import jiwer

    wanted = comparable(sound.text, sound.heard.language)
    return 100 * float(jiwer.wer(wanted, comparable(sound.heard.text, sound.heard.language))) if wanted else None


@measure(
    "cer_percent", "%", "Character error rate: the same for characters; for scripts without spaces the one to take.",
    of=(SOUND,), label="CER", better="lower", digits=1, needs=NEEDS, cost=SECONDS, weight=n_characters,
    misleads="where the recogniser spells otherwise: British and American, traditional and simplified characters.",
)  # fmt: skip
def character_error_rate(sound: Sound) -> float | None:
    """Per cent. None without words."""
    import jiwer

    wanted = comparable(sound.text, sound.heard.language)
    return 100 * float(jiwer.cer(wanted, comparable(sound.heard.text, sound.heard.language))) if wanted else None
