"""Sentences that nobody is trained on, and what is too like them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

EVALUATION_FILE, DEVELOPMENT_FILE, BRIEF_FILE = "held_out.txt", "development.txt", "brief.txt"


def words_of(text: str) -> tuple[str, ...]:
    """The lower-cased words of a text, the form in which sentences are compared."""
    return tuple(re.findall(r"[a-z0-9']+", text.lower()))


@lru_cache(3)
def held_out_sentences(file: str = EVALUATION_FILE) -> tuple[tuple[str, str], ...]:
    """(kind, sentence) of a set that is never trained on, `file` beside this module."""
    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t", 1)) for line in lines if "\t" in line)  # type: ignore[misc]


@lru_cache(1)
def _held_out_runs() -> frozenset[tuple[str, ...]]:
    files = (EVALUATION_FILE, DEVELOPMENT_FILE, BRIEF_FILE)
    rows = [words_of(sentence) for file in files for _, sentence in held_out_sentences(file)]
    return frozenset(words[i : i + 5] for words in rows for i in range(max(1, len(words) - 4)) if len(words) > 1)


def is_held_out(text: str) -> bool:
    """True when `text` shares five words in a row with a held-out set, or is one of its sentences."""
    words, runs = words_of(text), _held_out_runs()
    return words in runs or any(words[i : i + 5] in runs for i in range(len(words) - 4))
