"""What the tests of reuse speak."""

from __future__ import annotations

from typing import Any

from workbench.engine.settings import SynthesisSettings

SENTENCES = [f"Here stands the sentence of number {word}." for word in ("one", "two", "three", "four", "five", "six")]
FAST = SynthesisSettings(nfe_step=2, max_chunk_bytes=45)


def speak(engine: Any, voice: Any, sentences: list[str], settings: SynthesisSettings = FAST, **more: Any) -> Any:
    return engine.fulfil(engine.request(" ".join(sentences), voice, settings).replace(reuse=True), voice, **more)


def reused(run: Any) -> list[bool]:
    return [c.is_reused for c in run.chunks]
