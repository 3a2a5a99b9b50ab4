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
from workbench.engine.runs.store import RunSummary, list_runs
from workbench.engine.settings import MelConfig
from workbench.engine.signal import audio, spectra
from workbench.engine.signal.pitch import Pitch
from workbench.ui import style
from workbench.ui.resources import bundled_voice, bundled_voices, kept, saved_run

FILE_MAX_SECONDS = 180.0
RUN, REFERENCE, FILE = "Run", "Reference", "File"


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
    title = f"run {run_id}"
    made = "Mel, as the model made it"
    if chunk is not None and 0 <= chunk < len(run.chunks):
        one = run.chunks[chunk]
        name = f"{title}, chunk {chunk + 1}"
        key = f"run:{run_id}:{chunk}"
        return Source(key, name, one.wave, run.mel_config, one.mel, made, text=one.chunk.text)
    lengths = [len(c.wave) for c in run.chunks]
    borders = tuple(spectra.chunk_borders(run.starts, lengths, run.sample_rate))
    return Source(
        f"run:{run_id}",
        title,
        run.wave,
        run.mel_config,
        run.mel,
        made,
        borders,
        run.text,
        tuple(run.starts[1:]),
        run.fade_samples,
    )


def of_voice(name: str) -> Source:
    """Return the reference recording of a bundled or saved voice.

    Raises:
        VoiceError: there is no such voice.
    """
    voice = bundled_voice(name)
    title = "Mel, as the model is given it"
    return Source(
        f"voice:{voice.id}", f"reference {name}", voice.audio, voice.mel_config, voice.mel, title, text=voice.ref_text
    )


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


def fourier(source: Source) -> np.ndarray:
    """Return the linear spectrogram of the audio in dB [frames, n_fft // 2 + 1]."""
    config = source.config
    return kept().get(
        ("fourier", source.key), lambda: spectra.stft_decibels(source.wave, config.n_fft, config.hop_length)
    )


def pitch_of(source: Source) -> Pitch:
    """Return the fundamental frequency of the audio."""
    return measurable(source).pitch


def sound(source: Source) -> bytes:
    """Return WAV bytes at the true level; ``st.audio`` would scale an array to full scale."""
    return kept().get(("wav", source.key), lambda: audio.to_bytes(source.wave, source.sample_rate))


def slice_sound(source: Source, span: tuple[float, float]) -> bytes | None:
    """Return WAV bytes of ``source`` within ``span`` (start, end in seconds); None if it holds no samples."""
    first, last = (round(max(0.0, at) * source.sample_rate) for at in sorted(span))
    part = source.wave[first:last]
    return audio.to_bytes(part, source.sample_rate) if len(part) else None


def run_label(summary: RunSummary) -> str:
    """Return one line that names a run in a list: star, time, length, start of the text."""
    star = "★ " if summary.star else ""
    text = " ".join(summary.text.split())
    when = summary.created_at[5:16].replace("T", " ")
    return f"{star}{when} · {summary.seconds:.1f} s · {text[:60]}{'…' if len(text) > 60 else ''}"


def choose_run(label: str, key: str, runs: list[RunSummary], wanted: str | None = None) -> str:
    """Draw a box with ``runs``, ``wanted`` preselected. Returns the id of the chosen run."""
    ids = [run.id for run in runs]
    labels = {run.id: run_label(run) for run in runs}
    index = ids.index(wanted) if wanted in ids else 0
    if wanted and wanted not in ids:
        st.warning("The run in the address does not exist; it may have been deleted.", icon=":material/search_off:")
    return st.selectbox(label, ids, index=index, format_func=lambda i: labels.get(i, i), key=f"{key}_{wanted or ''}")


def choose(letter: str, *, wanted_run: str | None = None, wanted_chunk: int | None = None) -> Source | None:
    """Draw the widgets to choose a source; return None while none is chosen. A starts at the newest run, B at the next.

    Raises:
        WorkbenchError: the chosen source cannot be read.
    """
    runs = list_runs()
    kinds = [RUN, REFERENCE, FILE]
    kind = st.segmented_control(
        f"Source {letter}", kinds, default=RUN if runs else REFERENCE, required=True, key=f"kind_{letter}"
    )
    if kind == RUN:
        if not runs:
            style.empty("No run yet. Make one on the page <b>Synthesize</b>, or choose a reference.")
            return None
        if letter != "A" and wanted_run is None and len(runs) > 1:
            wanted_run = runs[1].id
        run_id = choose_run(f"Run {letter}", f"run_{letter}", runs, wanted_run)
        chosen = next(run for run in runs if run.id == run_id)
        count = chosen.n_chunks
        options = [*([] if chosen.is_long else [-1]), *range(count)]  # None would be an empty box
        first = options.index(wanted_chunk) if wanted_chunk in options else 0
        chunk = st.selectbox(
            f"Part {letter}",
            options,
            index=first,
            format_func=lambda k: "the whole run" if k < 0 else f"chunk {k + 1} of {count}",
            key=f"chunk_{letter}_{run_id}",
        )
        return of_run(run_id, chunk if chunk >= 0 else None)
    if kind == REFERENCE:
        names = [voice.name for voice in bundled_voices()]
        return of_voice(st.selectbox(f"Reference {letter}", names, key=f"voice_{letter}"))
    upload = st.file_uploader(
        f"File {letter}: WAV, FLAC, OGG or MP3, {FILE_MAX_SECONDS:.0f} s at most", key=f"file_{letter}"
    )
    return of_file(upload.name, upload.getvalue()) if upload is not None else None
