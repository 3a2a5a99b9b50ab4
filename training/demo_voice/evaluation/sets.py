"""What the evaluation has read: held-out sentences, pieces of a text, a few words, each in the voices in turn."""

from __future__ import annotations

from dataclasses import dataclass

from training.demo_voice.teacher.voices import REFERENCES, UNSEEN
from training.demo_voice.texts.held_out import BRIEF_FILE, EVALUATION_FILE, held_out_sentences

CHUNK_BYTES = (40, 100, 200, 300)


@dataclass(frozen=True)
class Case:
    """One text to be read.

    Attributes:
        part: which row of the result it counts for. kind: of the text. voice: name of the reference.
        max_chunk_bytes: None is what the reference allows.
    """

    part: str
    kind: str
    text: str
    voice: str
    nfe_step: int = 7
    max_chunk_bytes: int | None = None

    @property
    def key(self) -> str:
        """Tells one case from another, so that an evaluation can go on where it stopped."""
        return f"{self.part}|{self.voice}|{self.nfe_step}|{self.max_chunk_bytes}|{self.text}"


def cases(steps: tuple[int, ...] = (7, 32), every: int = 1, unseen: bool = True) -> list[Case]:
    """All cases of an evaluation, the cheap ones first.

    Args:
        steps: ODE steps, each a part of its own.
        every: only every so many sentences, for a first idea.
        unseen: also in `UNSEEN`'s voices, for which the teacher must be at hand.
    """
    sentences, brief = held_out_sentences(EVALUATION_FILE)[::every], held_out_sentences(BRIEF_FILE)[::every]
    known, strange, found = list(REFERENCES), list(UNSEEN), []
    for n in steps:
        found += [Case(f"voice_{n}", kind, text, known[i % 4], n) for i, (kind, text) in enumerate(sentences)]
        if unseen:
            found += [Case(f"unseen_{n}", kind, text, strange[i % 3], n) for i, (kind, text) in enumerate(sentences)]
        found += [Case(f"brief_{n}", kind, text, known[i % 4], n) for i, (kind, text) in enumerate(brief)]
    passages = _passages([text for kind, text in sentences if kind in ("plain", "long", "name", "question")])
    for size in CHUNK_BYTES:
        found += [
            Case(f"chunks_{size}", "passage", text, known[i % 4], steps[0], size) for i, text in enumerate(passages)
        ]
    return sorted(found, key=lambda case: case.nfe_step)


def _passages(sentences: list[str], least: int = 320) -> list[str]:
    """Texts of several sentences, each of `least` bytes or a little more."""
    found, now = [], ""
    for sentence in sentences:
        now = f"{now} {sentence}".strip()
        if len(now) >= least:
            found.append(now)
            now = ""
    return found[:4] if found else [now]
