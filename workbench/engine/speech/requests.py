"""A request for speech as one JSON-able value, used by jobs, command line, sweeps and workers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.passages.script import Script
from workbench.engine.speech.passages.values import Value, VoiceRef

__all__ = ["REFERENCE_FILE", "Remake", "SpeechRequest", "VoiceRef", "load_as_made", "reference_file"]

REFERENCE_FILE = "reference.wav"  # in the folder of a run: the recording of its voice


@dataclass(frozen=True)
class Remake(Value):
    """One chunk of a saved run to make again; the others stay unchanged.

    Attributes:
        run: id of the run.
        chunk: index of the chunk.
        seed: new seed of its noise; None keeps the old one.
        words: new words; None keeps the old ones.
        speed: new speed, which decides the length; None keeps the old one.
    """

    run: str
    chunk: int
    seed: int | None = None
    words: str | None = None
    speed: float | None = None


@dataclass(frozen=True)
class SpeechRequest(Value):
    """A complete request for speech. Another process can speak it from its JSON alone.

    Attributes:
        text: text to speak, or a script with its tags; of the whole run if one chunk is made again.
        voice: the voice; of a script, that of its first passage.
        settings: knobs of synthesis.
        model: name in the catalogue.
        folder: searched for the model's files before the caches, or "".
        random_weights: use the model's architecture with random weights.
        load: knobs of loading.
        remake: the chunk to make again; None speaks all of ``text``.
        sweep: name of the sweep that the request belongs to, or "".
        reuse: take chunks from the chunk store if they were made before. Their samples are the same, but not their
            time: turn it off to measure.
        profile: trace every operation of the device, which slows the run. No chunk is reused then.
        script: who speaks which part of ``text``; None: ``voice`` speaks all of it.
    """

    text: str
    voice: VoiceRef
    settings: SynthesisSettings = field(default_factory=SynthesisSettings)
    model: str = "demo-voice"
    folder: str = ""
    random_weights: bool = False
    load: LoadSettings = field(default_factory=LoadSettings)
    remake: Remake | None = None
    sweep: str = ""
    reuse: bool = False
    profile: bool = False
    script: Script | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON; without ``script`` if there is none, as before there were any."""
        return {name: value for name, value in super().as_dict().items() if name != "script" or value is not None}

    @property
    def engine_key(self) -> tuple[str, str, bool, LoadSettings]:
        """Model, folder, random weights and load settings: requests with the same ones share an engine."""
        return self.model, self.folder, self.random_weights, self.load

    def settings_of(self, passage: int) -> SynthesisSettings:
        """Return the settings of a passage of the script; those of the request without one."""
        own = self.script.passages[passage].settings if self.script else {}
        return self.settings.replace(**own) if own else self.settings

    def voice_of(self, passage: int) -> VoiceRef:
        """Return the voice of a passage of the script; that of the request without one."""
        return self.script.speaker(passage).voice if self.script else self.voice

    @property
    def voices(self) -> tuple[VoiceRef, ...]:
        """Every voice once: ``voice``, then the others of the script."""
        speakers = self.script.speakers if self.script else ()
        return tuple({voice.id: voice for voice in (self.voice, *(one.voice for one in speakers))}.values())

    @property
    def main_voice(self) -> VoiceRef | None:
        """Voice of what no tag names; None where the tags of a script name all of it."""
        if self.script is None:
            return self.voice
        return next((one.voice for one in self.script.speakers if one.name == self.script.main), None)

    def fades(self, passages: Sequence[int], sample_rate: int) -> list[int]:
        """Return the samples of the cross-fade before each chunk of these passages: none where one begins."""
        own = {index: int(self.settings_of(index).cross_fade_duration * sample_rate) for index in set(passages)}
        return [own[now] if k and passages[k - 1] == now else 0 for k, now in enumerate(passages)]

    def with_voices(self, change: Callable[[VoiceRef], VoiceRef]) -> SpeechRequest:
        """Return a copy in which every voice is ``change`` of it."""
        script = self.script and self.script.replace(
            speakers=tuple(one.replace(voice=change(one.voice)) for one in self.script.speakers)
        )
        return self.replace(voice=change(self.voice), script=script)

    def stored(self, kept: Collection[str]) -> SpeechRequest:
        """Return a copy as it is stored with a run: the recordings of the voices ``kept`` are files beside it."""

        def beside(voice: VoiceRef) -> VoiceRef:
            name = REFERENCE_FILE if voice.id == self.voice.id else reference_file(voice.id)
            return voice.replace(recording=name if voice.id in kept else "")

        return self.with_voices(beside)


def reference_file(voice_id: str) -> str:
    """Name, in the folder of a run, of the recording of a voice of a script that is not the run's first one."""
    return f"reference-{re.sub('[^0-9a-f]', '', voice_id)[:16]}.wav"


def load_as_made(
    asked: Mapping[str, Any], device: str, dtype: str, environment: Mapping[str, str], weights: Mapping[str, str]
) -> dict[str, Any]:
    """Name to value of each load setting of a run: as it was ``asked``, but where the run records what "auto" became.

    Device and number format are recorded by themselves, EMA or raw as "layer" in ``weights``, others under their name
    in ``environment``, before a comma.
    """
    made = {"device": device, "dtype": dtype}
    recorded_as = {**environment, "weights": weights.get("layer", "")}
    for knob in dataclasses.fields(LoadSettings):
        recorded = recorded_as.get(knob.name, "").split(",")[0]
        if recorded in (knob.metadata["choices"] or ()):
            made[knob.name] = recorded
    return {**asked, **made}
