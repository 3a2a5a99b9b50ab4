"""How well the demo voice speaks what it never saw: one JSON document and one page of plots.

Truth is espeak-ng's own reading of the held-out sentences by the held-out voices. Everything is measured on the
decoded audio, after the vocoder, as a listener would get it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from training.demo_voice import artefacts, metrics
from training.demo_voice.corpus import SAMPLE_RATE_HZ, SILENCE, Utterance
from training.demo_voice.espeak import Speaker
from training.demo_voice.held_out import Case
from training.demo_voice.recogniser import Recogniser
from training.demo_voice.records import log
from training.demo_voice.speaking import SamplerSettings, decode, generate_mel
from workbench.engine.signal.alignment import align
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.signal.pitch import pitch


@dataclass
class Spoken:
    """What was measured on one case."""

    kind: str
    text: str
    phones: int = 0
    errors: int = 0
    true_errors: int = 0
    vocoded_errors: int = 0
    words: metrics.WordCount = metrics.WordCount(0, 0, 0)
    mcd: dict[str, float] = field(default_factory=dict)
    pitch_correlation: float = float("nan")
    pitch_ratio: float = float("nan")
    voiced: dict[str, float] = field(default_factory=dict)
    voice_found: bool = False
    copy_distance: float = 0.0
    waves: dict[str, np.ndarray] = field(default_factory=dict)
    mel: np.ndarray | None = None


def _median(values: list[float] | np.ndarray) -> float:
    """Median of what is not NaN, NaN where nothing is voiced."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")


def _voiced(hz: np.ndarray) -> float:
    """Share of the frames that have a pitch: a hoarse voice has few."""
    return float(np.isfinite(hz).mean())


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no NaN


def word_phones(utterance: Utterance) -> list[list[int]]:
    """Phones of each word, from espeak-ng's word events; a phone that one falls into is the word's with more of it."""
    labels = utterance.phones
    starts = [frame for frame, _ in utterance.words[1:]]
    words: list[list[int]] = [[] for _ in range(len(starts) + 1)]
    for first, end in pairwise([0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]):
        if labels[first] != SILENCE:
            words[bisect_right(starts, (first + end - 1) / 2)].append(int(labels[first]))
    return words


def measure(
    case: Case,
    other: np.ndarray,
    prints: dict[Speaker, np.ndarray],
    cfm: Any,
    vocoder: Any,
    ear: Recogniser,
    how: SamplerSettings,
) -> Spoken:
    """Speak one case and measure it. `other` is another sentence's mel (chance); `prints` the held-out voices."""
    truth = metrics.collapse(case.truth.phones.tolist(), SILENCE)
    wave = decode(vocoder, generate_mel(cfm, case.reference, case.truth.text, how))
    mel = mel_spectrogram(wave)
    heard = ear.phones(mel)
    copied = decode(vocoder, case.truth.mel)
    copy = mel_spectrogram(copied)
    n = min(len(copy), len(case.truth.mel))
    aligned = align(mel, case.truth.mel)
    spoken_pitch, true_pitch = pitch(wave, SAMPLE_RATE_HZ).hz, pitch(case.truth.audio, SAMPLE_RATE_HZ).hz
    distances = {speaker: float(np.abs(metrics.voice_print(mel) - p).mean()) for speaker, p in prints.items()}
    return Spoken(
        kind=case.kind,
        text=case.truth.text,
        phones=len(truth),
        errors=metrics.edit_distance(heard, truth),
        true_errors=metrics.edit_distance(ear.phones(case.truth.mel), truth),
        vocoded_errors=metrics.edit_distance(ear.phones(copy), truth),
        words=metrics.count_words(heard, word_phones(case.truth)),
        mcd={
            "generated": aligned.mcd_decibels,
            "chance": align(other, case.truth.mel).mcd_decibels,
            "floor": align(case.other_tempo, case.truth.mel).mcd_decibels,
        },
        pitch_correlation=metrics.pitch_correlation(spoken_pitch, true_pitch, aligned.path),
        pitch_ratio=_median(spoken_pitch) / _median(true_pitch),
        voiced={
            "generated": _voiced(spoken_pitch),
            "copy_synthesis": _voiced(pitch(copied, SAMPLE_RATE_HZ).hz),
            "true": _voiced(true_pitch),
        },
        voice_found=min(distances, key=distances.__getitem__) == case.speaker,
        copy_distance=float(np.abs(copy[:n] - case.truth.mel[:n]).mean()),
        waves={"generated": wave, "copy_synthesis": copied, "true": case.truth.audio},
        mel=mel,
    )


def _clicks_per_minute(waves: list[np.ndarray]) -> float:
    return sum(map(artefacts.clicks, waves)) / (sum(map(len, waves)) / SAMPLE_RATE_HZ / 60)


def blemishes(spoken: list[Spoken]) -> dict[str, Any]:
    """Ring and clicks of the generated, the vocoded and the true waves."""
    waves = {k: [s.waves[k] for s in spoken] for k in spoken[0].waves}
    return {
        "ring_decibels": {k: _or_none(artefacts.ring_decibels(w)) for k, w in waves.items()},
        "clicks_per_minute": {k: _clicks_per_minute(w) for k, w in waves.items()},
    }


def summary(spoken: list[Spoken]) -> dict[str, Any]:
    """The main figures of a list of cases."""
    phones, words = sum(s.phones for s in spoken), sum(s.words.words for s in spoken)
    mcd = {k: float(np.mean([s.mcd[k] for s in spoken])) for k in ("generated", "chance", "floor")}
    return {
        "sentences": len(spoken),
        "phone_error_rate": sum(s.errors for s in spoken) / phones,
        "phone_error_rate_of_true_speech": sum(s.true_errors for s in spoken) / phones,
        "phone_error_rate_of_vocoded_true_speech": sum(s.vocoded_errors for s in spoken) / phones,
        "skipped_words": sum(s.words.skipped for s in spoken) / words,
        "repeated_words": sum(s.words.repeated for s in spoken) / words,
        "mcd_decibels": mcd,
        "mcd_from_chance_to_floor": (mcd["chance"] - mcd["generated"]) / (mcd["chance"] - mcd["floor"]),
        "pitch_correlation": _or_none(_median([s.pitch_correlation for s in spoken])),
        "pitch_ratio": _or_none(_median([s.pitch_ratio for s in spoken])),
        "voiced_frames": {k: float(np.mean([s.voiced[k] for s in spoken])) for k in spoken[0].voiced},
        "own_voice_is_nearest": float(np.mean([s.voice_found for s in spoken])),
        "copy_synthesis_log_mel_distance": float(np.mean([s.copy_distance for s in spoken])),
    }


def evaluate(
    cases: list[Case], cfm: Any, vocoder: Any, ear: Recogniser, how: SamplerSettings = SamplerSettings()
) -> tuple[dict[str, Any], list[Spoken]]:
    """Measure all cases: the document (overall, by kind, by voice) and the single measurements."""
    prints = {c.speaker: metrics.voice_print(c.reference.mel) for c in cases}
    spoken = []
    for case in cases:
        others = [c for c in cases if c.speaker == case.speaker and c is not case] or [
            c for c in cases if c is not case
        ]
        other = min(others, key=lambda c: abs(len(c.truth.mel) - len(case.truth.mel)))
        spoken.append(measure(case, other.truth.mel, prints, cfm, vocoder, ear, how))
        log.info("%d of %d: %d phones, %d wrong: %s", len(spoken), len(cases), spoken[-1].phones, spoken[-1].errors,
                 case.truth.text[:50])  # fmt: skip
    document = summary(spoken) | blemishes(spoken)
    document["nfe_step"], document["cfg_strength"] = how.nfe_step, how.cfg_strength
    document["by_kind"] = {k: _brief([s for s in spoken if s.kind == k]) for k in dict.fromkeys(s.kind for s in spoken)}
    document["by_voice"] = {
        speaker.variant: _brief([s for s, c in zip(spoken, cases, strict=True) if c.speaker == speaker])
        for speaker in prints
    }
    return document, spoken


def _brief(spoken: list[Spoken]) -> dict[str, float]:
    whole = summary(spoken)
    keys = ("sentences", "phone_error_rate", "skipped_words", "repeated_words", "mcd_from_chance_to_floor")
    voiced = whole["voiced_frames"]
    return {k: whole[k] for k in keys} | {
        "voiced_frames": voiced["generated"],
        "voiced_frames_of_true_speech": voiced["true"],
    }
