"""Voices: a reference recording, its words and its mel, prepared once and used for every chunk."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from workbench.engine import rules
from workbench.engine.errors import VoiceError
from workbench.engine.logs import pairs
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.signal import audio as sound
from workbench.engine.signal import quality
from workbench.engine.signal.decoding import Source
from workbench.engine.signal.mel import mel_spectrogram
from workbench.engine.speech.recordings.dictation import heard_words, told_of
from workbench.engine.speech.recordings.library import SavedVoice, list_voices, recording_of, refuse_damaged, same_name
from workbench.engine.speech.recordings.references import read_reference, reference_warnings
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.speech.text import Chunk, is_unicode, n_bytes, plan_chunks
from workbench.engine.text.preparing import Prepared
from workbench.engine.visible import quoted

log = logging.getLogger("workbench.voices")
_GIVE = "Give its original recording and words."


@dataclass(frozen=True, eq=False)
class Voice:
    """A prepared voice: a reference recording and its words.

    Attributes:
        id: sha256 of samples and text; equal voices have equal ids.
        name: shown to users.
        ref_text: words of the recording, ending in punctuation.
        audio: float32 [n_samples] at ``mel_config.target_sample_rate``, at its own level.
        rms: root mean square of ``audio``.
        warnings: oddities of the recording and probable problems, in words.
        preparation_seconds: time to read and prepare it, without its mel.
        recording: file it was read from; "" if it came from memory or with the project.
        heard_by: recogniser that filled in ``ref_text``; "" if a person wrote it.
    """

    id: str
    name: str
    ref_text: str
    audio: np.ndarray
    rms: float
    warnings: tuple[str, ...] = ()
    language: str = ""
    mel_config: MelConfig = field(default_factory=MelConfig)
    preparation_seconds: float = 0.0
    recording: str = ""
    heard_by: str = ""

    @property
    def ref(self) -> VoiceRef:
        """This voice for a request."""
        return VoiceRef(self.id, self.name, self.ref_text, self.language, self.recording, self.heard_by)

    @cached_property
    def pace_samples(self) -> int:
        """Number of samples that give the pace: all of ``audio`` except most of each long pause."""
        rate = self.mel_config.target_sample_rate
        return quality.pace_samples(len(self.audio), quality.long_pauses(self.audio, rate), rate)

    def plan(self, text: Prepared, settings: SynthesisSettings, window_frames: int = 8192) -> list[Chunk]:
        """The chunks of ``text`` in this voice. Raises as ``text.plan_chunks``, which says what the arguments are."""
        return plan_chunks(
            text, self.ref_text, len(self.audio), settings, self.mel_config, window_frames, self.pace_samples
        )

    @property
    def long_pauses(self) -> tuple[tuple[float, float], ...]:
        """(start, length) in seconds of the silences over one second in ``audio``."""
        rate = self.mel_config.target_sample_rate
        return tuple((first / rate, (end - first) / rate) for first, end in quality.long_pauses(self.audio, rate))

    @property
    def seconds(self) -> float:
        """Length of the reference in seconds."""
        return len(self.audio) / self.mel_config.target_sample_rate

    @property
    def frames(self) -> int:
        """Exact number of mel frames of the reference (upstream's is one less, which leaks a frame into the speech)."""
        return self.mel_config.frames_of(len(self.audio))

    @cached_property
    def mel(self) -> np.ndarray:
        """Mel at the default level, float32 [frames, n_mels]; computed on first use and kept."""
        return self.mel_at(SynthesisSettings().target_rms)

    def gain(self, target_rms: float) -> float:
        """Return the factor for the reference before it conditions the model: 1 unless it is below the target."""
        return target_rms / self.rms if self.rms < target_rms else 1.0

    def mel_at(self, target_rms: float) -> np.ndarray:
        """Return the mel [frames, n_mels] of the reference raised to ``target_rms``."""
        return mel_spectrogram(self.audio * np.float32(self.gain(target_rms)), self.mel_config)


def make_voice(
    source: Source,
    ref_text: str | None = None,
    *,
    name: str | None = None,
    language: str = "",
    mel_config: MelConfig = MelConfig(),
    shorten_pauses: bool = False,
) -> Voice:
    """Prepare a voice from any recording and its words, as upstream's ``preprocess_ref_audio_text`` does.

    The recording becomes mono and is resampled, clipped at a pause if over 12 s, trimmed at both ends, and extended by
    50 ms of silence.

    Args:
        source: path, bytes or open file.
        ref_text: words of the recording; with None a recogniser from the cache fills them in, and ``warnings`` say so.
        name: shown to users; by default the name of the file.
        language: ISO 639-1 code, if known.
        mel_config: of the model.
        shorten_pauses: shorten each silence over one second.

    Raises:
        AudioError: the recording cannot be used (see ``audio.read_recording``), or is too short.
        VoiceError: the text is empty or invalid, or there is none and no recogniser.
        WeightsError: the files of the recogniser are damaged.

    Differs from upstream: a missing text starts only a recogniser that is on this disk, never a download; a constant
    offset is removed before the ends are trimmed; channels that cancel each other are not mixed; long silences do not
    slow the pace (``Voice.pace_samples``). ``warnings`` names each of these changes.
    """
    began = time.perf_counter()
    title = name or (Path(source).stem if isinstance(source, (str, Path)) else "recording")
    text = "" if ref_text is None else _checked_words(ref_text, title)
    rate = mel_config.target_sample_rate
    shown = Path(source).name if isinstance(source, (str, Path)) else title
    found = read_reference(source, rate, shown, shorten_pauses=shorten_pauses)
    wave = found.wave
    heard = heard_words(wave, rate, title, language) if ref_text is None else None
    text = _checked_words(heard.text, title) if heard else text
    text = text if text[-1] in ".!?。！？…" else text.rstrip(",;:，；：") + "."
    found_warnings = (*found.warnings(text, whole=not heard), *([told_of(heard)] if heard else []))
    voice = Voice(
        _identity(wave, text),
        title,
        text,
        wave,
        sound.rms(wave),
        found_warnings,
        language or (heard.language if heard else ""),
        mel_config,
        time.perf_counter() - began,
        str(Path(source).absolute()) if isinstance(source, (str, Path)) else "",
        heard.recogniser if heard else "",
    )
    log.info("voice prepared", extra=pairs(id=voice.id[:12], seconds=voice.seconds, took=voice.preparation_seconds))
    return voice


def _checked_words(ref_text: str, title: str) -> str:
    """Return ``ref_text`` on one line. Raises VoiceError if it is missing or invalid."""
    if not is_unicode(ref_text):
        raise VoiceError(
            f"The text of the reference {quoted(title)} is not UTF-8.", remedy="Save it, or set the terminal, as UTF-8."
        )
    if "\0" in ref_text:
        raise VoiceError(f"The text of the reference {quoted(title)} holds NUL characters.", remedy="Give plain text.")
    if n_bytes(ref_text) > rules.SENTENCE_MAX_BYTES:
        raise VoiceError(
            f"The text of the reference {quoted(title)} has {n_bytes(ref_text):,} bytes, more than "
            f"{rules.SENTENCE_MAX_BYTES:,}.",
            remedy="Give only the words of the recording.",
        )
    if not any(character.isalnum() for character in ref_text):
        raise VoiceError(
            f"The text of the reference {quoted(title)} is missing.",
            remedy="Give the words of the recording (--ref-text), or leave them out for a recogniser to fill in.",
        )
    return " ".join(ref_text.split())


def _identity(wave: np.ndarray, text: str) -> str:
    return hashlib.sha256(wave.tobytes() + b"\0" + text.encode()).hexdigest()


def _meant(name: str, known: Iterable[str]) -> str:
    """Return a question for the voice whose name is nearly ``name``, or ""."""
    names = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), names, n=1)
    return f"Did you mean {names[near[0]]}? " if near else ""


def load_voice(name: str | None = None, mel_config: MelConfig = MelConfig()) -> Voice:
    """Return the bundled or saved voice ``name``; without a name, the first bundled one.

    Raises:
        VoiceError: there is no voice of this name, and the message lists all names; or it is damaged.
    """
    voices = list_voices()
    found = [v for v in voices if name is None or same_name(v.name, name)]
    if not found:
        refuse_damaged(name)
        raise VoiceError(
            f"There is no voice {quoted(name)}.",
            remedy=f"{_meant(str(name), [v.name for v in voices])}Choose one of {', '.join(v.name for v in voices)}, "
            "or give a recording and its text.",
        )
    chosen = found[0]
    if isinstance(chosen, SavedVoice):
        wave = recording_of(chosen, mel_config.target_sample_rate)
        saved = prepared_voice(wave, chosen.ref, mel_config)
        if saved is None:
            raise VoiceError(
                f"The recording or the words of the voice {quoted(chosen.name)} have changed.",
                remedy="Delete it with `workbench voices rm`, and save it again.",
            )
        return saved
    voice = make_voice(chosen.path, chosen.ref_text, name=chosen.name, language=chosen.language, mel_config=mel_config)
    return dataclasses.replace(voice, recording="")  # found by its name, also if the project moves


def prepared_voice(wave: np.ndarray, wanted: VoiceRef, mel_config: MelConfig = MelConfig()) -> Voice | None:
    """Return the voice with the prepared recording ``wave`` of a run; None if it is not the voice ``wanted``."""
    rate, text = mel_config.target_sample_rate, wanted.ref_text
    if _identity(wave, text) != wanted.id:
        return None
    found = tuple(reference_warnings(wave, wave, wave, text, quality.long_pauses(wave, rate), rate))
    return Voice(
        wanted.id, wanted.name, text, wave, sound.rms(wave), found, wanted.language, mel_config,
        recording=wanted.recording, heard_by=wanted.heard_by,
    )  # fmt: skip


def restore_voice(wanted: VoiceRef, mel_config: MelConfig = MelConfig()) -> Voice:
    """Return the voice ``wanted``, from its recording or from the bundled voices.

    Raises:
        VoiceError: there is no recording, or recording or words have changed.
        AudioError: the recording cannot be used.
    """
    if wanted.recording:
        path, rate = Path(wanted.recording), mel_config.target_sample_rate
        wave = sound.read_exact(path, rate, rules.REFERENCE_MAX_SECONDS + 1)
        voice = None if wave is None else prepared_voice(wave, wanted, mel_config)
        voice = voice or make_voice(
            path, wanted.ref_text, name=wanted.name, language=wanted.language, mel_config=mel_config
        )
        voice = dataclasses.replace(voice, heard_by=wanted.heard_by)
    elif any(same_name(wanted.name, known.name) for known in list_voices()):
        voice = load_voice(wanted.name, mel_config)
    else:
        raise VoiceError(f"There is no recording of the voice {quoted(wanted.name)}.", remedy=_GIVE)
    if voice.id != wanted.id:
        raise VoiceError(f"The recording or the words of the voice {quoted(wanted.name)} have changed.", remedy=_GIVE)
    return voice
