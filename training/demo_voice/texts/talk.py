"""Sentences as people say them, drawn from a small grammar of our own: people do not talk in definitions and verses."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from training.demo_voice.texts.sources import spell_number

GRAMMAR = Path(__file__).with_name("talk.txt")
_PLACE = re.compile(r"\{(\w+|\d+\.\.\d+)\}")
_RULE = re.compile(r"\[(\w+)\]")
_WEIGHTED = re.compile(r"(\d+) (.*)")


@dataclass
class Talk:
    """Draws one sentence at a time.

    Attributes:
        rules: alternatives and their weights of each rule. names: what `{name}` may be.
    """

    rng: random.Random
    names: list[str]
    rules: dict[str, tuple[list[str], list[int]]]

    @classmethod
    def load(cls, rng: random.Random, names: list[str], path: Path = GRAMMAR) -> Talk:
        """Read the grammar."""
        rules: dict[str, tuple[list[str], list[int]]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if head := _RULE.fullmatch(line):
                rules[head[1]] = now = ([], [])
            elif line and not line.startswith("#"):
                weighted = _WEIGHTED.fullmatch(line)
                now[0].append(weighted[2] if weighted else line.removeprefix("-"))
                now[1].append(int(weighted[1]) if weighted else 1)
        return cls(rng, names, rules)

    def sentence(self) -> str:
        """One sentence with a capital and an end mark."""
        text = self._filled("{sentence}")
        return text[0].upper() + text[1:]

    def _filled(self, text: str) -> str:
        return _PLACE.sub(lambda found: self._drawn(found[1]), text)

    def _drawn(self, place: str) -> str:
        if ".." in place:
            low, high = place.split("..")
            return spell_number(self.rng.randint(int(low), int(high)))
        if place == "name":
            return self.rng.choice(self.names)
        return self._filled(self.rng.choices(*self.rules[place])[0])
