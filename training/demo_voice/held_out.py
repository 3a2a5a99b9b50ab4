"""Sentences and voices that neither the model nor the recogniser was trained on.

The evaluation is for saying how good a voice is. Whoever chooses between weights looks at the development set instead:
the best of many by the evaluation's own figures would be the luckiest there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.demo_voice.corpus import Utterance, record
from training.demo_voice.espeak import Espeak, Speaker
from training.demo_voice.texts import DEVELOPMENT_FILE, EVALUATION_FILE, held_out_sentences


@dataclass(frozen=True)
class HeldOutSet:
    """A file of sentences beside this module, and who speaks them, in turn, after which reference."""

    file: str
    speakers: tuple[Speaker, ...]
    references: tuple[str, ...]


EVALUATION = HeldOutSet(
    EVALUATION_FILE,
    (Speaker("m4", 41, 44, 172), Speaker("m1", 55, 52, 179), Speaker("steph2", 47, 48, 156)),
    (
        "The old lighthouse keeper polished the great lamp every single evening.",
        "Nobody remembers exactly when the first market opened in this square.",
        "A quiet morning in the garden is worth more than a week of meetings.",
    ),
)
DEVELOPMENT = HeldOutSet(
    DEVELOPMENT_FILE,
    (Speaker("aunty", 50, 46, 170), Speaker("robert", 48, 48, 172), Speaker("michel", 46, 46, 165)),
    EVALUATION.references,
)


@dataclass
class Case:
    """One sentence to be generated in the voice of a reference, with espeak-ng's own reading as truth."""

    kind: str
    reference: Utterance
    truth: Utterance
    other_tempo: np.ndarray  # mel of the same words a little faster: the floor of MCD
    speaker: Speaker


def held_out_cases(
    espeak: Espeak, table: dict[str, int], limit: int | None = None, chosen: HeldOutSet = EVALUATION
) -> list[Case]:
    """All cases of a set, speakers in turn; `table` numbers the phones."""
    references = {}
    for speaker, text in zip(chosen.speakers, chosen.references, strict=True):
        espeak.use(speaker)
        references[speaker] = record(espeak, text, table)
    cases = []
    for i, (kind, text) in enumerate(held_out_sentences(chosen.file)[:limit]):
        speaker = chosen.speakers[i % len(chosen.speakers)]
        espeak.use(speaker)
        truth = record(espeak, text, table)
        espeak.use(Speaker(speaker.variant, speaker.pitch, speaker.pitch_range, round(speaker.rate_wpm * 1.08)))
        cases.append(Case(kind, references[speaker], truth, record(espeak, text, table).mel, speaker))
    return cases
