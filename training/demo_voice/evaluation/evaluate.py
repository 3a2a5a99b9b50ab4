"""How well the voice speaks what it never heard: every case spoken by the engine, heard by the ears, one JSON document.

Each reading is one line of `rows.jsonl` as soon as it has been heard, so that an evaluation that is stopped goes on
where it was. Truth is the teacher's own reading of the same words in the same voice, where the teacher is at hand.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.demo_voice.evaluation.ears import Ears, error_rates
from training.demo_voice.evaluation.sets import Case
from training.demo_voice.teacher import kokoro, phonemes, speaking
from training.demo_voice.teacher.voices import REFERENCES, UNSEEN, Speaker
from training.demo_voice.vocoder import artefacts
from workbench.engine.catalog import bundled_folder
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.alignment import align
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import Pitch, pitch
from workbench.engine.speech.voices import Voice, make_voice

log = logging.getLogger("training.demo_voice")
MEANS = (
    "own", "others", "nearest", "voiced", "pitch_hz", "pitch_spread", "overall", "speech", "background", "p808",
    "pitch_correlation", "pitch_ratio", "copy_distance",
)  # fmt: skip
_FEWEST_VOICED = 10


@dataclass(frozen=True)
class Reading:
    """One wave f32 [n_samples] at 24 kHz of a case, and the teacher's own reading of it, where there is one."""

    case: Case
    wave: np.ndarray
    truth: np.ndarray | None = None


@dataclass
class Teaching:
    """The teacher at hand: reads any text in any of the evaluation's voices, each once."""

    teacher: kokoro.Teacher
    styles: dict[str, np.ndarray]
    kept: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Teaching:
        """From the teacher's folder. Raises TeacherError when its files are not there."""
        return cls(kokoro.load(folder, "cpu"), kokoro.load_styles(folder))

    def read(self, name: str, text: str) -> np.ndarray:
        """`text` in the voice `name` of `sets`, f32 [n_samples]."""
        if (name, text) not in self.kept:
            who = Speaker.pure((REFERENCES | UNSEEN)[name][0])
            tokens = phonemes.tokens([text], who.british)[0]
            self.kept[name, text] = speaking.say(self.teacher, self.styles, who, tokens)
        return self.kept[name, text]


def voices(folder: Path | None, teaching: Teaching | None) -> dict[str, Voice]:
    """The references of the voice in `folder`, and with a teacher those that the model never heard."""
    folder = folder or bundled_folder()
    files = {name: folder / "voices" / f"{name.lower()}.flac" for name in REFERENCES}
    found = {name: make_voice(path, REFERENCES[name][1], name=name) for name, path in files.items()}
    for name, (_, text) in UNSEEN.items() if teaching else ():
        wave = teaching.read(name, text)  # type: ignore[union-attr]
        found[name] = make_voice(to_bytes(wave, speaking.SAMPLE_RATE_HZ), text, name=name)
    return found


def readings(
    engine: Any, wanted: Iterable[Case], known: dict[str, Voice], teaching: Teaching | None
) -> Iterable[Reading]:
    """Each case spoken by the engine; those of `teacher` and `copy` by the teacher, the second through the vocoder."""
    for case in wanted:
        if case.part in ("teacher", "copy"):
            truth = teaching.read(case.voice, case.text)  # type: ignore[union-attr]
            yield Reading(case, truth if case.part == "teacher" else engine.decode(mel_spectrogram(truth)), truth)
            continue
        settings = SynthesisSettings(nfe_step=case.nfe_step)
        if case.max_chunk_bytes:
            settings = settings.replace(max_chunk_bytes=case.max_chunk_bytes)
        wave = engine.run(case.text, known[case.voice], settings).wave
        compared = teaching is not None and case.part.startswith(("voice", "unseen"))
        yield Reading(case, wave, teaching.read(case.voice, case.text) if compared else None)  # type: ignore[union-attr]


def measure(reading: Reading, ears: Ears, prints: dict[str, np.ndarray]) -> dict[str, Any]:
    """One row: what was heard, whose voice it is, how pleasant, its pitch. `prints` are the references' voices."""
    wave, case = reading.wave, reading.case
    voice, track = ears.voice(wave), pitch(wave, speaking.SAMPLE_RATE_HZ)
    group = UNSEEN if case.voice in UNSEEN else REFERENCES
    likeness = {name: float(voice @ prints[name]) for name in group}
    own = likeness.pop(case.voice)
    row = asdict(case) | {"key": case.key, "heard": ears.hear(wave), "seconds": len(wave) / speaking.SAMPLE_RATE_HZ}
    row |= {"own": own, "others": float(np.mean(list(likeness.values()))), "nearest": own > max(likeness.values())}
    row |= pitch_figures(track) | ears.pleasant(wave) | {"clicks": artefacts.clicks(wave)}
    if reading.truth is not None and case.part != "teacher":
        row |= contour(track, wave, reading.truth)
        if case.part == "copy":
            a, b = mel_spectrogram(wave), mel_spectrogram(reading.truth)
            n = min(len(a), len(b))
            row["copy_distance"] = float(np.abs(a[:n] - b[:n]).mean())
    return row


def pitch_figures(track: Pitch) -> dict[str, float]:
    """Share of voiced frames; median in Hz and spread in semitones, left out where too little is voiced."""
    hz = track.hz[np.isfinite(track.hz)]
    found = {"voiced": len(hz) / max(len(track.hz), 1)}
    if len(hz) >= _FEWEST_VOICED:
        found |= {"pitch_hz": float(np.median(hz)), "pitch_spread": float(np.std(12 * np.log2(hz)))}
    return found


def contour(track: Pitch, wave: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Correlation of the logarithm of the pitch with the teacher's, and their ratio, along a warping of the mels."""
    path = align(mel_spectrogram(wave), mel_spectrogram(truth)).path
    theirs = pitch(truth, speaking.SAMPLE_RATE_HZ).hz
    path = path[(path[:, 0] < len(track.hz)) & (path[:, 1] < len(theirs))]
    a, b = np.log2(track.hz[path[:, 0]]), np.log2(theirs[path[:, 1]])
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < _FEWEST_VOICED or a[both].std() < 1e-6 or b[both].std() < 1e-6:
        return {}
    correlation = float(np.corrcoef(a[both], b[both])[0, 1])
    return {"pitch_correlation": correlation, "pitch_ratio": float(2 ** np.median(a[both] - b[both]))}


def summary(rows: list[dict[str, Any]], spelling: Callable[[str], str]) -> dict[str, Any]:
    """Figures of some rows: errors over all words together, means of the rest."""
    wanted, heard = ([spelling(row[key]) for row in rows] for key in ("text", "heard"))
    words, characters = error_rates(wanted, heard)
    right = float(np.mean([a == b for a, b in zip(wanted, heard, strict=True)]))
    found: dict[str, Any] = {"readings": len(rows), "wer": words, "cer": characters, "texts_right": right}
    for name in MEANS:
        values = [row[name] for row in rows if name in row and np.isfinite(row[name])]
        if values:
            found[name] = float(np.mean(values))
    return found | {"clicks": sum(row["clicks"] for row in rows)}


def document(rows: list[dict[str, Any]], spelling: Callable[[str], str]) -> dict[str, Any]:
    """The whole result: each part, and within it each kind of text and each voice."""
    parts: dict[str, Any] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        mine = [row for row in rows if row["part"] == part]
        parts[part] = summary(mine, spelling)
        for key in ("kind", "voice"):
            groups = sorted({row[key] for row in mine})
            if len(groups) > 1:
                parts[part][f"by_{key}"] = {g: summary([r for r in mine if r[key] == g], spelling) for g in groups}
    return {"cfg_strength": SynthesisSettings().cfg_strength, "recogniser": "Whisper base", "parts": parts}


def evaluate(
    engine: Any, ears: Ears, work: Path, wanted: list[Case], teaching: Teaching | None, folder: Path | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Speak and hear all cases that `work/rows.jsonl` does not hold yet.

    Args:
        folder: of the voice, where the references are; None is the bundled one.

    Returns:
        The document and the rows of `wanted`.
    """
    if teaching:
        sentences = [c for c in wanted if c.part == f"voice_{min(c.nfe_step for c in wanted)}"]
        wanted = [Case(part, c.kind, c.text, c.voice, 0) for part in ("teacher", "copy") for c in sentences] + wanted
    path = work / "rows.jsonl"
    work.mkdir(parents=True, exist_ok=True)
    done = {row["key"]: row for row in map(json.loads, path.read_text("utf-8").splitlines())} if path.exists() else {}
    known, began = voices(folder, teaching), time.monotonic()
    prints = {name: ears.voice(voice.audio) for name, voice in known.items()}
    left = [case for case in wanted if case.key not in done]
    with path.open("a", encoding="utf-8") as file:
        for k, reading in enumerate(readings(engine, left, known, teaching)):
            row = measure(reading, ears, prints)
            done[row["key"]] = row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            pace = (time.monotonic() - began) / (k + 1)
            log.info(
                "%d of %d  %s  %s  %.0f s left", k + 1, len(left), row["part"], row["heard"], pace * (len(left) - k - 1)
            )
    rows = [done[case.key] for case in wanted]
    return document(rows, ears.spelling), rows
