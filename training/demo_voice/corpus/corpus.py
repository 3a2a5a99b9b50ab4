"""The corpus as training reads it: frames of all utterances end to end, and where each one is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.demo_voice.errors import CorpusError
from training.demo_voice.texts.plan import Plan


@dataclass(frozen=True, eq=False)
class Corpus:
    """Arrays of one length for frames (F) and for utterances (n).

    Attributes:
        mel: f16 [F, 100], or [0, 100] where it is not wanted. phone: i16 [F]. wave: f16 [F * 256] or [0].
        first, frames: first frame and number of frames of each utterance i64 [n]. start, end: of the speech in it.
        speaker: i64 [n]. ids: characters of each utterance.
    """

    mel: np.ndarray
    phone: np.ndarray
    wave: np.ndarray
    first: np.ndarray
    frames: np.ndarray
    start: np.ndarray
    end: np.ndarray
    speaker: np.ndarray
    ids: list[list[int]]

    @classmethod
    def load(cls, work: Path, *, mel: bool = True, wave: bool = False) -> Corpus:
        """All shards of a work folder. Raises CorpusError when there are none."""
        plan, paths = Plan.read(work / "plan.json"), sorted((work / "corpus").glob("shard-[0-9]*.npz"))
        paths = [p for p in paths if not p.name.endswith(".partial.npz")]
        parts: dict[str, list[np.ndarray]] = {"mel": [], "phone": [], "wave": [], "rows": []}
        base = 0
        for path in paths:
            with np.load(path) as shard:
                rows = shard["rows"].copy()
                rows[:, 1] += base
                parts["rows"].append(rows)
                parts["phone"].append(shard["phone"])
                for name, wanted in (("mel", mel), ("wave", wave)):
                    if wanted:
                        parts[name].append(shard[name])
                base += len(shard["phone"])
        if not base:
            raise CorpusError(
                f"{work / 'corpus'} holds no speech.", remedy=f"Run: python -m training.demo_voice teach --work {work}"
            )
        table = np.concatenate(parts["rows"])
        said = [plan.utterances[k] for k in table[:, 0]]
        return cls(
            np.concatenate(parts["mel"]) if mel else np.zeros((0, 100), np.float16),
            np.concatenate(parts["phone"]),
            np.concatenate(parts["wave"]) if wave else np.zeros(0, np.float16),
            *table[:, 1:].T,
            np.array([u.speaker for u in said]),
            [u.ids for u in said],
        )  # fmt: skip
