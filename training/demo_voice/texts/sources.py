"""What the demo voice learns to read: sentences and words with a licence that can be named.

Sources (Debian packages): WordNet 3.0 definitions and example sentences (`wordnet-base`, WordNet licence), clauses of
the King James Bible (`bible-kjv`, public domain), SCOWL word and name lists (`scowl`, SCOWL licence), and sentences
put together here from SCOWL words, names and numbers. The held-out sentences are kept out by `is_held_out`.
"""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from training.demo_voice.errors import CorpusError
from training.demo_voice.texts.held_out import is_held_out

_WORDNET, _SCOWL = Path("/usr/share/wordnet"), Path("/usr/share/dict/scowl")
_PLAIN = re.compile(r"[A-Za-z0-9 .,'!?:;-]+")
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
_ONES += "seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def spell_number(n: int) -> str:
    """`n` (0..999999) in words: 1984 -> "one thousand nine hundred eighty-four"."""
    if n < 20:
        return _ONES.split()[n]
    if n < 100:
        return _TENS.split()[n // 10 - 2] + (f"-{spell_number(n % 10)}" if n % 10 else "")
    size, name = (100, "hundred") if n < 1000 else (1000, "thousand")
    return f"{spell_number(n // size)} {name}" + (f" {spell_number(n % size)}" if n % size else "")


def _read(path: Path, package: str) -> list[str]:
    if not path.exists():
        raise CorpusError(f"{path} is missing.", remedy=f"Run: apt-get install {package}")
    return path.read_text(encoding="latin1").splitlines()


def wordnet_sentences() -> list[str]:
    """Definitions and quoted examples of WordNet, of 2 to 40 words."""
    found: list[str] = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in _read(_WORDNET / f"data.{part}", "wordnet-base"):
            if line.startswith("  ") or "|" not in line:
                continue
            gloss = line.split("|", 1)[1]
            found += re.findall(r'"([^"]+)"', gloss)
            found += re.sub(r'"[^"]*"|\([^)]*\)', " ", gloss).split(";")
    return _tidy(found, 2, 40)


def bible_sentences() -> list[str]:
    """Clauses of the King James Bible, split where it pauses, of 2 to 40 words."""
    try:
        done = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise CorpusError("The program `bible` is missing.", remedy="Run: apt-get install bible-kjv") from error
    verses = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if " " in line]
    return _tidy([clause for verse in verses for clause in re.split(r"(?<=[.:;?!])\s+", verse)], 2, 40)


def _tidy(raw: list[str], low: int, high: int) -> list[str]:
    kept = set()
    for text in raw:
        text = re.sub(r"\s+", " ", text.replace("`", "'").replace("--", ", ")).strip(" -,;:.")
        plain = _PLAIN.fullmatch(text) and text[0].isalpha() and not re.search(r"[A-Z]{2}|\d{3}|\.\w|'{2}", text)
        if plain and low <= len(text.split()) <= high:
            kept.add(text)
    return sorted(kept)


def word_list(name: str, sizes: tuple[int, ...]) -> list[str]:
    """Words of SCOWL's lists `name` up to the given sizes; only plain spellings of 2 to 16 letters."""
    found: list[str] = []
    for size in sizes:
        path = _SCOWL / f"{name}.{size}"
        if path.exists():
            found += [w for w in _read(path, "scowl") if re.fullmatch(r"[A-Za-z]+('[a-z]+)?", w) and 2 <= len(w) <= 16]
    if not found:
        raise CorpusError(f"SCOWL's list {name} is missing.", remedy="Run: apt-get install scowl")
    return sorted(set(found))


@dataclass
class TextSource:
    """Draws training texts of a wanted length in words; one instance per process and random stream."""

    rng: random.Random
    by_length: dict[int, list[str]]
    common: list[str]
    rare: list[str]
    names: list[str]

    @classmethod
    def load(cls, seed: int, bible_share: float = 0.3) -> TextSource:
        """Read all sources (about three seconds). Raises CorpusError naming the package that is missing."""
        rng = random.Random(seed)
        sentences = wordnet_sentences()
        bible = bible_sentences()
        sentences += random.Random(0).sample(bible, min(len(bible), int(bible_share * len(sentences))))
        by_length: dict[int, list[str]] = {}
        for sentence in sentences:
            if not is_held_out(sentence):
                by_length.setdefault(len(sentence.split()), []).append(sentence)
        common = [w for kind in ("english", "american", "british") for w in word_list(f"{kind}-words", (10, 20, 35))]
        rare = word_list("english-words", (40, 50, 55, 60)) + word_list("american-words", (40, 50, 55, 60))
        names = word_list("english-upper", (35, 40, 50)) + word_list("english-proper-names", (50,))
        names = sorted({w.removesuffix("'s") for w in names})
        return cls(rng, by_length, common, rare, names)

    def words(self, count: int) -> str:
        """`count` words in no order, names and numbers among them: spelling without syntax."""
        return " ".join(self._word() for _ in range(count))

    def _word(self) -> str:
        draw = self.rng.random()
        if draw < 0.15:
            return self.rng.choice(self.names)
        if draw < 0.21:
            return spell_number(int(10 ** self.rng.uniform(0, 3.5)))
        return self.rng.choice(self.common if draw < 0.75 else self.rare)

    def sentence(self, count: int) -> str:
        """A sentence of about `count` words (2..40) from the collections; in one of four, names replace some words."""
        for shift in (0, 1, -1, 2, -2, 3, -3):
            if self.by_length.get(count + shift):
                found = self.rng.choice(self.by_length[count + shift])
                return self._named(found) if self.rng.random() < 1 / 4 else found
        return self.words(count)

    def _named(self, sentence: str) -> str:
        """`sentence` with a name in place of one plain word in six, of one at least."""
        words = sentence.split()
        plain = [i for i, word in enumerate(words) if word.isalpha()]
        for i in self.rng.sample(plain, min(len(plain), 1 + len(plain) // 6)):
            words[i] = self.rng.choice(self.names)
        return " ".join(words)

    def utterance(self, count: int, loose: float = 0.3) -> str:
        """A spoken unit of about `count` words with a capital and an end mark; `loose` of them are mere words."""
        text = self.words(count) if count < 2 or self.rng.random() < loose else self.sentence(count)
        if self.rng.random() < 0.9:
            text = text[0].upper() + text[1:]
        if text[-1] in ".,!?:;":
            return text
        mark = self.rng.choices([".", "?", "!", ",", ":", ";"], [70, 12, 5, 9, 2, 2])[0]
        return text + mark
