"""Export chunks, passages, speakers and the words that were heard as a TextGrid for Praat."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.engine.runs.exports.pieces import pieces
from workbench.engine.runs.exports.registry import export
from workbench.engine.runs.measured.words import kept_words
from workbench.engine.speech.results import Run

Interval = tuple[float, float, str]


def chunk_intervals(run: Run) -> list[Interval]:
    """Return (start, end, text) of each chunk and pause, in seconds and without gaps.

    The border of two chunks is in the middle of their cross-fade. A pause has no text.
    """
    rate, total = run.sample_rate, run.n_samples
    intervals, end = [], 0.0
    for index, (start, result) in enumerate(zip(run.starts, run.chunks, strict=True)):
        if start > end:
            intervals.append((end / rate, start / rate, ""))
        low, high = max(float(start), end), float(start + result.n_samples)
        if index + 1 < len(run.starts) and run.starts[index + 1] < high:
            high = (run.starts[index + 1] + high) / 2
        intervals.append((low / rate, high / rate, result.chunk.text))
        end = high
    return [*intervals, (end / rate, total / rate, "")] if end < total else intervals


def passage_intervals(run: Run) -> list[Interval]:
    """Return (start, end, number from 1) of each passage of a script and of each pause between two; without gaps."""
    rate, total, intervals, end = run.sample_rate, run.n_samples, [], 0
    for piece in pieces(run, "passage"):
        low, high = run.starts[piece.first], run.starts[piece.last] + run.chunks[piece.last].n_samples
        if low > end:
            intervals.append((end / rate, low / rate, ""))
        intervals.append((low / rate, high / rate, str(run.chunks[piece.first].chunk.passage + 1)))
        end = high
    return [*intervals, (end / rate, total / rate, "")] if end < total else intervals


def word_intervals(run: Run) -> list[Interval]:
    """Return (start, end, word) of what a recogniser heard in ``run``, and of what lies between, without gaps.

    Empty if nobody listened to all of it.
    """
    intervals: list[Interval] = []
    end = 0.0
    for word in kept_words(run) or ():
        low, high = max(word.start, end), min(word.end, run.audio_seconds)
        if high <= low:
            continue
        if low > end:
            intervals.append((end, low, ""))
        intervals.append((low, high, word.text))
        end = high
    return [*intervals, (end, run.audio_seconds, "")] if intervals and end < run.audio_seconds else intervals


def tiers(run: Run) -> list[tuple[str, list[Interval]]]:
    """Return (name, intervals) of each tier: chunks, speakers and passages of a script, words if they were heard."""
    found = [("chunks", chunk_intervals(run))]
    if (script := run.request.script) is not None:
        passages = passage_intervals(run)
        named = [(low, high, script.speaker(int(n) - 1).name if n else "") for low, high, n in passages]
        found += [("speakers", named), ("passages", passages)]
    words = word_intervals(run)
    return [*found, ("words", words)] if words else found


@export("textgrid", ".TextGrid", "text/plain", "TextGrid", "Chunks, passages, speakers and heard words as tiers",
        member="chunks.TextGrid")  # fmt: skip
def text_grid(run: Run) -> str:
    """Return the interval tiers in Praat's long text format. Praat opens it together with the WAV."""
    end, found = f"{run.audio_seconds:.6f}", tiers(run)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(found)}", "item []:"]
    for number, (name, intervals) in enumerate(found, 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", *_intervals(intervals)]
    return "\n".join(lines) + "\n"


def _intervals(intervals: Sequence[Interval]) -> list[str]:
    lines = [f"        intervals: size = {len(intervals)}"]
    for i, (low, high, text) in enumerate(intervals, 1):
        shown = " ".join(text.split()).replace('"', '""')  # Praat doubles quotes inside a string
        lines += [f"        intervals [{i}]:", f"            xmin = {low:.6f}", f"            xmax = {high:.6f}"]
        lines += [f'            text = "{shown}"']
    return lines
