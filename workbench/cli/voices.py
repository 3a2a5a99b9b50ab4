"""``workbench voices``: the bundled voices, and those saved under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output, speaking
from workbench.cli.parts.output import console, print_json, say, table
from workbench.engine.errors import VoiceError, WorkbenchError
from workbench.engine.speech.recordings import bundled, library
from workbench.engine.speech.recordings.bundled import BundledVoice

voices_app = typer.Typer(help="List, add, show and delete voices.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a saved voice, see `workbench voices ls`.")]


@voices_app.callback(invoke_without_command=True)
def voices(context: typer.Context, as_json: Json = False) -> None:
    """List the voices, if no command is given."""
    if context.invoked_subcommand is None:
        _list(as_json)


@voices_app.command("ls")
def ls(as_json: Json = False) -> None:
    """List the bundled and the saved voices, and the saved ones that are damaged."""
    _list(as_json)


def _list(as_json: bool) -> None:
    saved, broken = library.scan()
    intact: list[BundledVoice] = []
    for voice in saved:
        try:
            library.check_recording(voice)
            intact.append(voice)
        except VoiceError as error:
            broken.append((voice.name, str(error)))
    rows = [{"name": v.name, "language": v.language, "source": v.source, "ref_text": v.ref_text, "path": str(v.path)}
            for v in (*bundled.list_voices(), *intact)]  # fmt: skip
    if as_json:
        print_json({"voices": rows, "broken": [{"name": name, "reason": reason} for name, reason in broken]})
        return
    columns = ("name", "language", "source", "text of the reference")
    console().print(table("Voices", columns, [[r["name"], r["language"], r["source"], r["ref_text"]] for r in rows]))
    for _, reason in broken:
        say(reason)


@voices_app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name for --voice.")],
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="Recording to imitate (WAV, FLAC, OGG, MP3, m4a).")],
    words: Annotated[
        str | None,
        typer.Option("--text", help="Words of the recording. Default: from a recogniser in the cache."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="ISO 639-1 code, such as en.")] = "",
    shorten_pauses: Annotated[
        bool, typer.Option("--shorten-pauses", help="Shorten each silence over 1 s in the recording.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save a recording and its words as a voice."""
    from workbench.engine.speech.voices import make_voice

    clean = library.checked_name(name)  # before the recording is read
    voice = make_voice(recording, words, name=clean, language=language, shorten_pauses=shorten_pauses)
    speaking.warn(voice.warnings, f"voice {clean}")
    saved = library.keep_voice(voice, clean, shorten_pauses=shorten_pauses, made_from=recording.name)
    if as_json:
        print_json(saved.document | {"path": str(saved.path)})
    else:
        say(f"saved the voice {saved.name}: {voice.seconds:.2f} s; use it with --voice {saved.name!r}")


@voices_app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """Show what is known of a saved voice, and check its recording."""
    voice = library.find(name)
    library.check_recording(voice)
    document: dict[str, Any] = voice.document | {"name": voice.name, "path": str(voice.path)}
    if as_json:
        print_json(document)
        return
    for key, value in document.items():
        say(f"{key}: {'; '.join(map(str, value)) if isinstance(value, list) else value}")


@voices_app.command("rm")
def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Saved voices, also damaged ones.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete saved voices. Runs keep their own copy of the recording."""
    if not yes:
        output.confirm(f"Delete {', '.join(names)}?")
    removed, problems = [], []
    for name in dict.fromkeys(names):
        try:
            library.remove_voice(name)
            removed.append(name)
        except WorkbenchError as error:
            problems.append(str(error))
    if as_json:
        print_json({"deleted": removed, "problems": problems})
    elif removed:
        say(f"Deleted {', '.join(removed)}.")
    if problems:
        raise WorkbenchError(" ".join(problems))
