"""README.txt of an exported run: what each file is, and the command that repeats the run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.results import Run

_ABOUT = {
    "run.json": "Settings, timings and environment of the run",
    "text.txt": "What was spoken",
    "mel.npy": "The mel of the run, float32 [frames, mel channels], natural logarithm",
    "reference.wav": "The reference recording, as the model was given it",
    "reference.txt": "What is said in it",
}


def command(run: Run, *, own_reference: bool) -> list[str]:
    """The words of the command that speaks ``run`` again from the files of its zip.

    Args:
        run: to be repeated.
        own_reference: reference.wav lies beside it; else the voice is named.
    """
    words = ["python", "-m", "workbench", "synth", "--text-file=text.txt", f"--model={run.model}"]
    if own_reference:
        words += ["--ref-audio=reference.wav", f"--ref-text={run.ref_text}"]
    else:
        words.append(f"--voice={run.voice}")
    words += [f"--folder={run.request.folder}"] if run.request.folder else []
    words += ["--random-weights"] if run.request.random_weights else []
    for field in dataclasses.fields(LoadSettings):
        words += _flag(field, run.load[field.name]) if run.load[field.name] != field.default else []
    for field in dataclasses.fields(SynthesisSettings):
        words += _flag(field, getattr(run.settings, field.name))
    return [*words, "--out=again.wav"]


def _flag(field: dataclasses.Field[Any], value: Any) -> list[str]:
    """One setting as a flag; one that is unset, as its default is, has none."""
    name = field.name.replace("_", "-")
    if value is None:  # unset sway sampling is the uniform grid, as 0 is; no other knob has a default and can be unset
        return [] if field.default is None else [f"--{name}=0"]
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}={value}"]


def changed_chunks(run: Run) -> list[int]:
    """Indices of the chunks that have another seed than the run gives them: they were made again."""
    return [c.chunk.index for c in run.chunks if c.seed != run.settings.seed + c.chunk.index]


def readme(run: Run, files: Sequence[str], about: Mapping[str, str]) -> str:
    """The text of README.txt.

    Args:
        run: exported.
        files: names within the zip.
        about: what the exports among them are.
    """
    known = _ABOUT | dict(about)
    width = max(len(name) for name in files) + 2
    own = "reference.wav" in files
    listed = [f"{name:<{width}}{known[name]}" for name in files if name in known]
    lines = [
        f"Speech made with the F5-TTS workbench: run {run.id}, {run.created_at}.",
        f"Model {run.model}, voice {run.voice}, {run.device} {run.dtype}, {len(run.chunks)} chunks.",
        "",
        *listed,
        f"{'chunks/':<{width}}Each chunk alone, before the cross-fade",
        "",
        "To make it again, in this folder:",
        "",
        "    " + shlex.join(command(run, own_reference=own)),
        "",
        "The same versions, device and number of threads (see run.json) give the same samples.",
    ]
    if not own:
        lines.append(f"The reference recording is not in here: the voice {run.voice} must be at hand.")
    changed = changed_chunks(run)
    if changed:
        names = ", ".join(f"{k + 1} (seed {run.chunks[k].seed})" for k in changed)
        lines.append(f"Made again on their own, so the command gives other speech there: chunks {names}.")
    return "\n".join(lines) + "\n"
