"""Fit passages into their times by speed, within limits, and say what does not fit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workbench.engine.errors import SettingsError, TextError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.joining import join_places
from workbench.engine.speech.passages.places import silences
from workbench.engine.speech.passages.planning import Prepare, length_of, plan_script
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import Chunk
from workbench.engine.text.preparing import Prepared

if TYPE_CHECKING:
    from workbench.engine.speech.results import Run
    from workbench.engine.speech.voices import Voice

TOLERANCE_SECONDS = 0.05  # a viewer does not notice less
_TRIES = 4  # each comes nearer; a mel frame is 10.7 ms


@dataclass(frozen=True)
class Fit:
    """Limits of the speed of a passage, as factors of the speed that it has otherwise."""

    slowest: float = 0.7
    fastest: float = 1.5

    def __post_init__(self) -> None:
        if not 0.3 <= self.slowest <= 1.0 <= self.fastest <= 3.0:
            raise SettingsError(
                f"The limits of speed are {self.slowest:g} and {self.fastest:g}.",
                remedy="Choose 0.3 to 1 for the slowest and 1 to 3 for the fastest, such as 0.7:1.5.",
            )

    @classmethod
    def of(cls, given: str) -> Fit:
        """Return the limits in words such as "0.7:1.5"; "off" keeps every speed. Raises SettingsError."""
        if given.strip().lower() == "off":
            return cls(1.0, 1.0)
        try:
            low, high = (float(part) for part in given.split(":"))
        except ValueError as error:
            raise SettingsError(f"{given!r} are no limits of speed.", remedy='Write "0.7:1.5", or "off".') from error
        return cls(low, high)


@dataclass(frozen=True)
class Row:
    """A passage beside the time that was wanted for it, in seconds of the whole.

    Attributes:
        passage: from 0.
        speaker: its name.
        text: its words as written.
        wanted_start, wanted_end: None where no time was given.
        start, end: from its first to its last sound.
        speed: relative to the reference.
        late_seconds: how much later than wanted it begins; 0 without a time.
        over_seconds: how much later than wanted it ends; 0 without a time, or if it ends before.
        silence_seconds: time that is left over at its end.
    """

    passage: int
    speaker: str
    text: str
    wanted_start: float | None
    wanted_end: float | None
    start: float
    end: float
    speed: float
    late_seconds: float
    over_seconds: float
    silence_seconds: float

    @property
    def is_off(self) -> bool:
        """Whether it begins or ends noticeably later than wanted."""
        return max(self.late_seconds, self.over_seconds) > TOLERANCE_SECONDS

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def fit(
    request: SpeechRequest,
    voices: Mapping[str, Voice],
    prepare: Prepare,
    window_frames: int = 8192,
    limits: Fit = Fit(),
    kept: MutableMapping[Any, Any] | None = None,
) -> SpeechRequest:
    """Return ``request`` with the speeds at which its passages fit into their times, within ``limits``.

    A passage that begins late, because the one before it is too long, is given what is left of its time. Passages
    without an end keep their speed; a request without times comes back unchanged.

    Args:
        request: with a script.
        voices, prepare, window_frames, kept: as in ``plan_script``.
        limits: of the speed.

    Raises:
        TextError, SettingsError: as ``plan_script``.
    """
    script = request.script
    if script is None or not script.is_timed or limits == Fit(1.0, 1.0):
        return request
    rate, end, fitted = next(iter(voices.values())).mel_config.target_sample_rate, 0.0, []
    for index, passage in enumerate(script.passages):
        chosen, voice = request.settings_of(index), voices[passage.speaker]
        begin = max(end, passage.at_seconds or 0.0)
        try:
            words = request.text[passage.start : passage.end]
            bound = passage.until_seconds is not None and chosen.fix_duration is None
            room = round((passage.until_seconds or 0.0) - begin, 6) if bound else None
            key = ("fit", words, voice.id, chosen, room, limits, window_frames)
            found = kept.get(key) if kept is not None else None
            if found is None:
                length = _Length(prepare(words, voice, chosen), voice, chosen, window_frames, rate)
                speed = chosen.speed if room is None else length.speed_for(room, limits)
                found = speed, length.at(speed)
            if kept is not None:
                kept[key] = found
            if found[0] != chosen.speed:
                passage = passage.replace(settings={**passage.settings, "speed": found[0]})
            end = begin + found[1]
        except (TextError, SettingsError) as error:
            raise type(error)(f"Passage {index + 1} ({passage.speaker}): {error.what}", remedy=error.remedy) from error
        fitted.append(passage)
    return request.replace(script=script.replace(passages=tuple(fitted)))


class _Length:
    """The length of one passage by its speed."""

    def __init__(
        self, prepared: Prepared, voice: Voice, chosen: SynthesisSettings, window_frames: int, rate: int
    ) -> None:
        self.prepared, self.voice, self.chosen = prepared, voice, chosen
        self.window_frames, self.rate = window_frames, rate
        self.is_silent = not any(map(str.isalnum, prepared.text))
        self.pauses = sum(seconds for _, seconds in prepared.pauses)

    def at(self, speed: float) -> float:
        """Seconds at ``speed``, with the pauses in it."""
        if self.is_silent:
            return self.pauses
        chunks = self.voice.plan(self.prepared, self.chosen.replace(speed=speed), self.window_frames)
        return chunks[0].lead_seconds + length_of(chunks, self.chosen, self.rate) / self.rate

    def speed_for(self, seconds: float, limits: Fit) -> float:
        """The speed at which it lasts ``seconds`` at most, or the nearest one allowed."""
        own = self.chosen.speed
        low, high = round(max(0.3, own * limits.slowest), 3), round(min(3.0, own * limits.fastest), 3)
        if self.is_silent or high <= low:
            return own
        sound = seconds - self.pauses
        if sound <= 0:
            return _rounded(high, low, high)
        speed = own
        for _ in range(_TRIES):
            factor = (self.at(speed) - self.pauses) / sound
            speed, before = _rounded(speed * factor, low, high), speed
            if speed == before:
                break
        while speed < high and self.at(speed) - self.pauses > sound:
            speed = _rounded(speed + 0.005, low, high)
        return own if abs(speed - own) < 0.005 and self.at(own) - self.pauses <= sound else speed


def _rounded(speed: float, low: float, high: float) -> float:
    """``speed`` within the limits, to three decimals, never slower than asked."""
    return round(min(high, max(low, math.ceil(speed * 1000 - 1e-9) / 1000)), 3)


# What came of it -----------------------------------------------------------------------------------------------------


def rows_of_plan(request: SpeechRequest, chunks: Sequence[Chunk], sample_rate: int = 24_000) -> list[Row]:
    """Return one row a passage from the planned ``chunks`` of ``request``."""
    lengths = [round(chunk.planned_seconds * sample_rate) for chunk in chunks]
    pauses = [chunks[0].lead_seconds, *(chunk.pause_seconds for chunk in chunks)]
    fades = request.fades([chunk.passage for chunk in chunks], sample_rate)
    gaps = silences(pauses, [chunk.begins_seconds for chunk in chunks], lengths, fades, sample_rate)
    return _rows(request, chunks, join_places(lengths, fades, gaps)[0], lengths, sample_rate)


def rows_of_run(run: Run) -> list[Row]:
    """Return one row a passage of a finished run; [] if it is no script."""
    if run.request.script is None:
        return []
    lengths = [result.n_samples for result in run.chunks]
    return _rows(run.request, [result.chunk for result in run.chunks], run.starts, lengths, run.sample_rate)


def plan_fitted(
    request: SpeechRequest,
    voices: Mapping[str, Voice],
    prepare: Prepare,
    window_frames: int = 8192,
    limits: Fit = Fit(),
) -> tuple[SpeechRequest, list[Chunk]]:
    """Return ``request`` fitted, and its chunks. Raises as ``plan_script``."""
    fitted = fit(request, voices, prepare, window_frames, limits)
    return fitted, plan_script(fitted, voices, prepare, window_frames)


def _rows(
    request: SpeechRequest, chunks: Sequence[Chunk], starts: Sequence[int], lengths: Sequence[int], rate: int
) -> list[Row]:
    script = request.script
    assert script is not None
    rows = []
    for index, group in itertools.groupby(range(len(chunks)), lambda k: chunks[k].passage):
        inside = list(group)
        passage = script.passages[index]
        start, end = starts[inside[0]] / rate, (starts[inside[-1]] + lengths[inside[-1]]) / rate
        late = start - passage.at_seconds if passage.at_seconds is not None else 0.0
        rest = passage.until_seconds - end if passage.until_seconds is not None else 0.0
        words = " ".join(chunks[k].written or chunks[k].text for k in inside)
        rows.append(Row(index, passage.speaker, words, passage.at_seconds, passage.until_seconds, start, end,
                        request.settings_of(index).speed, max(0.0, late), max(0.0, -rest), max(0.0, rest)))  # fmt: skip
    return rows
