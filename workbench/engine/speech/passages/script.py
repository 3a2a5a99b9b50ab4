"""A script as one JSON-able value: who speaks which part of a text, how, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from workbench.engine import rules
from workbench.engine.errors import SettingsError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.passages.values import Value, VoiceRef
from workbench.engine.visible import quoted

OF_THE_RUN = ("keep_trajectory",)  # settings that no passage has for itself


@dataclass(frozen=True)
class Speaker(Value):
    """A voice and its name in the script, which may be another than the voice's own."""

    name: str
    voice: VoiceRef


@dataclass(frozen=True)
class Passage(Value):
    """A part of the text that one speaker speaks.

    Attributes:
        start, end: its place in the text of the request, without the tag before it.
        speaker: name of one of ``Script.speakers``.
        settings: name to value of the settings that differ from those of the request.
        at_seconds: when it is to begin; None: after the passage before it.
        until_seconds: when it is to have ended; None: whenever it does.
    """

    start: int
    end: int
    speaker: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    at_seconds: float | None = None
    until_seconds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        SynthesisSettings().replace(**self.settings)
        for name in OF_THE_RUN:
            if name in self.settings:
                raise SettingsError(f"{name} is a setting of the whole run.", remedy="Leave it out of the passage.")
        for name in ("at_seconds", "until_seconds"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and 0 <= value <= rules.SCRIPT_MAX_SECONDS):
                raise SettingsError(
                    f"{name} is {value:g}, out of its range.", remedy=f"Choose 0 to {rules.SCRIPT_MAX_SECONDS:,.0f} s."
                )

    @property
    def wanted_seconds(self) -> float | None:
        """Length of the time that it has; None where it is not bound."""
        if self.at_seconds is None or self.until_seconds is None:
            return None
        return max(0.0, self.until_seconds - self.at_seconds)


@dataclass(frozen=True)
class Script(Value):
    """The passages of a text, in order, and those who speak them.

    Attributes:
        speakers: in order of their first passage; each has a name of its own.
        passages: in order.
        gap_seconds: silence between two passages where neither a pause nor a time is given.
        main: name of the speaker of what no tag names; "" if a tag names all.
    """

    speakers: tuple[Speaker, ...]
    passages: tuple[Passage, ...]
    gap_seconds: float = 0.0
    main: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [one.name for one in self.speakers]
        unknown = [p.speaker for p in self.passages if p.speaker not in names]
        if not self.passages or unknown or len(set(names)) < len(names):
            said = f"Nobody is called {quoted(unknown[0])}" if unknown else "A script needs passages and unique names"
            raise SettingsError(f"{said}.", remedy="Name a voice for each passage.")
        if not 0 <= self.gap_seconds <= rules.SCRIPT_MAX_GAP_SECONDS:
            raise SettingsError(
                f"gap_seconds is {self.gap_seconds:g}, out of its range.",
                remedy=f"Choose 0 to {rules.SCRIPT_MAX_GAP_SECONDS:.0f} s.",
            )

    @property
    def is_timed(self) -> bool:
        """Whether passages are to begin at given times."""
        return any(passage.at_seconds is not None for passage in self.passages)

    def speaker(self, passage: int) -> Speaker:
        """Return who speaks the passage."""
        name = self.passages[passage].speaker
        return next(one for one in self.speakers if one.name == name)
