"""README.txt of an exported run: a description of each file, and the command that repeats the run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from workbench.engine.runs.exports.script import FILE
from workbench.engine.speech import spelled
from workbench.engine.speech.requests import reference_file
from workbench.engine.speech.results import Run

_ABOUT = {
    "run.json": "Settings, timings and environment of the run",
    "text.txt": "The text of the run",
    "mel.npy": "The mel of the run, float32 [frames, mel channels], natural logarithm",
    "reference.wav": "The reference recording as given to the model",
    "reference.txt": "The words of the reference recording",
    FILE: "The script: who speaks what, with which settings",
}


def command(run: Run, *, own_reference: bool) -> list[str]:
    """Return the words of the command that repeats ``run`` from the files of its zip.

    Args:
        run: to repeat.
        own_reference: use reference.wav of the zip; otherwise name the voice.
    """
    recording = "reference.wav" if own_reference else ""
    script = FILE if run.request.script is not None else ""
    return spelled.words(
        run.request, load=run.load, recording=recording, text_file="text.txt", script_file=script, out="again.wav",
        complete=True,
    )  # fmt: skip


def changed_chunks(run: Run) -> list[int]:
    """Return the indices of chunks that were made again: another take is chosen, or the seed is not first + index.

    In a script, each passage counts from its own seed.
    """
    firsts: dict[int, int] = {}
    return [
        c.chunk.index
        for c in run.chunks
        if (run.takes and run.takes[c.chunk.index] > 1)
        or c.seed
        != run.request.settings_of(c.chunk.passage).seed
        + c.chunk.index
        - firsts.setdefault(c.chunk.passage, c.chunk.index)
    ]


def _voices(run: Run) -> str:
    script = run.request.script
    return f"voice {run.voice}" if script is None else f"voices {', '.join(one.name for one in script.speakers)}"


def readme(run: Run, files: Sequence[str], about: Mapping[str, str]) -> str:
    """Return the text of README.txt.

    Args:
        run: the exported run.
        files: names within the zip.
        about: description of each export by its name in the zip.
    """
    known = _ABOUT | dict(about)
    width = max(len(name) for name in files) + 2
    own = "reference.wav" in files
    known |= {reference_file(v.id): f"The recording of {v.name}" for v in run.request.voices[1:]}
    listed = [f"{name:<{width}}{known[name]}" for name in files if name in known]
    lines = [
        f"Speech made with the F5-TTS workbench: run {run.id}, {run.created_at}.",
        f"Model {run.model}, {_voices(run)}, {run.device} {run.dtype}, {len(run.chunks)} chunks.",
        "",
        *listed,
        f"{'chunks/':<{width}}Each chunk alone, before the cross-fade",
        "",
        "To repeat the run, in this folder:",
        "",
        "    " + shlex.join(command(run, own_reference=own)),
        "",
        "The same versions, device and number of threads (see run.json) give the same samples.",
    ]
    if not own:
        lines.append(f"The reference recording is not included: the voice {run.voice} must be available.")
    if run.n_planned:
        lines.append(f"The run was stopped: {len(run.chunks)} of {run.n_planned} chunks are here.")
    lines += [f"Chunk {k + 1} could not be made, silence is in its place: {run.chunks[k].error}" for k in run.failed]
    changed = changed_chunks(run)
    if changed:
        names = ", ".join(f"{k + 1} (seed {run.chunks[k].seed})" for k in changed)
        lines.append(f"The command gives other speech for chunks that were made again alone: chunks {names}.")
    return "\n".join(lines) + "\n"
