"""Export the chunks as a TextGrid for Praat."""

from __future__ import annotations

from workbench.engine.runs.exports.registry import export
from workbench.engine.speech.results import Run


def chunk_intervals(run: Run) -> list[tuple[float, float, str]]:
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


@export(
    "textgrid", ".TextGrid", "text/plain", "TextGrid", "The chunks as intervals, for Praat", member="chunks.TextGrid"
)
def text_grid(run: Run) -> str:
    """Return the chunks as one interval tier in Praat's long text format. Praat opens it together with the WAV."""
    intervals = chunk_intervals(run)
    end = f"{run.audio_seconds:.6f}"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"']
    lines += ['        name = "chunks"', "        xmin = 0", f"        xmax = {end}"]
    lines += [f"        intervals: size = {len(intervals)}"]
    for i, (low, high, text) in enumerate(intervals, 1):
        shown = " ".join(text.split()).replace('"', '""')  # Praat doubles quotes inside a string
        lines += [f"        intervals [{i}]:", f"            xmin = {low:.6f}", f"            xmax = {high:.6f}"]
        lines += [f'            text = "{shown}"']
    return "\n".join(lines) + "\n"
