"""Spell a request for speech as a command line and as a Python program that make the same samples."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.passages.writing import resolved
from workbench.engine.speech.requests import SpeechRequest

PROGRAM = ("python", "-m", "workbench")
DEFAULT_MODEL = "demo-voice"  # of command line and ``load_engine``


def words(
    request: SpeechRequest,
    *,
    load: Mapping[str, Any] | None = None,
    recording: str = "",
    text_file: str = "",
    script_file: str = "",
    out: str = "",
    complete: bool = False,
) -> list[str]:
    """Return the words of the command that speaks ``request``: ``shlex.join`` makes a line of them.

    A chunk that was made again is not repeated: all of the text is spoken by the request's settings.

    Args:
        request: what to speak.
        load: name to value of each load setting instead of those of the request, as ``Run.load``.
        recording: file of the reference; "" names the voice, which is then bundled or saved.
        text_file: file with the text; "" gives the text itself.
        script_file: file with the script, its voices and the speeds that were fitted; it replaces the text file.
        out: sound file to write; "" leaves it to the command.
        complete: give every setting, so that later versions with other defaults make the same.
    """
    said = [*PROGRAM, "synth"]
    if script_file:
        said += [f"--script={script_file}", "--fit=off"]
    elif text_file:
        said.append(f"--text-file={text_file}")
    said += [f"--model={request.model}"] if complete or request.model != DEFAULT_MODEL else []
    if script_file:
        pass  # it names the voices
    elif recording:
        said += [f"--ref-audio={recording}", f"--ref-text={request.voice.ref_text}"]
    else:
        said.append(f"--voice={(request.main_voice or request.voice).name}")
    if request.script is not None and not script_file:
        own = [one for one in request.script.speakers if one.name != one.voice.name and one.name != request.script.main]
        said += [f"--cast={one.name}={one.voice.name}" for one in own]
        said += [f"--gap={request.script.gap_seconds:g}"] if request.script.gap_seconds else []
    text = resolved(request)
    said += [f"--folder={request.folder}"] if request.folder else []
    said += ["--random-weights"] if request.random_weights else []
    said += _flags(LoadSettings, request.load.as_dict() if load is None else load, complete=False)
    said += _flags(SynthesisSettings, request.settings.as_dict(), complete=complete)
    said += [f"--out={out}"] if out else []
    if text_file or script_file:
        return said
    return [*said, *(["--"] if text.startswith("-") else []), text]


def command(request: SpeechRequest, **how: Any) -> str:
    """Return ``words`` as one line for a POSIX shell. Arguments as there."""
    return shlex.join(words(request, **how))


def _flags(owner: type, values: Mapping[str, Any], *, complete: bool) -> list[str]:
    found: list[str] = []
    for field in dataclasses.fields(owner):
        if complete or values[field.name] != field.default:
            found += _flag(field, values[field.name])
    return found


def _flag(field: dataclasses.Field[Any], value: Any) -> list[str]:
    """Return one setting as a flag; none for a setting that is unset by default."""
    name = field.name.replace("_", "-")
    if value is None:  # sway_sampling_coef is the only knob with a default that can be unset; unset equals 0
        return [] if field.default is None else [f"--{name}=0"]
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}={value}"]


def python(
    request: SpeechRequest, *, load: Mapping[str, Any] | None = None, recording: str = "", text_file: str = ""
) -> str:
    """Return a complete Python program that speaks ``request`` by the public face. Arguments as of ``words``."""
    chosen = _arguments(LoadSettings, request.load.as_dict() if load is None else load)
    chosen += [f"folder={request.folder!r}"] if request.folder else []
    chosen += ["random_weights=True"] if request.random_weights else []
    if recording:
        voice = f"make_voice({recording!r}, {(request.main_voice or request.voice).ref_text!r})"
    else:
        voice = f"load_voice({(request.main_voice or request.voice).name!r})"
    settings = _arguments(SynthesisSettings, request.settings.as_dict())
    spoken = "engine.run(text, voice, settings)"
    if request.script is not None:
        spoken = "workbench.speak_script(engine, text, voice, settings)"
    text = f'Path({text_file!r}).read_text(encoding="utf-8-sig")' if text_file else repr(resolved(request))
    return "\n".join([
        *(["from pathlib import Path", ""] if text_file else []),
        "import workbench",
        "",
        f"engine = workbench.load_engine({', '.join([repr(request.model), *chosen])})",
        f"voice = workbench.{voice}",
        f"settings = workbench.SynthesisSettings({', '.join(settings)})",
        f"text = {text}",
        f"run = {spoken}  # saved in runs/",
        'print(run.id, f"{run.audio_seconds:.2f} s")  # run.wave: the samples, float32',
        "",
    ])  # fmt: skip


def _arguments(owner: type, values: Mapping[str, Any]) -> list[str]:
    fields = ((field.name, field.default) for field in dataclasses.fields(owner))
    return [f"{name}={values[name]!r}" for name, default in fields if values[name] != default]
