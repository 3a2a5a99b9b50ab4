"""Whose voice it sounds like: cosine of speaker embeddings, by the network and weights of Resemblyzer (GE2E, Wan 2018).

Only the weights are taken from its package. Its code needs webrtcvad, which imports a module that setuptools no longer
has; the network is three layers of LSTM, and silence is left out by level here.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine import upstream
from workbench.engine.errors import RecogniserError, WorkbenchError
from workbench.engine.measures.registry import SECONDS, SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import audio
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice

_RATE, _N_MELS, _WIDTH = 16_000, 40, 256
_PART_FRAMES, _HOP = 160, 160  # 1.6 s, of which the network hears 1.3 a second
_STEP_FRAMES, _COVERED = 77, 0.75
_LEVEL = 10 ** (-30 / 20)  # quieter speech is raised to it
_QUIET_DECIBELS, _WINDOW_SECONDS, _KEPT_WINDOWS = 40.0, 0.03, 4
_LOCK = threading.Lock()
_NEEDS = ("resemblyzer",)


@lru_cache(1)
def _network() -> Any:
    """The LSTM, its projection and the mel transform; loaded once. Raises RecogniserError if the weights are gone."""
    import torch

    upstream.install()
    import torchaudio

    found = find_spec("resemblyzer")
    path = Path(found.origin).with_name("pretrained.pt") if found and found.origin else Path("pretrained.pt")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    except (OSError, KeyError, RuntimeError) as error:
        raise RecogniserError(
            f"The weights of Resemblyzer cannot be read ({path.name}).", remedy="Install it again."
        ) from error
    lstm = torch.nn.LSTM(_N_MELS, _WIDTH, 3, batch_first=True)
    linear = torch.nn.Linear(_WIDTH, _WIDTH)
    for name, part in (("lstm", lstm), ("linear", linear)):
        part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")})
    mel = torchaudio.transforms.MelSpectrogram(
        _RATE, n_fft=400, hop_length=_HOP, n_mels=_N_MELS, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )
    return lstm, linear, mel


def _without_silence(wave: np.ndarray) -> np.ndarray:
    """``wave`` without silence beyond about 0.1 s beside speech."""
    size = round(_WINDOW_SECONDS * _RATE)
    levels = audio.levels(wave, _RATE, _WINDOW_SECONDS)
    heard = levels > np.percentile(levels, 95) - _QUIET_DECIBELS
    kept = np.convolve(heard, np.ones(2 * _KEPT_WINDOWS + 1), "same") > 0
    return wave[np.repeat(kept, size)[: len(wave)]]


@lru_cache(64)
def _embedded(content: bytes, rate: int) -> np.ndarray:
    import torch

    wave = audio.resample(np.frombuffer(content, np.float32), rate, _RATE)
    level = audio.rms(wave)
    wave = _without_silence(wave * np.float32(max(1.0, _LEVEL / max(level, 1e-9))))
    n_frames = int(np.ceil((len(wave) + 1) / _HOP))
    starts = list(range(0, max(1, n_frames - _PART_FRAMES + _STEP_FRAMES + 1), _STEP_FRAMES))
    if len(starts) > 1 and (len(wave) / _HOP - starts[-1]) / _PART_FRAMES < _COVERED:
        starts.pop()
    padded = np.pad(wave, (0, max(0, (starts[-1] + _PART_FRAMES) * _HOP - len(wave))))
    with _LOCK, torch.inference_mode():
        lstm, linear, mel = _network()
        frames = mel(torch.from_numpy(padded.astype(np.float32))).T
        parts = torch.stack([frames[at : at + _PART_FRAMES] for at in starts])
        raw = torch.relu(linear(lstm(parts)[1][0][-1]))
        mean = torch.nn.functional.normalize(raw, dim=1).mean(0)
        found: np.ndarray = (mean / mean.norm().clamp_min(1e-9)).numpy()
    return found


def embedding(wave: np.ndarray, rate: int) -> np.ndarray:
    """Unit vector [256] of the voice in ``wave``, float32 [n_samples] at ``rate`` Hz; the product of two is the cosine.

    Raises:
        RecogniserError: the weights cannot be read.
    """
    return _embedded(np.ascontiguousarray(wave, np.float32).tobytes(), rate)


def _cosine(sound: Sound, other: np.ndarray, rate: int) -> float:
    return float(embedding(sound.wave, sound.config.target_sample_rate) @ embedding(other, rate))


@lru_cache(1)
def _others() -> tuple[tuple[str, np.ndarray, int], ...]:
    """(name, samples, rate) of each bundled voice."""
    found = []
    for voice in list_voices():
        try:
            loaded = load_voice(voice.name)
        except WorkbenchError:  # a damaged one is no voice to compare with
            continue
        found.append((voice.name, loaded.audio, loaded.mel_config.target_sample_rate))
    return tuple(found)


@measure(
    "speaker_similarity", "", "Cosine of the speaker embeddings of the speech and of its reference, 0 to 1.",
    of=(SOUND,), label="speaker similarity", better="higher", needs=_NEEDS, cost=SECONDS,
    misleads="below two seconds, between recordings of other rooms, and as an absolute number: look at the nearest "
    "other voice beside it.",
)  # fmt: skip
def speaker_similarity(sound: Sound) -> float | None:
    """Cosine; None without a reference or samples."""
    if sound.reference is None or not len(sound.wave):
        return None
    return _cosine(sound, sound.reference, sound.config.target_sample_rate)


@measure(
    "nearest_other_similarity", "", "The same to the bundled voice, other than its own, that it sounds most like.",
    of=(SOUND,), label="nearest other voice", better="lower", needs=_NEEDS, cost=SECONDS,
    misleads="where one of the bundled voices happens to be alike, or is the same under another name.",
)  # fmt: skip
def nearest_other(sound: Sound) -> float | None:
    """Cosine; None without samples or without other voices."""
    if not len(sound.wave):
        return None
    return max((_cosine(sound, w, r) for name, w, r in _others() if name.lower() != sound.voice.lower()), default=None)
