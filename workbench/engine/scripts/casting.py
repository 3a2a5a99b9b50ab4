"""Find who speaks each passage of a text, and make one request of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.engine.errors import SettingsError, VoiceError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.passages.script import Passage, Script, Speaker
from workbench.engine.speech.recordings.library import list_voices
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice
from workbench.engine.text import speakers
from workbench.engine.text.speakers import MAIN, Tag
from workbench.engine.visible import quoted


@dataclass(frozen=True)
class Cast:
    """The voices that a text may name: those of the library, and its own.

    Attributes:
        main: of what no tag names, and of ``[main]``.
        own: name to voice, before those of the library.
        settings: name to the settings of everything that this voice speaks.
        aliases: name in the script to the name of a voice.
        load: returns a voice of the library by its name.
    """

    main: Voice
    own: Mapping[str, Voice] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    load: Callable[[str], Voice] = load_voice

    @cached_property
    def library(self) -> list[str]:
        """Names of the bundled and saved voices, read once."""
        return [voice.name for voice in list_voices()]

    @property
    def names(self) -> list[str]:
        """Every name that a tag may have."""
        return [*self.own, *self.aliases, *self.library]

    def voice(self, name: str) -> Voice:
        """Return the voice of a name in the script.

        Raises:
            VoiceError: there is none, or its recording cannot be used.
        """
        found: Voice | None = _look_up(self.own, name)
        if found is not None:
            return found
        meant: str | None = _look_up(self.aliases, name)
        if meant is not None and speakers.key(meant) != speakers.key(name):
            if speakers.key(meant) == MAIN:
                return self.main
            told: Voice | None = _look_up(self.own, meant)
            return told or self._loaded(meant)
        return self.main if name == MAIN else self._loaded(name)

    def settings_of(self, name: str) -> Mapping[str, Any]:
        """Return the settings of everything that the voice of this name speaks."""
        return _look_up(self.settings, name) or {}

    def _loaded(self, name: str) -> Voice:
        if speakers.key(name) not in map(speakers.key, self.library):
            raise speakers.unknown(name, [*self.own, *self.library])
        return self.load(name)


def _look_up(table: Mapping[str, Any], name: str) -> Any:
    return next((value for one, value in table.items() if speakers.key(one) == speakers.key(name)), None)


def compose(
    text: str,
    cast: Cast,
    settings: SynthesisSettings = SynthesisSettings(),
    *,
    gap_seconds: float = 0.0,
    strict: bool = False,
    **rest: Any,
) -> tuple[SpeechRequest, dict[str, Voice]]:
    """Return the request for ``text``, and the voice of each speaker by name.

    A text that names no voice is an ordinary request: it has no script, and the second value is empty.

    Args:
        text: with tags or without.
        cast: the voices.
        settings: of all passages, where neither tag nor voice has others.
        gap_seconds: silence between two passages without a pause or a time.
        strict: the text is known to be a script.
        rest: other fields of ``SpeechRequest``.

    Raises:
        VoiceError: a tag names no voice; the message has the nearest name.
        SettingsError: a setting in a tag is unknown or out of range.
    """
    found = speakers.find(text, cast.names, strict=strict)
    parts = list(_parts(text, found))
    if not found or not parts:
        return SpeechRequest(text, cast.main.ref, settings, **rest), {}
    voices: dict[str, Voice] = {}
    passages = []
    for start, end, tag in parts:
        name = _speaker(tag.name, cast, voices)
        own = {**cast.settings_of(tag.name), **tag.settings}
        try:
            passages.append(Passage(start, end, name, own, tag.at_seconds, tag.until_seconds))
        except SettingsError as error:  # of which of many tags
            where = f"{quoted(text[tag.start : tag.end])}: " if tag.end else ""
            raise SettingsError(where + error.what, remedy=error.remedy) from error
    cast_list = tuple(Speaker(name, voice.ref) for name, voice in voices.items())
    main = next((p.speaker for p, (_, _, tag) in zip(passages, parts, strict=True) if tag.name == MAIN), "")
    script = Script(cast_list, tuple(passages), gap_seconds, main)
    return SpeechRequest(text, cast_list[0].voice, settings, script=script, **rest), voices


def _parts(text: str, found: list[Tag]) -> Iterator[tuple[int, int, Tag]]:
    """Yield (start, end, tag) of each part with words or pauses in it, without the space around it."""
    marks = [Tag(0, 0, MAIN), *found]
    ends = [*(tag.start for tag in found), len(text)]
    for tag, end in zip(marks, ends, strict=True):
        words = text[tag.end : end]
        if words.strip() and any(map(str.isalnum, words)):
            start = tag.end + len(words) - len(words.lstrip())
            yield start, tag.end + len(words.rstrip()), tag


def _speaker(name: str, cast: Cast, voices: dict[str, Voice]) -> str:
    """Return the name of the speaker of a tag, and put the voice into ``voices``."""
    voice = cast.voice(name)
    if not isinstance(voice, Voice):
        raise VoiceError(f"There is no voice {name!r}.", remedy="Give its recording.")
    shown = voice.name if name == MAIN else name
    if shown in voices and voices[shown].id != voice.id:  # two recordings of one name
        shown = MAIN if name == MAIN else f"{name} 2"
    voices.setdefault(shown, voice)
    return shown
