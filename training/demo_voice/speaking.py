"""Speaking with a model during training and evaluation: upstream's own `CFM.sample`, upstream's own duration rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.demo_voice import network
from training.demo_voice.corpus import HOP, SAMPLE_RATE_HZ, Utterance
from workbench.engine import upstream
from workbench.engine.rules import SHORT_TEXT_BYTES, SHORT_TEXT_SPEED
from workbench.engine.signal.mel import mel_spectrogram

_TAIL_SAMPLES = SAMPLE_RATE_HZ // 20  # the 50 ms of silence that upstream leaves after a reference


@dataclass(frozen=True)
class SamplerSettings:
    """Upstream's knobs for one evaluation."""

    nfe_step: int = 32
    cfg_strength: float = 2.0
    sway_sampling_coef: float = -1.0
    seed: int = 0


def duration_frames(ref_frames: int, ref_text: str, gen_text: str) -> int:
    """Total frames by upstream's rule (`infer_batch_process`), slow below ten bytes as there."""
    speed = SHORT_TEXT_SPEED if len(gen_text.encode()) < SHORT_TEXT_BYTES else 1.0
    return ref_frames + int(ref_frames / len(ref_text.encode()) * len(gen_text.encode()) / speed)


def generate_mel(cfm: Any, reference: Utterance, text: str, settings: SamplerSettings) -> np.ndarray:
    """Speak `text` in the voice of `reference`: log mel f32 [frames, 100] of the new part alone."""
    wave = np.concatenate([reference.audio, np.zeros(_TAIL_SAMPLES, np.float32)])
    ref_frames = len(wave) // HOP
    ref_text = reference.text + " "
    upstream.install()
    from f5_tts.model.utils import convert_char_to_pinyin

    with torch.inference_mode():
        out, _ = cfm.sample(
            cond=torch.from_numpy(mel_spectrogram(wave))[None, :ref_frames],
            text=convert_char_to_pinyin([ref_text + text]),
            duration=duration_frames(ref_frames, ref_text, text),
            steps=settings.nfe_step,
            cfg_strength=settings.cfg_strength,
            sway_sampling_coef=settings.sway_sampling_coef,
            seed=settings.seed,
        )
    return out[0, ref_frames:].float().numpy()


def decode(vocoder: Any, mel: np.ndarray) -> np.ndarray:
    """Wave f32 [n_samples] at 24 kHz of a log mel [frames, 100]."""
    with torch.inference_mode():
        return vocoder.decode(torch.from_numpy(np.ascontiguousarray(mel.T))[None])[0].numpy()


def model_of_checkpoint(path: str, arch: dict[str, Any] | None = None) -> Any:
    """Upstream's CFM with the averaged weights of a training checkpoint."""
    cfm = network.build_cfm(arch)
    state = torch.load(path, map_location="cpu", weights_only=True)
    cfm.transformer.load_state_dict(state["average"])
    return cfm.eval()
