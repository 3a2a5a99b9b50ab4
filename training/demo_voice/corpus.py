"""Speech to learn from: espeak-ng reads the texts in many voices; mels and exact frame labels are cached on disk.

A *group* is some utterances of one speaker (voice variant, pitch, intonation, tempo), so that a training row can be
put together as inference does it: a reference, then new words in the same voice. Each utterance is spoken at the rate
that gives it the group's frames per character, because inference decides the duration by that very rule.
Nothing of the corpus is committed.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.demo_voice import network
from training.demo_voice.espeak import Espeak, Speaker
from training.demo_voice.texts import CorpusError, TextSource
from workbench.engine.signal.mel import mel_spectrogram

SAMPLE_RATE_HZ, HOP = 24_000, 256
TRAIN_VARIANTS = ("", "m3", "m6", "m7", "m8", "Andy", "Mike", "max", "f1", "f4", "steph", "Annie")
MORE_VARIANTS = ("m2", "m5", "f2", "f3", "Andrea", "Denis", "Gene", "Jacky", "Lee", "Mario", "linda", "zac", "travis")
MORE_VARIANTS += ("quincy", "rob", "pedro", "Hugo", "edward", "adam", "paul", "belinda", "victor", "Alex", "marcelo")
MORE_SHARE = 0.2  # of the groups: farther from the held-out voices, so that strange voices are followed too
INVENTED_SHARE = 0.4  # of the groups: voices made up for that group alone (module `variants`)
TARGET_RMS = 0.1  # upstream's, for references
SILENCE, UNKNOWN = 0, 1
_LOUD = 0.01
_LENGTHS = ((1, 3), (4, 8), (9, 16), (17, 30))


@dataclass(frozen=True)
class CorpusPlan:
    """Size and spread of one shard of the corpus."""

    groups: int = 400
    utterances_per_group: int = 10
    length_weights: tuple[float, ...] = (0.32, 0.36, 0.24, 0.08)  # of _LENGTHS, in words
    frames_per_char: tuple[float, float] = (4.6, 6.2)
    tempo_spread: float = 0.06  # standard deviation of the logarithm, around the group's tempo
    keep_audio_every: int = 6  # groups whose audio is kept for the vocoder


@dataclass
class Utterance:
    """One spoken text: ids [n], mel f32 [frames, 100], phone label of each frame u8 [frames], audio f32."""

    text: str
    ids: list[int]
    mel: np.ndarray
    phones: np.ndarray
    audio: np.ndarray
    words: list[tuple[int, int]] = field(default_factory=list)  # mel frame and character at which each word begins


def random_speaker(espeak: Espeak, rng: random.Random) -> Speaker:
    """A speaker for a group; the rate is set per utterance."""
    draw = rng.random()
    if draw < INVENTED_SHARE:
        variant = espeak.new_variant(rng)
    else:
        variant = rng.choice(MORE_VARIANTS if draw < INVENTED_SHARE + MORE_SHARE else TRAIN_VARIANTS)
    return Speaker(variant, rng.randint(28, 72), rng.randint(30, 60))


def trim(wave: np.ndarray) -> tuple[int, int]:
    """First and one-past-last sample of the speech in `wave` (24 kHz), with 20 ms before and 40 ms after."""
    loud = np.flatnonzero(np.abs(wave) > _LOUD)
    if not len(loud):
        return 0, len(wave)
    return max(0, int(loud[0]) - 480), min(len(wave), int(loud[-1]) + 960)


def frame_labels(
    phones: list[tuple[int, str]], offset: int, n_frames: int, scale: float, table: dict[str, int]
) -> np.ndarray:
    """Phone of each mel frame, u8 [n_frames]; `offset` 24 kHz samples were cut, `scale` converts sample positions."""
    labels = np.full(n_frames, SILENCE, np.uint8)
    for sample, name in phones:
        label = SILENCE if name.startswith("_") or not name else table.get(name, UNKNOWN)
        labels[max(0, round((sample * scale - offset) / HOP)) :] = label
    return labels


def record(espeak: Espeak, text: str, table: dict[str, int]) -> Utterance | None:
    """Speak and label `text` with the speaker now in use: resampled to 24 kHz, trimmed, levelled. None if silent."""
    import soxr

    wave, phones = espeak.speak(text)
    if len(wave) < 2000:
        return None
    wave = soxr.resample(wave, espeak.sample_rate_hz, SAMPLE_RATE_HZ)
    start, end = trim(wave)
    wave = wave[start:end]
    rms = float(np.sqrt(np.mean(wave**2)))
    if rms < 1e-4:
        return None
    wave = np.clip(wave * (TARGET_RMS / rms), -1, 1).astype(np.float32)
    mel = mel_spectrogram(wave)
    labels = frame_labels(phones, start, len(mel), SAMPLE_RATE_HZ / espeak.sample_rate_hz, table)
    scale = SAMPLE_RATE_HZ / espeak.sample_rate_hz
    words = [(max(0, round((sample * scale - start) / HOP)), at) for sample, at in espeak.words]
    words = [w for k, w in enumerate(words) if w[1] > max((v[1] for v in words[:k]), default=-1)]  # clause ends repeat
    return Utterance(text, network.tokens(text), mel, labels, wave, words)


def fitted_rate(espeak: Espeak, speaker: Speaker, text: str, frames: float) -> int:
    """Words per minute at which `text` takes about `frames` mel frames."""
    espeak.use(speaker)
    wave, _ = espeak.speak(text)
    start, end = trim(wave)  # at 22.05 kHz; margins differ by a few milliseconds
    natural = (end - start) / espeak.sample_rate_hz * SAMPLE_RATE_HZ / HOP
    return int(np.clip(speaker.rate_wpm * natural / frames, 100, 340))


def phone_table(espeak: Espeak, source: TextSource, samples: int = 600) -> dict[str, int]:
    """Number the phones of espeak-ng's events from 2 (0 silence, 1 unknown)."""
    names: dict[str, int] = {}
    for _ in range(samples):
        for _, name in espeak.speak(source.utterance(source.rng.randint(3, 9)))[1]:
            if name and not name.startswith("_"):
                names[name] = names.get(name, 0) + 1
    return {name: i + 2 for i, name in enumerate(sorted(n for n, c in names.items() if c >= 3))}


def record_group(
    espeak: Espeak, source: TextSource, plan: CorpusPlan, table: dict[str, int]
) -> tuple[Speaker, list[Utterance]]:
    """Utterances of one random training speaker, each near the group's tempo."""
    rng = source.rng
    speaker = random_speaker(espeak, rng)
    tempo = rng.uniform(*plan.frames_per_char)
    done: list[Utterance] = []
    while len(done) < plan.utterances_per_group:
        low, high = rng.choices(_LENGTHS, plan.length_weights)[0]
        text = source.utterance(rng.randint(low, high))
        if len(text) > 190:
            continue
        wanted = (len(text) + 1) * tempo * math.exp(rng.gauss(0, plan.tempo_spread))
        rate = fitted_rate(espeak, speaker, text, wanted)
        espeak.use(Speaker(speaker.variant, speaker.pitch, speaker.pitch_range, rate))
        utterance = record(espeak, text, table)
        if utterance is not None:
            done.append(utterance)
    return speaker, done


def write_shard(folder: Path, number: int, plan: CorpusPlan, table: dict[str, int], seed: int) -> int:
    """Speak and cache one shard; returns its frames. Files: `shard-N.npz` and `audio-N.npz` for the vocoder."""
    espeak, source = Espeak(invents=True), TextSource.load(seed * 1000 + number)
    mels, labels, ids, rows, words, audio, heard = [], [], [], [], [], [], []
    for group in range(plan.groups):
        _, utterances = record_group(espeak, source, plan, table)
        for u in utterances:
            if group % plan.keep_audio_every == 0 and len(u.audio) > SAMPLE_RATE_HZ:
                audio.append(u.audio)
                heard.append(len(rows))
            rows.append((number * 100_000 + group, len(u.mel), len(u.ids), len(u.words)))
            words += u.words
            mels.append(u.mel.astype(np.float16))
            labels.append(u.phones)
            ids.append(np.array(u.ids, np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    flat = {"mel": np.concatenate(mels), "phones": np.concatenate(labels), "ids": np.concatenate(ids)}
    flat |= {"rows": np.array(rows, np.int64), "words": np.array(words, np.int64).reshape(-1, 2)}
    np.savez(folder / f"shard-{number}.npz", **flat)
    lengths = np.array([len(a) for a in audio], np.int64)
    np.savez(
        folder / f"audio-{number}.npz",
        lengths=lengths,
        utterances=np.array(heard, np.int64),
        audio=np.concatenate(audio) if audio else np.zeros(0, np.float32),
    )
    return len(flat["mel"])


def kept_audio(folder: Path) -> list[tuple[int, np.ndarray]]:
    """The audio that was kept, f32 (in 16 bits the noise of rounding fills the bands that are empty).

    Returns:
        Number of the utterance in `Corpus.load(folder)`, and its wave.

    Raises:
        CorpusError: the audio is of an earlier version, which did not say whose it is.
    """
    found, first = [], 0
    for path in sorted(folder.glob("shard-*.npz")):
        with np.load(path) as shard, np.load(path.with_name(path.name.replace("shard", "audio", 1))) as kept:
            if "utterances" not in kept:
                raise CorpusError(
                    f"{path.parent}: audio without the numbers of its utterances",
                    remedy="delete this folder and run `python -m training.demo_voice corpus` again",
                )
            waves = np.split(kept["audio"], np.cumsum(kept["lengths"])[:-1])  # one, empty, if there are none
            found += [(first + int(i), wave) for i, wave in zip(kept["utterances"], waves, strict=False)]
            first += len(shard["rows"])
    return found


@dataclass
class Corpus:
    """A cached corpus in memory: utterances as slices of flat arrays, listed by group."""

    mel: list[np.ndarray]
    phones: list[np.ndarray]
    ids: list[np.ndarray]
    words: list[np.ndarray]  # [n_words, 2]: frame and character
    groups: list[list[int]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read all shards of `folder` (200 bytes a frame stay in memory)."""
        corpus, by_group = cls([], [], [], []), {}
        for path in sorted(folder.glob("shard-*.npz")):
            with np.load(path) as shard:
                mel, phones, ids, rows, words = (shard[k] for k in ("mel", "phones", "ids", "rows", "words"))
            at = chars = word = 0
            for group, n_frames, n_chars, n_words in rows.tolist():
                by_group.setdefault(group, []).append(len(corpus.mel))
                corpus.mel.append(mel[at : at + n_frames])
                corpus.phones.append(phones[at : at + n_frames])
                corpus.ids.append(ids[chars : chars + n_chars])
                found = words[word : word + n_words]
                before = np.concatenate([[-1], np.maximum.accumulate(found[:, 1])[:-1]])
                corpus.words.append(found[found[:, 1] > before])
                at, chars, word = at + n_frames, chars + n_chars, word + n_words
        corpus.groups = list(by_group.values())
        return corpus

    @property
    def frames(self) -> int:
        """Total mel frames."""
        return sum(len(m) for m in self.mel)
