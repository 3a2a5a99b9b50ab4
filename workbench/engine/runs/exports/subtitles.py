"""Export the words with their times as subtitles: SRT and WebVTT."""

from __future__ import annotations

import html
from dataclasses import dataclass

from workbench.engine.runs.exports.pieces import pieces
from workbench.engine.runs.exports.registry import export
from workbench.engine.runs.exports.textgrid import chunk_intervals
from workbench.engine.speech.results import Run


@dataclass(frozen=True)
class Cue:
    """Words from ``start`` to ``end`` in seconds; ``speaker`` is "" where only one speaks."""

    start: float
    end: float
    speaker: str
    words: str


def cues(run: Run) -> list[Cue]:
    """Return a cue a passage for a script with times, which came from subtitles, else a cue a chunk.

    Cues do not overlap: the border of two chunks is in the middle of their cross-fade.
    """
    script, rate = run.request.script, run.sample_rate
    several = script is not None and len(script.speakers) > 1
    spans = [span for span in chunk_intervals(run) if span[2]]
    groups = [(one.first, one.last) for one in pieces(run, "passage" if script and script.is_timed else "chunk")]
    found = []
    for first, last in groups:
        speaker = script.speaker(run.chunks[first].chunk.passage).name if script and several else ""
        words = " ".join(r.chunk.written or r.chunk.text for r in run.chunks[first : last + 1])
        end = spans[last][1] if first == last else (run.starts[last] + run.chunks[last].n_samples) / rate
        found.append(Cue(spans[first][0], end, speaker, " ".join(words.split())))
    return found


@export("srt", ".srt", "application/x-subrip", "SRT", "The words with their times, as subtitles", member="speech.srt")
def srt(run: Run) -> str:
    """Return the words as SubRip subtitles. The name of the speaker stands in brackets if there are several."""
    lines = []
    for number, cue in enumerate(cues(run), 1):
        name = f"[{cue.speaker}] " if cue.speaker else ""
        words = f"{name}{cue.words}".replace("-->", "→")
        lines += [str(number), f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}", words, ""]
    return "\n".join(lines)


@export("vtt", ".vtt", "text/vtt", "VTT", "The same for the web, with voices as tags", member="speech.vtt")
def vtt(run: Run) -> str:
    """Return the words as WebVTT subtitles, with a voice tag where several speak."""
    lines = ["WEBVTT", ""]
    for cue in cues(run):
        words = html.escape(cue.words, quote=False)
        words = f"<v {html.escape(cue.speaker, quote=False)}>{words}</v>" if cue.speaker else words
        lines += [f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}", words, ""]
    return "\n".join(lines)


def _clock(seconds: float, mark: str) -> str:
    """Return the time to the millisecond, as "00:01:15,500"."""
    thousandths = round(seconds * 1000)
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
