"""Sounds of a trial, as files that do not show which system they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from workbench.engine.errors import ListeningError
from workbench.engine.listening.design import Trial
from workbench.engine.listening.records import ListeningTest
from workbench.engine.signal.audio import to_bytes

_MARK_BYTES = 16


def of_trial(test: ListeningTest, trial: Trial, nonces: Sequence[str]) -> list[bytes]:
    """Return a WAV file for each place of ``trial``, then for X if it has one. All last equally long.

    Equal sounds have different bytes at every place and for every nonce, one a place, so neither content nor address
    of a file shows which one X is.

    Raises:
        ListeningError: a sound is missing or damaged.
    """
    systems = [*trial.shown, *([] if trial.x is None else [trial.x])]
    read = [_read(test.sound_path(trial.item, system)) for system in systems]
    longest = max(len(wave) / rate for wave, rate in read)
    padded = [(np.pad(wave, (0, max(0, round(longest * rate) - len(wave)))), rate) for wave, rate in read]
    return [
        marked(to_bytes(wave, rate), f"{nonces[place]}:{trial.number}:{place}")
        for place, (wave, rate) in enumerate(padded)
    ]


def marked(wav: bytes, mark: str) -> bytes:
    """Return the WAV file ``wav`` with a hash of ``mark`` in a JUNK chunk, which players skip."""
    chunk = b"JUNK" + _MARK_BYTES.to_bytes(4, "little") + hashlib.sha256(mark.encode()).digest()[:_MARK_BYTES]
    size = int.from_bytes(wav[4:8], "little") + len(chunk)
    return wav[:4] + size.to_bytes(4, "little") + wav[8:12] + chunk + wav[12:]


def _read(path: Path) -> tuple[np.ndarray, int]:
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=False)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise ListeningError(f"The sound {path.name} cannot be read.", remedy="Make the test again.") from error
    if wave.ndim != 1 or not len(wave):
        raise ListeningError(f"The sound {path.name} is not one channel of sound.", remedy="Make the test again.")
    return wave, rate
