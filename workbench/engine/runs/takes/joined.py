"""audio.wav of a run with other takes: joined anew after a choice, and told apart from that of another choice.

``takes/sound.json`` says of which takes audio.wav is, with its size and time. It is written before audio.wav takes its
place, so whatever ends the program between the two, the file is not taken for what it is not, and is joined again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.files.leftovers import sweep
from workbench.engine.files.reading import read_object
from workbench.engine.files.writing import draft_of, write_json
from workbench.engine.runs.takes.arrays import FOLDER
from workbench.engine.runs.takes.ledger import Ledger

SOUND = "audio.wav"
ENVELOPE_POINTS = 96
_NAME = "sound.json"
_MAX_BYTES = 64 * 1024


def digest_of(ledger: Ledger) -> str:
    """Equal for equal choices."""
    return hashlib.sha256(json.dumps(sorted(ledger.chosen.items())).encode()).hexdigest()


def _record(folder: Path) -> dict[str, Any]:
    """What sound.json says; {} if it cannot be read."""
    return read_object(folder / FOLDER / _NAME, _MAX_BYTES) or {}


def envelope_of(folder: Path, ledger: Ledger) -> list[float] | None:
    """Peaks of the sound with these takes, if it was joined."""
    found = _record(folder)
    peaks = found.get("envelope")
    if found.get("chosen") != digest_of(ledger) or not isinstance(peaks, list):
        return None
    return peaks if all(isinstance(peak, float) and 0 <= peak <= 1e6 for peak in peaks[:1_000]) else None


def is_joined(folder: Path, ledger: Ledger) -> bool:
    """Whether audio.wav in ``folder`` is of the takes that are chosen in ``ledger``."""
    found = _record(folder)
    if not found:  # nothing was ever joined anew
        return ledger.is_first
    try:
        stat = (folder / SOUND).stat()
    except OSError:
        return False
    return bool(found.get("chosen") == digest_of(ledger) and found.get("file") == [stat.st_mtime_ns, stat.st_size])


def write_joined(folder: Path, ledger: Ledger, write: Callable[[Path], object], envelope: Sequence[float]) -> None:
    """Put a new audio.wav into ``folder``.

    Args:
        folder: of the run.
        ledger: its takes.
        write: writes the sound to a path.
        envelope: peaks of the sound.

    Raises:
        OSError: it cannot be written.
    """
    sweep(folder, ".*.part")  # of killed programs
    with draft_of(folder / SOUND, write) as draft:
        stat = draft.stat()
        write_json(folder / FOLDER / _NAME, {
            "chosen": digest_of(ledger), "file": [stat.st_mtime_ns, stat.st_size],
            "envelope": list(envelope),
        })  # fmt: skip
        os.replace(draft, folder / SOUND)


def envelope(blocks: Iterable[np.ndarray], n_samples: int, points: int = ENVELOPE_POINTS) -> list[float]:
    """Peaks of a sound of ``n_samples``, whose ``blocks`` are [n_samples] each, in ``points`` equal stretches.

    Three decimals.
    """
    if not n_samples:
        return []
    edges = np.linspace(0, n_samples, min(points, n_samples), endpoint=False).astype(int)
    peaks, start = np.zeros(len(edges)), 0
    for block in blocks:
        first = int(np.searchsorted(edges, start, side="right")) - 1
        inside = edges[first + 1 : np.searchsorted(edges, start + len(block))]
        found = np.maximum.reduceat(np.abs(block), np.concatenate([[0], inside - start]))
        peaks[first : first + len(found)] = np.maximum(peaks[first : first + len(found)], found)
        start += len(block)
    return [round(float(peak), 3) for peak in peaks]
