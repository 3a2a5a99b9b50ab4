"""Changes that the vocoder makes to the model's mel. torchaudio computes the mel of the audio."""

from __future__ import annotations

from workbench.engine.measures.registry import SOUND, measure
from workbench.engine.measures.subjects import Sound
from workbench.engine.signal import spectra


@measure(
    "level_offset_db", "dB",
    "Level of the audio over the level of the model's mel, in loud parts. A quiet reference lowers it.",
    of=(SOUND,), label="audio over mel", digits=1, needs=("torchaudio",),
    misleads="where the speech is very short or silent.",
)  # fmt: skip
def level_offset(sound: Sound) -> float | None:
    """Return the median difference in dB; None for a recording, which has no model mel."""
    model = sound.model_decibels
    return None if model is None else spectra.level_offset(model, sound.heard_decibels)


@measure(
    "vocoder_change_db", "dB",
    "Mean magnitude of the vocoder's changes to the model's mel, in audible parts and without the level offset.",
    of=(SOUND,), label="vocoder changed, mean", better="lower", digits=1, needs=("torchaudio",),
    misleads="as a mark of quality: a change that cannot be heard counts as one that can.",
)  # fmt: skip
def vocoder_change(sound: Sound) -> float | None:
    """Return the mean change in dB; None for a recording."""
    model = sound.model_decibels
    return None if model is None else spectra.mean_change(model, sound.heard_decibels)
