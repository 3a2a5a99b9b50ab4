"""Who speaks: the teacher's voices, blends of two, and which of them ship or are kept for the evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REFERENCES = {
    "Nora": ("af_heart", "The lake was calm and bright, and two white boats drifted by."),
    "Arthur": ("am_michael", "The morning train was late again, so we walked to the river."),
    "Clara": ("bf_emma", "My sister keeps a small garden, full of herbs and yellow roses."),
    "Victor": ("am_fenrir", "Every good story begins with a question nobody dares to answer."),
}
"""The bundled voices: the teacher's voice and the words of the reference; the first is the default."""

UNSEEN = {
    "nova": ("af_nova", "We took the slow road home, and stopped for coffee at the mill."),
    "puck": ("am_puck", "Nobody in the office knew why the clock had stopped at noon."),
    "fable": ("bm_fable", "There was a letter on the table, and a lamp beside the window."),
}
"""Voices of the teacher that neither network has heard."""

Mix = tuple[str, str, float]
"""Two of the teacher's voices and the share of the second."""


@dataclass(frozen=True)
class Speaker:
    """A voice of the teacher, or a blend of two: timbre and prosody are halves of a style vector and mixed apart.

    Attributes:
        pace: speed that its utterances are spoken at, on average.
    """

    timbre: Mix
    prosody: Mix
    british: bool
    pace: float = 1.0

    @classmethod
    def pure(cls, name: str, pace: float = 1.0) -> Speaker:
        """One of the teacher's own voices."""
        return cls((name, name, 0.0), (name, name, 0.0), name[0] == "b", pace)


def style(speaker: Speaker, styles: dict[str, np.ndarray], n_tokens: int) -> np.ndarray:
    """Style vector f32 [256] for an utterance of so many tokens, the zeros around it among them."""
    row, halves = min(max(n_tokens - 3, 0), 399), []
    for half, (a, b, share) in ((slice(0, 128), speaker.timbre), (slice(128, 256), speaker.prosody)):
        halves.append(styles[a][row, half] * (1 - share) + styles[b][row, half] * share)
    return np.concatenate(halves).astype(np.float32)
