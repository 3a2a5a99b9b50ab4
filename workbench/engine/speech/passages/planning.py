"""Plan the chunks of a script: each passage as if it were alone, then their places in time, to the sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.engine import rules
from workbench.engine.errors import SettingsError, TextError, WorkbenchError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.joining import join_places
from workbench.engine.speech.text import Chunk, text_of
from workbench.engine.text.preparing import Prepared, check_form

if TYPE_CHECKING:  # voices import requests, which import scripts
    from workbench.engine.speech.requests import SpeechRequest
    from workbench.engine.speech.voices import Voice

Prepare = Callable[[str, "Voice", SynthesisSettings], Prepared]


def plan_script(
    request: SpeechRequest,
    voices: Mapping[str, Voice],
    prepare: Prepare,
    window_frames: int = 8192,
    *,
    check: bool = True,
    kept: MutableMapping[Any, Any] | None = None,
) -> list[Chunk]:
    """Return the chunks of all passages of ``request.script``.

    Words, lengths and seeds of a passage are those that it would have alone: its chunks count from its own seed. The
    pauses between passages put each at its time, or as soon after it as the passage before it allows.

    Args:
        request: with a script.
        voices: name of each speaker to the voice.
        prepare: prepares a text for the model.
        window_frames: as in ``plan_chunks``.
        check: refuse what the model cannot speak.
        kept: takes the plan of each passage, for the next call with the same ``prepare``: of a book in which one
            passage was changed, one is planned.

    Raises:
        TextError, SettingsError: a passage cannot be spoken; the message names it.
    """
    script = request.script
    assert script is not None, "a request with a script"
    if check:
        check_form(request.text)
    planned: list[tuple[int, list[Chunk], float]] = []  # passage, its chunks, seconds of pauses before it
    carried = 0.0
    for index, passage in enumerate(script.passages):
        chosen, voice = request.settings_of(index), voices[passage.speaker]
        try:
            words = request.text[passage.start : passage.end]
            key = (words, voice.id, chosen, window_frames, check)
            found = kept.get(key) if kept is not None else None
            pauses, chunks = found or _alone(words, voice, chosen, prepare, window_frames, check)
            if kept is not None:
                kept[key] = pauses, tuple(chunks)
        except (TextError, SettingsError) as error:
            raise _of_passage(error, index, passage.speaker) from error
        if not chunks:
            carried += pauses
            continue
        lead, carried = carried + chunks[0].lead_seconds, 0.0
        planned.append((index, [_moved(c, passage.start, index) for c in chunks], lead))
    if not planned:
        raise TextError("The script has nothing to pronounce.", remedy="Give at least one word.")
    rate = next(iter(voices.values())).mel_config.target_sample_rate
    return _placed(request, planned, carried, rate)


def _alone(
    words: str, voice: Voice, chosen: SynthesisSettings, prepare: Prepare, window_frames: int, check: bool
) -> tuple[float, Sequence[Chunk]]:
    """Return the seconds of all pauses of a passage, and its chunks: none if it holds nothing but pauses."""
    prepared = prepare(words, voice, chosen)
    pauses = sum(seconds for _, seconds in prepared.pauses)
    if not any(map(str.isalnum, prepared.text)):
        return pauses, ()
    return pauses, voice.plan(prepared.check() if check else prepared, chosen, window_frames)


def _of_passage(error: WorkbenchError, index: int, speaker: str) -> WorkbenchError:
    return type(error)(f"Passage {index + 1} ({speaker}): {error.what}", remedy=error.remedy)


def _moved(chunk: Chunk, by: int, passage: int) -> Chunk:
    return dataclasses.replace(chunk, start=chunk.start + by, end=chunk.end + by, passage=passage, lead_seconds=0.0)


def _placed(
    request: SpeechRequest, planned: Sequence[tuple[int, list[Chunk], float]], after: float, rate: int
) -> list[Chunk]:
    """Return all chunks, numbered, with the pauses that put each passage at its place; ``after`` is the last one."""
    script, end = request.script, 0
    assert script is not None
    found: list[Chunk] = []
    for index, chunks, lead in planned:
        passage, before, begins = script.passages[index], round(lead * rate), None
        if passage.at_seconds is not None:  # pauses beside it are a part of the silence until then
            begins = passage.at_seconds + lead
            end -= round(found[-1].pause_seconds * rate) if found else 0
            found[-1:] = [dataclasses.replace(chunk, pause_seconds=0.0) for chunk in found[-1:]]
            before = max(0, round(begins * rate) - end)
        elif not before and found and not found[-1].pause_seconds:
            before = round(script.gap_seconds * rate)
        _check_gap(before / rate, index)
        if found:
            tail = round(found[-1].pause_seconds * rate) + before
            found[-1] = dataclasses.replace(found[-1], pause_seconds=tail / rate)
        else:
            chunks = [dataclasses.replace(chunks[0], lead_seconds=before / rate), *chunks[1:]]
        chunks = [dataclasses.replace(chunks[0], begins_seconds=begins), *chunks[1:]]
        found += [dataclasses.replace(c, index=len(found) + k) for k, c in enumerate(chunks)]
        end += before + length_of(chunks, request.settings_of(index), rate)
    if after:
        found[-1] = dataclasses.replace(found[-1], pause_seconds=found[-1].pause_seconds + after)
    _check_length(len(found), end / rate)
    return found


def length_of(chunks: Sequence[Chunk], chosen: SynthesisSettings, rate: int) -> int:
    """Return the samples of one passage from its first sound to the end of the last pause within it."""
    lengths = [round(c.planned_seconds * rate) for c in chunks]
    pauses = [0, *(round(c.pause_seconds * rate) for c in chunks)]
    return join_places(lengths, int(chosen.cross_fade_duration * rate), pauses)[1]


def part_of(request: SpeechRequest, voices: Mapping[str, Voice], chunk: Chunk) -> tuple[Voice, SynthesisSettings]:
    """Return voice and settings of a chunk of a script."""
    assert request.script is not None
    return voices[request.script.speaker(chunk.passage).name], request.settings_of(chunk.passage)


def with_refs(request: SpeechRequest, voices: Sequence[Voice]) -> SpeechRequest:
    """Return ``request`` with its voices as they were loaded."""
    refs = {voice.id: voice.ref for voice in voices}
    return request.with_voices(lambda ref: refs.get(ref.id, ref))


def rewritten(
    request: SpeechRequest, before: SpeechRequest, old: Chunk, new: Chunk, chunks: Sequence[Chunk]
) -> SpeechRequest:
    """Return ``request`` with the text of a run in which the chunk ``old`` became ``new``.

    Args:
        request: of the new run.
        before: of the run before.
        old, new: the chunk in both.
        chunks: all chunks of the new run; () where the words are the same.
    """
    script = before.script
    if not chunks:
        return request.replace(text=before.text)
    if script is None:
        return request.replace(text=text_of(chunks))
    words = new.written or new.text
    by = len(words) - (old.end - old.start)
    passages = [
        p.replace(start=p.start + by * (p.start >= old.end), end=p.end + by * (p.end >= old.end))
        for p in script.passages
    ]
    text = before.text[: old.start] + words + before.text[old.end :]
    return request.replace(text=text, script=request.script and request.script.replace(passages=tuple(passages)))


def _check_gap(seconds: float, index: int) -> None:
    if seconds > rules.SCRIPT_MAX_GAP_SECONDS:
        raise SettingsError(
            f"{seconds:,.0f} s of silence would come before passage {index + 1}.",
            remedy=f"At most {rules.SCRIPT_MAX_GAP_SECONDS:,.0f} s are made: let its time begin earlier.",
        )


def _check_length(n_chunks: int, seconds: float) -> None:
    """Raise SettingsError where the wave would fill the memory: that of a long run is made in pieces."""
    limit = rules.SCRIPT_MAX_SECONDS if n_chunks > rules.LONG_RUN_CHUNKS else rules.SCRIPT_IN_MEMORY_SECONDS
    if seconds > limit:
        raise SettingsError(
            f"The script would last {seconds / 3600:.1f} h with {n_chunks} chunks; at most {limit / 3600:.0f} h can.",
            remedy="Split it, and let the times of each part begin at 0.",
        )
