"""What became of the model's mel on its way through the vocoder; the mel of the audio is torchaudio's."""

from __future__ import annotations

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import spectra


@measure(
    "level_offset_db", "dB",
    "How much louder the audio is than the mel the model made, where it is loud: the gain of a quiet reference.",
    of=(SOUND,), label="audio over mel", digits=1, needs="torchaudio",
)  # fmt: skip
def level_offset(sound: Sound) -> float | None:
    """Median difference in dB; None for a recording, which no model made."""
    model = sound.model_decibels
    return None if model is None else spectra.level_offset(model, sound.heard_decibels)


@measure(
    "vocoder_change_db", "dB",
    "Mean magnitude of what the vocoder changed of the mel the model made, where it is audible, level apart.",
    of=(SOUND,), label="vocoder changed, mean", better="lower", digits=1, needs="torchaudio",
)  # fmt: skip
def vocoder_change(sound: Sound) -> float | None:
    """Mean change in dB; None for a recording."""
    model = sound.model_decibels
    return None if model is None else spectra.mean_change(model, sound.heard_decibels)
