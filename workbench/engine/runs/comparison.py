"""Compare runs: settings, words and chunks that differ, mels and pitch on one time axis. Arrays and plain values."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.engine import measures
from workbench.engine.signal.pitch import Pitch
from workbench.engine.signal.spectra import difference, mel_decibels

if TYPE_CHECKING:
    from workbench.engine.runs.document import RunDocument
    from workbench.engine.runs.measured.files import Measured
    from workbench.engine.runs.store import RunSummary
    from workbench.engine.speech.results import Run

AUDIBLE_DECIBELS = 80.0  # below the loudest value; differences of quieter values do not count
WORDS_MAX = 5_000  # of a text whose words are compared: the time grows with the square


def differing(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return one row per setting that differs among ``runs``: "setting" is its name, each run id its value.

    Model, voice, device, number format and text count as settings. A setting that a run does not have is None.
    """
    asked = [
        {"model": r.model, "voice": r.voice, "device": r.device, "dtype": r.dtype}
        | r.load
        | {"text": r.text}
        | r.settings
        for r in runs
    ]
    names = list(dict.fromkeys(name for one in asked for name in one))
    rows = [{"setting": name} | {r.id: one.get(name) for r, one in zip(runs, asked, strict=True)} for name in names]
    return [row for row in rows if len({repr(row[r.id]) for r in runs}) > 1]


@dataclass(frozen=True)
class Edit:
    """A stretch of words in which two texts are equal (``a`` is ``b``) or not; "" where one has no words there."""

    a: str
    b: str

    @property
    def is_same(self) -> bool:
        return self.a == self.b


def edits(a: str, b: str) -> list[Edit]:
    """Return the stretches of words of ``a`` and ``b`` in order; [] if one has more than ``WORDS_MAX`` words."""
    one, two = a.split(), b.split()
    if max(len(one), len(two)) > WORDS_MAX:
        return []
    steps = difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return [Edit(" ".join(one[i:j]), " ".join(two[k:m])) for _, i, j, k, m in steps]


def differing_chunks(
    documents: Mapping[str, RunDocument], measured: Mapping[str, Measured | None]
) -> list[dict[str, Any]]:
    """Return one row per chunk whose words, seed or what was heard differ, for runs named by the keys.

    Args:
        documents: name to run.json.
        measured: name to measures of the run, if there are any.

    Returns:
        Rows with "chunk" (from 1), and "text NAME", "seed NAME", "audio NAME (s)" for every run; also "heard NAME" if
        a recogniser listened to every one. None where a run has no such chunk.
    """
    listened = all(found is not None and found.heard for found in measured.values())
    rows = []
    for index in range(max((len(d["chunks"]) for d in documents.values()), default=0)):
        kinds: dict[str, dict[str, Any]] = {"text": {}, "seed": {}, "heard": {}}
        seconds: dict[str, Any] = {}
        for name, document in documents.items():
            there = index < len(document["chunks"])
            kinds["text"][name] = document["plans"][index]["text"] if there else None
            kinds["seed"][name] = document["plans"][index]["seed"] if there else None
            seconds[f"audio {name} (s)"] = round(document["chunks"][index]["audio_seconds"], 2) if there else None
            if listened:
                heard = measured[name].heard  # type: ignore[union-attr]  # see listened
                kinds["heard"][name] = heard[index] if index < len(heard) else None
        if any(len({repr(value) for value in found.values()}) > 1 for found in kinds.values()):
            flat = {f"{kind} {name}": value for kind, found in kinds.items() for name, value in found.items()}
            rows.append({"chunk": index + 1} | flat | seconds)
    return rows


def stage_seconds(run: Run) -> dict[str, float]:
    """Return the seconds of each stage of the run without loading; "other" is the rest of the total."""
    return dict(measures.Times.of_run(run.as_dict()).stages)


@dataclass(frozen=True, eq=False)
class MelComparison:
    """Two mels on one time axis.

    Attributes:
        a, b: in dB [frames, n_mels], on the frames of a.
        change: b - a in dB, 0 where neither is audible.
        measured: name to value of every measure of a pair.
        warped: whether b was time-aligned to a, because their lengths differ.
        pitches: fundamental frequency of both on the frames of a; None if it was not given.
    """

    a: np.ndarray
    b: np.ndarray
    change: np.ndarray
    measured: dict[str, float | None]
    warped: bool
    pitches: tuple[Pitch, Pitch] | None = None


def compare_mels(a: np.ndarray, b: np.ndarray, pitches: tuple[Pitch, Pitch] | None = None) -> MelComparison:
    """Compare natural-log mels [frames, n_mels]; align b to a in time if their lengths differ (``measures.Pair``).

    Args:
        pitches: fundamental frequency of both, on the frames of the mels, for the measures of pitch.

    Raises:
        AudioError: a mel is empty.
    """
    pair = measures.Pair(a, b, pitches)
    found = pair.alignment
    measured = measures.values(measures.PAIR, pair)
    in_db_a, in_db_b = mel_decibels(a), mel_decibels(b)
    floor = max(in_db_a.max(), in_db_b.max()) - AUDIBLE_DECIBELS
    on_a = in_db_b if found is None else found.b_on_a(in_db_b)
    placed = None if pitches is None else (pitches[0], _pitch_on_a(pair, pitches))
    return MelComparison(in_db_a, on_a, difference(in_db_a, on_a, floor), measured, found is not None, placed)


def _pitch_on_a(pair: measures.Pair, pitches: tuple[Pitch, Pitch]) -> Pitch:
    """Return the pitch of b on the time axis of a: a frame of a gets that of the last frame of b it belongs to."""
    of_a, of_b = pitches
    frames = np.arange(len(of_a.hz)) if pair.alignment is None else np.zeros(len(of_a.hz), int)
    if pair.alignment is not None:
        path = pair.alignment.path[pair.alignment.path[:, 0] < len(frames)]
        frames[path[:, 0]] = path[:, 1]
        frames[path[-1, 0] + 1 :] = len(of_b.hz)
    inside = frames < len(of_b.hz)
    at = np.minimum(frames, len(of_b.hz) - 1)
    return Pitch(of_a.seconds, np.where(inside, of_b.hz[at], np.nan), np.where(inside, of_b.aperiodicity[at], 1.0))
