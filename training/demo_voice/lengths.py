"""Whether the voice holds at any length: errors by the size and the number of chunks, and how long it takes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import soundfile
import torch

from training.demo_voice import metrics
from training.demo_voice.corpus import SAMPLE_RATE_HZ, SILENCE, Utterance, record
from training.demo_voice.espeak import Espeak
from training.demo_voice.evaluate import word_phones
from training.demo_voice.held_out import Case
from training.demo_voice.recogniser import Recogniser
from training.demo_voice.speaking import SamplerSettings, decode, generate_mel
from workbench.engine import catalog
from workbench.engine.model import loading
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.voices import Voice, make_voice
from workbench.lab.text_169 import TEXT_169

CHUNK_BYTES = 80  # of the texts in many chunks: about a sentence each


def by_chunk_size(
    cases: list[Case],
    cfm: Any,
    vocoder: Any,
    ear: Recogniser,
    espeak: Espeak,
    table: dict[str, int],
    how: SamplerSettings,
) -> dict[str, float]:
    """Phone error of held-out sentences joined to about 40, 100, 200 and 300 bytes, two of each."""
    found = {}
    for size in (40, 100, 200, 300):
        errors = total = 0
        for k in range(min(2, len(cases))):
            text = ""
            for case in cases[k::2]:
                if len(text) + len(case.truth.text) + 1 <= size:
                    text = f"{text} {case.truth.text}".strip()
            espeak.use(cases[k].speaker)
            truth = metrics.collapse(record(espeak, text, table).phones.tolist(), SILENCE)
            wave = decode(vocoder, generate_mel(cfm, cases[k].reference, text, how))
            errors += metrics.edit_distance(ear.phones(mel_spectrogram(wave)), truth)
            total += len(truth)
        found[f"{size}_bytes"] = errors / total
    return found


def voice_of(reference: Utterance) -> Voice:
    """The reference as a user would hand it in, but in float: rounding to 16 bits would fill its empty bands."""
    file = io.BytesIO()
    soundfile.write(file, reference.audio, SAMPLE_RATE_HZ, format="WAV", subtype="FLOAT")
    return make_voice(file.getvalue(), reference.text, name="reference")


def _engine(cfm: Any, vocoder: Any, dtype: str) -> Engine:
    spec, chosen = catalog.get_model(catalog.DEMO_VOICE), LoadSettings(device="cpu", dtype=dtype)
    return Engine(loading.load(spec, chosen, built=lambda: (cfm, vocoder)))


def latency(cfm: Any, vocoder: Any, reference: Utterance) -> dict[str, float | str]:
    """Seconds that the engine takes for TEXT_169 at 7 and 32 steps, in the number format it chooses here.

    To be measured last: `cfm` is cast in place, and upstream's model cannot be copied.
    """
    engine, voice = _engine(cfm, vocoder, "auto"), voice_of(reference)
    runs = {n: engine.run(TEXT_169, voice, SynthesisSettings(nfe_step=n)) for n in (7, 32)}
    seconds = {f"seconds_at_nfe_{n}": round(run.total_seconds, 2) for n, run in runs.items()}
    return {"dtype": engine.loaded.dtype, "threads": torch.get_num_threads()} | seconds


def cases_in_chunks(engine: Engine, voice: Voice, cases: list[Case], n: int, how: SynthesisSettings) -> list[Case]:
    """As many cases, in order and over again, as the engine cuts into at most `n` chunks."""
    chosen: list[Case] = []
    while True:
        more = [*chosen, cases[len(chosen) % len(cases)]]
        if chosen and len(engine.plan(" ".join(c.truth.text for c in more), voice, how)) > n:
            return chosen
        chosen = more


def by_number_of_chunks(
    cases: list[Case], cfm: Any, vocoder: Any, ear: Recogniser, how: SamplerSettings, counts: Sequence[int] = (1, 5, 40)
) -> dict[str, Any]:
    """Phone error and skipped words of texts in `counts` chunks, read by the engine and joined as a user hears them."""
    engine = _engine(cfm, vocoder, "fp32")
    voice = voice_of(cases[0].reference)
    settings = SynthesisSettings(
        nfe_step=how.nfe_step, cfg_strength=how.cfg_strength, max_chunk_bytes=CHUNK_BYTES, seed=how.seed
    )
    found = {}
    for count in counts:
        chosen = cases_in_chunks(engine, voice, cases, count, settings)
        run = engine.run(" ".join(c.truth.text for c in chosen), voice, settings)
        heard = ear.phones(mel_spectrogram(run.wave))
        truth = [p for c in chosen for p in metrics.collapse(c.truth.phones.tolist(), SILENCE)]
        words = metrics.count_words(heard, [w for c in chosen for w in word_phones(c.truth)])
        found[str(len(run.chunks))] = {
            "phone_error_rate": metrics.edit_distance(heard, truth) / len(truth),
            "skipped_words": words.skipped / words.words,
            "repeated_words": words.repeated / words.words,
        }
    return {"nfe_step": how.nfe_step, **found}
