"""List the voices that come with the project and with f5-tts, without reading their audio."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.catalog import bundled_folder, upstream_folder
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.voices")

# Recordings inside the f5-tts package. The texts of the first two are from its README and api.py. The package has no
# texts for the other three, which are sentences of "Please call Stella" and of the Rainbow Passage (prompts of VCTK).
_STELLA = "Six spoons of fresh snow peas, five thick slabs of blue cheese, and maybe a snack for her brother Bob."


_PACKAGED = {
    "nature-en": ("basic/basic_ref_en.wav", "Some call me nature, others call me mother nature.", "en"),
    "taiyi-zh": ("basic/basic_ref_zh.wav", "对，这就是我，万人敬仰的太乙真人。", "zh"),
    "multi-main": ("multi/main.flac", _STELLA, "en"),
    "multi-town": (
        "multi/town.flac",
        "The difference in the rainbow depends considerably upon the size of the drops, "
        "and the width of the colored band increases as the size of the drops increases.",
        "en",
    ),
    "multi-country": ("multi/country.flac", _STELLA, "en"),
}


@dataclass(frozen=True)
class BundledVoice:
    """A recording that comes with the project or with f5-tts; its audio has not been read."""

    name: str
    path: Path
    ref_text: str
    language: str
    source: str


def list_voices() -> list[BundledVoice]:
    """Return the bundled voices: first those of the demo voice, then those of the f5-tts package. Reads no audio."""
    return [*_demo_voices(), *_packaged_voices()]


def _demo_voices() -> Iterator[BundledVoice]:
    folder = bundled_folder()
    index = folder / "voices" / "voices.json"
    if not index.exists():
        return
    try:
        entries = [(entry["name"], entry["file"], entry["text"]) for entry in json.loads(index.read_bytes())]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        log.warning("the list of voices cannot be read", extra=pairs(file=index))  # the other voices still work
        return
    for name, file, text in entries:
        yield BundledVoice(name, folder / file, text, "en", "demo voice")


def _packaged_voices() -> Iterator[BundledVoice]:
    examples = upstream_folder() / "infer" / "examples"
    for name, (file, text, language) in _PACKAGED.items():
        yield BundledVoice(name, examples / file, text, language, "f5-tts package")
