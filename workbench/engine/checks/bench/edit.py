"""Measure the time to speak a text again after editing one sentence, with reuse of unchanged chunks."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from workbench.engine.checks.bench.sampling import (
    SENTENCES,
    OnRound,
    check_counts,
    one_sentence_a_chunk,
    quartiles,
    subject,
)
from workbench.engine.reuse.store import DEFAULT_MB, ChunkStore
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.results import Run
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.voices import Voice

TOLERANCE = 0.15
_EDITED = "A tall woman in a grey coat asked him for the way to the river and the bridge."


def edit(engine: Engine, voice: Voice, *, nfe_step: int = 7, n_chunks: int = 10, rounds: int = 3,
         on_round: OnRound | None = None) -> dict[str, Any]:  # fmt: skip
    """Speak ``n_chunks`` sentences, then the same text with one edited sentence, another one in each round.

    Returns:
        The JSON document of ``bench edit``: seconds of the whole, of the edited and of the unchanged text; edited over
        whole with quartiles, and whether that stays within 15 %; whether the edited speech is, to the last bit, what
        it would be if all of it were made.
    """
    check_counts(chunks=n_chunks, rounds=rounds)
    settings, shelf = one_sentence_a_chunk(nfe_step), engine.shelf
    sentences = [SENTENCES[k % len(SENTENCES)] for k in range(n_chunks)]
    engine.run(" ".join((SENTENCES[0], _EDITED)), voice, settings)  # the first run
    seconds: dict[str, list[float]] = {"whole": [], "edited": [], "unchanged": []}
    reused, same = [], True
    try:
        for index in range(rounds):
            place = (index * 3 + n_chunks // 2) % n_chunks
            edited = [*sentences[:place], _EDITED, *sentences[place + 1 :]]
            with TemporaryDirectory(prefix="chunks-") as folder:
                engine.shelf = ChunkStore(Path(folder), DEFAULT_MB * 10**6)
                texts = {"whole": sentences, "edited": edited, "unchanged": edited}
                runs = {name: _spoken(engine, voice, settings, words, seconds[name]) for name, words in texts.items()}
            reused.append(runs["edited"].n_reused)
            if index == 0:
                made = engine.run(" ".join(edited), voice, settings)
                same = made.wave.tobytes() == runs["edited"].wave.tobytes() == runs["unchanged"].wave.tobytes()
            if on_round:
                told = ", ".join(f"{name} {spent[-1]:.3f} s" for name, spent in seconds.items())
                on_round(f"round {index + 1}/{rounds}: {told}")
    finally:
        engine.shelf = shelf
    ratios = [a / b for a, b in zip(seconds["edited"], seconds["whole"], strict=True)]
    spread = quartiles(ratios)
    return {
        "benchmark": "edit", **subject(engine, settings), "chunks": n_chunks, "reused_chunks": reused,
        "seconds": {name: quartiles(spent) for name, spent in seconds.items()}, "edited_over_whole": spread,
        "tolerance": TOLERANCE, "is_within": spread["median"] <= TOLERANCE, "same_samples": same,
    }  # fmt: skip


def _spoken(
    engine: Engine, voice: Voice, settings: SynthesisSettings, sentences: list[str], seconds: list[float]
) -> Run:
    began = time.perf_counter()
    run = engine.run(" ".join(sentences), voice, settings, reuse=True)
    seconds.append(time.perf_counter() - began)
    return run
