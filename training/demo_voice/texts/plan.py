"""What the teacher is to say: who speaks, which texts, their tokens. One JSON file, made once."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.demo_voice.errors import CorpusError
from training.demo_voice.teacher import phonemes
from training.demo_voice.teacher.voices import UNSEEN, Speaker
from training.demo_voice.texts import characters
from training.demo_voice.texts.held_out import is_held_out
from training.demo_voice.texts.sources import TextSource
from training.demo_voice.texts.talk import Talk

LEFT_OUT = ("af_nicole",)  # whispers
_NO_BLEND = ("am_santa",)
_PLAIN = re.compile(r"[A-Za-z .,'!?:-]+")
_MOST_CHARACTERS, _MOST_TOKENS = 200, 400


@dataclass(frozen=True)
class PlanSize:
    """Utterances of each of the teacher's voices, of each blend of two, and how many blends (24,570 in all)."""

    each_voice: int = 430
    each_blend: int = 95
    blends: int = 150
    seed: int = 11


@dataclass(frozen=True)
class Utterance:
    """One text to be spoken: number of its speaker, speed, the teacher's tokens, and ids of its characters."""

    speaker: int
    text: str
    speed: float
    tokens: list[int]
    ids: list[int]


@dataclass(frozen=True)
class Plan:
    """Speakers and what they say, in the order in which it is spoken."""

    speakers: list[Speaker]
    utterances: list[Utterance]

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), separators=(",", ":")), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Plan:
        """From JSON. Raises CorpusError when it is not there."""
        if not path.exists():
            raise CorpusError(
                f"{path} is missing.", remedy=f"Run: python -m training.demo_voice plan --work {path.parent}"
            )
        found = json.loads(path.read_text(encoding="utf-8"))
        speakers = [
            Speaker(tuple(s["timbre"]), tuple(s["prosody"]), s["british"], s["pace"]) for s in found["speakers"]
        ]
        return cls(speakers, [Utterance(**u) for u in found["utterances"]])


def draw_speakers(names: list[str], rng: random.Random, blends: int) -> list[Speaker]:
    """The teacher's voices but for those of the evaluation, then blends of two, timbre and prosody apart."""
    kept_out = {voice for voice, _ in UNSEEN.values()} | set(LEFT_OUT)
    base = [n for n in names if n not in kept_out]
    found = [Speaker.pure(n, rng.uniform(0.92, 1.12)) for n in base]
    good, seen = [n for n in base if n not in _NO_BLEND], set()
    while len(found) < len(base) + blends:
        sex = rng.choice("fm")
        a, b = rng.sample([n for n in good if n[1] == sex], 2)
        if rng.random() < 0.12:
            b = rng.choice([n for n in good if n[1] != sex])
        share = rng.choice([0.25, 0.4, 0.5, 0.6, 0.75])
        if (a, b, share) not in seen:
            seen.add((a, b, share))
            said = rng.choice([a, a, b])
            prosody = (said, rng.choice([a, b, said]), rng.choice([0.0, 0.3, 0.5]))
            found.append(Speaker((a, b, share), prosody, said[0] == "b", rng.uniform(0.88, 1.2)))
    return found


def draw_text(rng: random.Random, talk: Talk, source: TextSource, seen: set[str]) -> str:
    """A text that this speaker has not said yet and no held-out set has: talk, or something of the collections."""
    while True:
        if rng.random() < 0.42:
            text = talk.sentence()
        else:
            spans = [(1, 3), (4, 8), (9, 15), (16, 26)]
            count = rng.randint(*rng.choices(spans, [10, 34, 38, 18])[0])
            text = source.utterance(count, loose=0.06 if count > 3 else 0.4)
        text = re.sub(r"\s+", " ", text.replace(";", ",")).strip()
        if len(text) < _MOST_CHARACTERS and text not in seen and _PLAIN.fullmatch(text) and not is_held_out(text):
            seen.add(text)
            return text


def draw_speed(rng: random.Random, pace: float, text: str) -> float:
    """Near the speaker's pace; a few words are said faster, as upstream's rule for their length wants them."""
    speed = pace * float(np.exp(rng.gauss(0, 0.07)))
    if len(text) < 22:
        speed *= rng.uniform(1.0, 1.45 if len(text) < 14 else 1.25)
    return round(min(1.6, max(0.75, speed)), 3)


def make_plan(
    names: list[str],
    size: PlanSize,
    source: TextSource,
    phonemize: phonemes.Phonemizer | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Plan:
    """Draw everything.

    Args:
        names: the teacher's English voices. source: the text collections.
        phonemize: espeak-ng, unless a test brings its own.
    """
    rng = random.Random(size.seed)
    talk = Talk.load(rng, [n for n in source.names if len(n) < 11])
    speakers = draw_speakers(names, rng, size.blends)
    texts: list[tuple[int, str, float]] = []
    for s, speaker in enumerate(speakers):
        seen: set[str] = set()
        for _ in range(size.each_voice if s < len(speakers) - size.blends else size.each_blend):
            text = draw_text(rng, talk, source, seen)
            texts.append((s, text, draw_speed(rng, speaker.pace, text)))
    found = []
    for british in (False, True):
        mine = [t for t in texts if speakers[t[0]].british == british]
        for at in range(0, len(mine), 500):
            part = mine[at : at + 500]
            for (s, text, speed), tokens in zip(
                part, phonemes.tokens([t[1] for t in part], british, phonemize), strict=True
            ):
                if 2 <= len(tokens) <= _MOST_TOKENS:
                    found.append(Utterance(s, text, speed, tokens, characters.tokens(text)))
            told(len(found), len(texts))
    rng.shuffle(found)
    return Plan(speakers, found)
