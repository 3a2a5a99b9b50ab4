"""What the voice sounds like while it is trained: the same sentences after every so many steps, beside the curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from training.demo_voice import export, network
from training.demo_voice.corpus import SAMPLE_RATE_HZ, record
from training.demo_voice.espeak import Espeak
from training.demo_voice.speaking import SamplerSettings, decode, generate_mel
from workbench.engine.signal.audio import write_audio

TEXTS = {"short": "Good evening.", "long": "Three grey birds sat on the wall, and none of them would sing before noon."}


class Samples:
    """Speaks `TEXTS` at 7 steps in the voice of the first bundled reference.

    Args:
        folder: where `step-000500-short.flac` goes.
        vocoder: a Vocos, on the CPU.
    """

    def __init__(self, folder: Path, vocoder: Any, espeak: Espeak) -> None:
        _, speaker, text = export.VOICES[0]
        espeak.use(speaker)
        self.folder, self.vocoder = folder, vocoder
        self.reference = record(espeak, text, {})
        self.cfm = network.build_cfm().eval()

    def write(self, transformer: nn.Module, step: int) -> list[Path]:
        """Speak with the weights of `transformer`; returns the files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cfm.transformer.load_state_dict(transformer.state_dict())
        found = []
        for name, text in TEXTS.items():
            mel = generate_mel(self.cfm, self.reference, text, SamplerSettings(nfe_step=7))
            path = self.folder / f"step-{step:06d}-{name}.flac"
            found.append(write_audio(path, decode(self.vocoder, mel), SAMPLE_RATE_HZ))
        return found
