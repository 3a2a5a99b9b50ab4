"""The evaluation set: sentences and voices that neither the model nor the recogniser was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.demo_voice.corpus import Utterance, record
from workbench.demo_voice.espeak import Espeak, Speaker
from workbench.demo_voice.texts import held_out_sentences

SPEAKERS = (
    Speaker("m4", 41, 44, 172),
    Speaker("m1", 55, 52, 179),
    Speaker("steph2", 47, 48, 156),
)
REFERENCES = (
    "The old lighthouse keeper polished the great lamp every single evening.",
    "Nobody remembers exactly when the first market opened in this square.",
    "A quiet morning in the garden is worth more than a week of meetings.",
)


@dataclass
class Case:
    """One sentence to be generated in the voice of a reference, with espeak-ng's own reading as truth."""

    kind: str
    reference: Utterance
    truth: Utterance
    other_tempo: np.ndarray  # mel of the same words a little faster: the floor of MCD
    speaker: int  # index in SPEAKERS


def held_out_cases(espeak: Espeak, table: dict[str, int], limit: int | None = None) -> list[Case]:
    """All evaluation cases, speakers in turn; `table` numbers the phones."""
    references = {}
    for speaker, text in zip(SPEAKERS, REFERENCES, strict=True):
        espeak.use(speaker)
        references[speaker] = record(espeak, text, table)
    cases = []
    for i, (kind, text) in enumerate(held_out_sentences()[:limit]):
        speaker = SPEAKERS[i % len(SPEAKERS)]
        espeak.use(speaker)
        truth = record(espeak, text, table)
        espeak.use(Speaker(speaker.variant, speaker.pitch, speaker.pitch_range, round(speaker.rate_wpm * 1.08)))
        cases.append(Case(kind, references[speaker], truth, record(espeak, text, table).mel, i % len(SPEAKERS)))
    return cases
