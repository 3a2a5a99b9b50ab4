"""Small test sets on a tiny model, whose utterances take some milliseconds each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.evaluation import Evaluation, How, open_evaluation
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes

TEXTS = ("Just a few words.", "And a few more of them.", "Is this a question?")


def write_recording(path: Path, pitch_hz: float = 150) -> Path:
    """Three seconds of a buzz, as a WAV or FLAC file."""
    t = np.arange(72_000) / 24_000
    wave = 0.1 * np.sin(2 * np.pi * pitch_hz * t) * (1 + np.sin(2 * np.pi * 3 * t))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(wave.astype(np.float32), 24_000, path.suffix))
    return path


def write_csv(path: Path, *texts: str) -> Path:
    """A list with the ids u0, u1, ..."""
    path.write_text("id,text\n" + "".join(f'u{k},"{text}"\n' for k, text in enumerate(texts)), encoding="utf-8")
    return path


@pytest.fixture
def opened(tiny_home: Path, tmp_path: Path) -> Callable[..., Evaluation]:
    """Open an evaluation of some texts on the tiny model."""

    def make(*texts: str, steps: int = 1, seed: int = 0, out: str = "small", measures: tuple = ()) -> Evaluation:
        settings = SynthesisSettings(nfe_step=steps, seed=seed)
        how = How("tiny", settings=settings, load=LoadSettings(device="cpu", dtype="fp32"))
        path = write_csv(tmp_path / "set.csv", *(texts or TEXTS))
        return open_evaluation(path, how, measures=measures or ("voiced_percent",), out=tmp_path / out)

    return make
