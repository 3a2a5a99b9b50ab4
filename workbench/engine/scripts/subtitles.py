"""Read subtitles (SRT, VTT, ASS) as a script: a passage a cue, with its times and its speaker."""

from __future__ import annotations

import html
import io
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import regex

from workbench.engine.errors import SettingsError, TextError
from workbench.engine.rules import SCRIPT_MAX_SECONDS
from workbench.engine.text import speakers
from workbench.engine.text.speakers import MAIN

KINDS = {".srt": "SRT", ".vtt": "WebVTT", ".ass": "ASS", ".ssa": "SSA"}
_VOICE = regex.compile(r"<v(?:\.[^\s>]+)*\s+([^>]+)>")
_MARKUP = regex.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_APART = regex.compile(r"(?i)<br\s*/?>|[♪♫]+")
_BRACKET = regex.compile(r"\[\s*([^\[\]]{1,80}?)\s*\]|^\s*\(([^()]{1,80})\)\s*$")
_PREFIX = regex.compile(r"^\s*([\p{L}][\p{L}\p{N} .'’-]{0,39})\s*:\s+(?=\S)")
_TIMES = regex.compile(r"\s*(?P<start>-?\d+:[\d:.,]*)\s*-+>\s*(?P<end>[-\d:.,]*)(?P<rest>.*)")
_LAST_SECOND = 99 * 3600 + 3599.999  # that the readers understand
_HOUR = 3600.0
_DASH = regex.compile(r"^\s*[-–—]\s*(?=\S)")


@dataclass(frozen=True)
class Cue:
    """What one speaker says in a time of the subtitles; ``end`` is None where there is none that makes sense."""

    start: float
    end: float | None
    speaker: str
    words: str


def as_text(content: str, suffix: str, names: Collection[str]) -> tuple[str, list[str]]:
    """Return subtitles as a text with tags, and remarks on what was left out or changed.

    A voice tag of WebVTT, the name of an ASS line, ``[Nora]`` and ``NORA:`` at the start of a line name the speaker;
    the two latter only if there is a voice of this name. Other words in square brackets are sounds, and are left out.
    Whole hours before the first cue are taken off: programmes begin at a time code such as 01:00:00.

    Args:
        content: of the file.
        suffix: ".srt", ".vtt", ".ass" or ".ssa".
        names: of the voices.

    Raises:
        TextError: it is no such file, or holds no words.
    """
    known = {speakers.key(name): name for name in names}
    remarks: dict[str, int] = {}
    cues: list[Cue] = []
    every = sorted(_raw(content, suffix), key=lambda cue: cue[0])
    if not every:
        raise TextError(f"The file holds no {KINDS[suffix]} cues.", remedy="Check it in a player of videos.")
    for start, end, speaker, words in every:
        if not 0 <= start <= SCRIPT_MAX_SECONDS:
            _note(remarks, "beyond a day, left out")
            continue
        if end <= start:
            _note(remarks, "without a length, so without an end here")
        said = list(_said(words, speaker, known, remarks))
        if not said:
            _note(remarks, "without words, left out")
        cues += _shared(start, end if end > start else None, said)
        if len(said) > 1:
            _note(remarks, "of several speakers, who share its time by their words")
    overlaps = sum(b.start < (a.end or a.start) - 0.0005 for a, b in itertools.pairwise(cues))
    if overlaps:
        remarks["of which the one before has not ended, so that they may be late"] = overlaps
    if not cues:
        raise TextError("The subtitles have no words.", remedy="Choose a file with speech.")
    early = cues[0].start // _HOUR * _HOUR  # programmes begin at 01:00:00 or 10:00:00; no hour of silence is meant
    cues = [Cue(c.start - early, c.end and c.end - early, c.speaker, c.words) for c in cues]
    lines = [f"{speakers.write(c.speaker, {}, c.start, c.end)} {speakers.escaped(c.words)}" for c in cues]
    told = [f"{count} {'cue' if count == 1 else 'cues'} {what}" for what, count in remarks.items()]
    if early:
        told.append(f"{early / _HOUR:.0f} h taken off all times, which begin at a time code of broadcasting")
    return "\n".join(lines), told


def _note(remarks: dict[str, int], what: str) -> None:
    remarks[what] = remarks.get(what, 0) + 1


def _raw(content: str, suffix: str) -> Iterator[tuple[float, float, str, str]]:
    """Yield (start, end, speaker or "", words) of every cue. Raises TextError."""
    import pysubs2
    import webvtt

    content = content.replace("\x00", "")
    if suffix in (".srt", ".vtt"):
        content = _with_clear_times(content, "," if suffix == ".srt" else ".")
    try:
        if suffix == ".vtt":
            for caption in webvtt.from_buffer(io.StringIO(content), "vtt").captions:
                start, end = speakers.seconds_of(caption.start), speakers.seconds_of(caption.end)
                yield start, end, "", caption.raw_text
            return
        for line in pysubs2.SSAFile.from_string(content, format_=suffix[1:], keep_html_tags=True, keep_ssa_tags=True):
            if not line.is_comment:
                words = line.text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
                yield line.start / 1000, line.end / 1000, line.name.strip(), words
    except Exception as error:  # what the readers raise is not documented
        raise TextError(
            f"The file cannot be read as {KINDS[suffix]} ({type(error).__name__}).",
            remedy="Check its first lines, or export it again.",
        ) from error


def _with_clear_times(content: str, mark: str) -> str:
    """Return SRT or WebVTT with each line of times as its reader wants it, with a number before it in SRT.

    The readers take a line of times that they do not understand, such as one without hours, for words, or drop it; and
    that of SRT drops a last line of words that is a number. Raises TextError for a time that is none.
    """
    lines: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        times = _TIMES.fullmatch(line)
        if times is None:
            lines.append(line)
            continue
        if mark == "," and not _ends_in_number(lines):
            lines += ["", "1"]
        try:
            start, end = (_stamp(speakers.seconds_of(times[name]), mark) for name in ("start", "end"))
        except SettingsError as error:
            raise TextError(f"Line {number}: {error.what}", remedy="Write 00:01:15.500 --> 00:01:17.000.") from error
        lines.append(f"{start} --> {end}{times['rest']}")
    return "\n".join([*lines, *(["", "1"] if mark == "," else []), ""])


def _ends_in_number(lines: list[str]) -> bool:
    """Whether ``lines`` end in the number of the next cue: right above its times, or alone between empty lines."""
    last = next((k for k in reversed(range(len(lines))) if lines[k].strip()), -1)
    alone = last == len(lines) - 1 or last == 0 or not lines[last - 1].strip()
    return last >= 0 and lines[last].strip().isdigit() and alone


def _stamp(seconds: float, mark: str) -> str:
    whole, ms = divmod(round(min(seconds, _LAST_SECOND) * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{ms:03d}"


def _said(words: str, speaker: str, known: dict[str, str], remarks: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield (speaker, words) of the parts of one cue."""
    for name, part in _by_voice(words, speaker or MAIN):
        lines: list[tuple[str, str]] = []
        for line in html.unescape(_MARKUP.sub("", _APART.sub(" ", part))).splitlines():
            named, rest = _named(_DASH.sub("", line), known)
            rest, n_left_out = _BRACKET.subn(" ", rest)
            if n_left_out:
                remarks["with a sound in brackets, left out"] = remarks.get("with a sound in brackets, left out", 0) + 1
            if not any(map(str.isalnum, rest)):
                continue
            who = named or (lines[-1][0] if lines else name)
            if lines and lines[-1][0] == who:
                lines[-1] = (who, f"{lines[-1][1]} {rest.strip()}")
            else:
                lines.append((who, rest.strip()))
        yield from ((who, " ".join(said.split())) for who, said in lines)


def _by_voice(words: str, speaker: str) -> Iterator[tuple[str, str]]:
    """Yield (speaker, words) of the parts between the voice tags of WebVTT."""
    end = 0
    for tag in _VOICE.finditer(words):
        yield speaker, words[end : tag.start()]
        speaker, end = " ".join(html.unescape(tag.group(1)).replace("[", "").replace("]", "").split()), tag.end()
    yield speaker, words[end:]


def _named(line: str, known: dict[str, str]) -> tuple[str, str]:
    """Return the speaker at the start of a line, or "", and the rest of the line."""
    bracket = regex.match(r"\s*\[\s*([^\[\]]{1,80}?)\s*\]\s*:?\s*", line)
    prefix = _PREFIX.match(line)
    for match in (bracket, prefix):
        if match and speakers.key(match.group(1)) in known:
            return known[speakers.key(match.group(1))], line[match.end() :]
    return "", line


def _shared(start: float, end: float | None, said: list[tuple[str, str]]) -> Iterator[Cue]:
    """Yield the parts of one cue, whose time they share by their bytes."""
    sizes = [len(words.encode("utf-8", "replace")) for _, words in said]
    at = start
    for (speaker, words), size in zip(said, sizes, strict=True):
        until = None if end is None else at + (end - start) * size / sum(sizes)
        yield Cue(at, until, speaker, words)
        at = at if until is None else until
