"""Speakers that nobody has met: espeak-ng voice variants with random formants, pitch and timbre.

espeak-ng ships some hundred variants, and a model trained on a few dozen of them read voices that it had never heard
with up to three times the errors. A variant is a text file (docs/voices.md of espeak-ng), so new ones can be had
without end: a vocal tract of random length, each formant a little off, and a pitch of its own.
"""

from __future__ import annotations

import ctypes
import math
import random
import tempfile
from pathlib import Path


def random_variant(rng: random.Random, name: str) -> str:
    """Text of a variant file: percentages of frequency, strength and width per formant, pitch in Hz."""
    tract = math.exp(rng.uniform(-0.1, 0.18))  # shorter than the default's, and so higher, more often than longer
    lines = ["language variant", f"name {name}", "gender male" if tract < 1.05 else "gender female"]
    for formant in range(9):
        frequency = 100 * tract * math.exp(rng.gauss(0, 0.03)) if formant else rng.uniform(95, 108)
        strength, width = rng.uniform(65, 120), rng.uniform(90, 150)
        lines.append(f"formant {formant} {frequency:.0f} {strength:.0f} {width:.0f}")
    pitch = math.exp(rng.uniform(math.log(66), math.log(190))) * tract
    lines.append(f"pitch {pitch:.0f} {pitch * rng.uniform(1.15, 1.7):.0f}")
    lines.append(f"flutter {rng.randint(0, 6)}")
    lines.append(f"roughness {rng.randint(0, 4)}")
    lines.append(f"consonants {rng.uniform(50, 110):.0f} {rng.uniform(60, 110):.0f}")
    if rng.random() < 0.3:  # the bass, the middle and the treble of the source
        points = " ".join(f"{hz} {rng.randint(low, 255)}" for hz, low in ((600, 120), (1200, 40), (2000, 40)))
        lines.append(f"tone {points}")
    if rng.random() < 0.4:  # strength of unstressed and stressed syllables, closer together than the default's
        soft, loud = rng.randint(15, 18), rng.randint(19, 24)
        lines.append(f"stressAmp {soft} {soft} {loud - 1} {loud - 1} {loud} {loud} {loud} {loud}")
    return "\n".join(lines) + "\n"


class VariantFolder:
    """A copy, by links, of espeak-ng's data in a temporary folder, to which variants can be added.

    Attributes:
        path: what espeak_Initialize takes. data: the data in it.
    """

    def __init__(self, installed: Path) -> None:
        self._kept = tempfile.TemporaryDirectory(prefix="espeak-variants-")
        self.path = Path(self._kept.name)
        self.data = self.path / "espeak-ng-data"
        self._variants = self.data / "voices" / "!v"
        self._variants.mkdir(parents=True)
        for folder in ("", "voices", "voices/!v"):
            for entry in (installed / folder).iterdir():
                link = self.data / folder / entry.name
                if not link.exists():
                    link.symlink_to(entry)

    def add(self, rng: random.Random, name: str) -> str:
        """Write a random variant under `name`, replacing what it was; returns the name."""
        (self._variants / name).write_text(random_variant(rng, name), encoding="utf-8")
        return name


def installed_data(library: ctypes.CDLL) -> Path:
    """Where espeak-ng has its data, once it knows its path."""
    library.espeak_Info.restype = ctypes.c_char_p
    found = ctypes.c_char_p()
    library.espeak_Info(ctypes.byref(found))
    return Path((found.value or b"").decode())
