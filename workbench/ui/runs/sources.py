"""Speech for the analysis pages: a run, a chunk, a reference recording or a file. Each is read and analysed once.

Results are cached by a key (id of the run, id of the voice, sha256 of a file), never by the samples: Streamlit hashes
only a part of a long array.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

from workbench.engine.measures import Sound
from workbench.engine.runs.exports.textgrid import chunk_intervals
from workbench.engine.runs.store import RunSummary, run_folder, version_of
from workbench.engine.settings import MelConfig
from workbench.engine.signal import audio, spectra
from workbench.engine.signal.pitch import Pitch
from workbench.ui import dock
from workbench.ui.resources import bundled_voice, kept, saved_run

FILE_MAX_SECONDS = 180.0
# in the name of a run, so that two names differ, unless the value is usual
_TOLD = {
    "nfe_step": "NFE {}",
    "seed": "seed {}",
    "max_chunk_bytes": "{} B",
    "speed": "speed {}",
    "cfg_strength": "CFG {}",
}
_USUAL = {"speed": 1.0, "cfg_strength": 2.0}


@dataclass(frozen=True, eq=False)
class Source:
    """Speech to analyse.

    Attributes:
        key: equal for equal content.
        title: shown to users; plain text, not escaped.
        wave: float32 [n_samples].
        config: mel settings with the sample rate.
        mel: natural-log mel [frames, 100]: the model's output for a run, its input for a reference, None for a file.
        model_title: title of this mel.
        borders: of chunks, as ``spectra.chunk_borders``.
        text: spoken words; empty if unknown.
        joins, fade: as in ``measures.Sound``.
        run_id, voice, chunk: where it comes from; "" and None for others, and None for a whole run.
        intervals: (start, end, text) of its chunks, in seconds.
        starts_at: second of the run at which a chunk begins.
        language: of the text, ISO 639-1; "" if unknown.
    """

    key: str
    title: str
    wave: np.ndarray
    config: MelConfig
    mel: np.ndarray | None = None
    model_title: str = ""
    borders: tuple[tuple[float, float], ...] = ()
    text: str = ""
    joins: tuple[int, ...] = ()
    fade: int = 0
    run_id: str = ""
    voice: str = ""
    chunk: int | None = None
    intervals: tuple[tuple[float, float, str], ...] = ()
    starts_at: float = 0.0
    language: str = ""

    @property
    def model(self) -> np.ndarray | None:
        """``mel`` in dB."""
        return measurable(self).model_decibels

    @property
    def sample_rate(self) -> int:
        return self.config.target_sample_rate

    @property
    def seconds(self) -> float:
        return len(self.wave) / self.sample_rate


def of_run(run_id: str, chunk: int | None) -> Source:
    """Return a run, or the chunk with index ``chunk``; the run if there is no such chunk.

    Raises:
        RunError: the run does not exist or is damaged.
    """
    run = saved_run(run_id)
    title, made, language = f"run {run_id}", "Mel, as the model made it", run.request.voice.language
    stamp = version_of(run_folder(run_id))  # another take of a chunk is another sound
    if chunk is not None and 0 <= chunk < len(run.chunks):
        one, starts_at = run.chunks[chunk], run.starts[chunk] / run.sample_rate
        return Source(
            f"run:{run_id}:{chunk}:{stamp}", f"{title}, chunk {chunk + 1}", one.wave, run.mel_config, one.mel, made,
            text=one.chunk.text, run_id=run_id, chunk=chunk, intervals=((0.0, one.audio_seconds, one.chunk.text),),
            starts_at=starts_at, language=language,
        )  # fmt: skip
    borders = tuple(spectra.chunk_borders(run.starts, [len(c.wave) for c in run.chunks], run.sample_rate))
    return Source(
        f"run:{run_id}:{stamp}", title, run.wave, run.mel_config, run.mel, made, borders, run.text,
        tuple(run.starts[1:]), run.fade_samples, run_id=run_id, intervals=tuple(chunk_intervals(run)),
        language=language,
    )  # fmt: skip


def of_voice(name: str) -> Source:
    """Return the reference recording of a bundled or saved voice.

    Raises:
        VoiceError: there is no such voice.
    """
    voice = bundled_voice(name)
    title = "Mel, as the model is given it"
    seconds = len(voice.audio) / voice.mel_config.target_sample_rate
    return Source(
        f"voice:{voice.id}", f"reference {name}", voice.audio, voice.mel_config, voice.mel, title, text=voice.ref_text,
        intervals=((0.0, seconds, voice.ref_text),), language=voice.language, voice=name,
    )  # fmt: skip


def of_file(name: str, content: bytes) -> Source:
    """Return an uploaded file. ``name`` is shown and used for nothing else.

    Raises:
        AudioError: the file cannot be read or is silent.
    """
    shown = "".join(c if c.isprintable() else "?" for c in name)[-60:] or "the file"
    key, config = f"file:{hashlib.sha256(content).hexdigest()}", MelConfig()

    def read() -> np.ndarray:
        return audio.read_audio(content, config.target_sample_rate, name=shown, max_seconds=FILE_MAX_SECONDS)

    return Source(key, shown, kept().get(key, read), config)


def measurable(source: Source) -> Sound:
    """Return the source as a ``Sound`` for measures; it caches what they compute."""

    def make() -> Sound:
        s = source
        return Sound(s.wave, s.config, s.mel, s.text, joins=s.joins, fade=s.fade)

    return kept().get(("sound", source.key), make)


def heard_mel(source: Source) -> np.ndarray:
    """Return the mel of the audio in dB [frames, 100]."""
    with st.spinner("Analysing the audio"):
        return measurable(source).heard_decibels


def pitch_of(source: Source) -> Pitch:
    """Return the fundamental frequency of the audio."""
    return measurable(source).pitch


def playable(source: Source) -> dock.Sound:
    """Return ``source`` for the player: a run by its chunks, a chunk on the time axis of its run, others by bytes."""
    if source.run_id:
        run = saved_run(source.run_id)
        return dock.of_run(run) if source.chunk is None else dock.of_chunk(run, source.chunk)
    return dock.of_voice(bundled_voice(source.voice)) if source.voice else dock.of_bytes(sound(source), source.title)


def playable_span(source: Source, span: tuple[float, float]) -> dock.Sound | None:
    """Return ``source`` within ``span`` (start, end in seconds) for the player, on its time axis; None if empty."""
    part = slice_sound(source, span)
    whole = playable(source)
    low = max(0.0, min(span))
    title = f"{low:.2f} to {max(span):.2f} s of {whole.title}"
    timeline = whole.timeline or whole.key
    return dock.of_bytes(part, title, timeline=timeline, starts_at=source.starts_at + low) if part else None


def sound(source: Source) -> bytes:
    """Return WAV bytes at the true level."""
    return kept().get(("wav", source.key), lambda: audio.to_bytes(source.wave, source.sample_rate))


def slice_sound(source: Source, span: tuple[float, float]) -> bytes | None:
    """Return WAV bytes of ``source`` within ``span`` (start, end in seconds); None if it holds no samples."""
    first, last = (round(max(0.0, at) * source.sample_rate) for at in sorted(span))
    part = source.wave[first:last]
    return audio.to_bytes(part, source.sample_rate) if len(part) else None


def run_label(summary: RunSummary) -> str:
    """Return one line that names a run in a list: star, time, what it was made with, length, voice, start of the text.

    Lists cut it at its end, and runs of one text differ in what they were made with.
    """
    star = "★ " if summary.star else ""
    text = " ".join(summary.text.split())
    when = summary.created_at[5:16].replace("T", " ")
    known = {key: summary.settings.get(key) for key in _TOLD}
    made = [_TOLD[key].format(value) for key, value in known.items() if value not in (None, _USUAL.get(key))]
    short = f"{text[:40]}{'…' if len(text) > 40 else ''}"
    return " · ".join([f"{star}{when}", *made, f"{summary.seconds:.1f} s", summary.voice, short])
