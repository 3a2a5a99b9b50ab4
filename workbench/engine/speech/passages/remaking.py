"""Plan one chunk again with other words, another seed or another speed."""

from __future__ import annotations

import dataclasses

from workbench.engine.errors import SettingsError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.passages.planning import Prepare
from workbench.engine.speech.requests import Remake
from workbench.engine.speech.text import Chunk, n_bytes
from workbench.engine.speech.voices import Voice


def replanned(
    wanted: Remake, voice: Voice, settings: SynthesisSettings, old: Chunk, prepare: Prepare, window_frames: int = 8192
) -> Chunk:
    """Return the plan of ``old`` with the words, seed and speed of ``wanted``; where it has none, with its own.

    Args:
        wanted: what is to be other than before.
        voice: who speaks the chunk.
        settings: of its passage.
        old: the plan before.
        prepare: prepares a text for the model.
        window_frames: as in ``plan_chunks``.

    Raises:
        TextError: this model cannot speak the words.
        SettingsError: they do not fit into one chunk, or the speed is out of range.
    """
    words = (old.written or old.text) if wanted.words is None else wanted.words.strip()
    new = old
    if wanted.speed is not None or words not in (old.text, old.written or old.text):
        prepared = prepare(words, voice, settings).check()
        chosen = settings.replace(
            max_chunk_bytes=max(10, min(2000, n_bytes(prepared.said()))), fix_duration=None,
            speed=settings.speed if wanted.speed is None else wanted.speed,
        )  # fmt: skip
        planned = voice.plan(prepared, chosen, window_frames)
        if len(planned) != 1:
            raise SettingsError(
                f"The new words do not fit into one chunk (chunk {old.index + 1} has {old.n_bytes} bytes).",
                remedy="Shorten them.",
            )
        new = planned[0]
    return dataclasses.replace(
        new, index=old.index, seed=old.seed if wanted.seed is None else wanted.seed, pause_seconds=old.pause_seconds,
        lead_seconds=old.lead_seconds, passage=old.passage, begins_seconds=old.begins_seconds,
    )  # fmt: skip
