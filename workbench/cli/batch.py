"""``workbench batch``: a run for each row of a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.parts import output, show
from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.reading import read_text
from workbench.cli.parts.scripts import aliases
from workbench.engine.catalog import get_model
from workbench.engine.scripts.batch import Batch, Done, read_lines
from workbench.engine.scripts.casting import Cast
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.voices import load_voice


@settings_flags(settings=SynthesisSettings, load=LoadSettings)
def batch(
    *,
    table: Annotated[
        Path, typer.Argument(metavar="CSV", help="With a heading: text, and any of id, voice and settings.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="Model, see `workbench models`.")] = "demo-voice",
    folder: Annotated[Path | None, typer.Option("--folder", help="Look for the model's files here first.")] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", "-v", help="Voice of rows that name none, see `workbench voices`.")
    ] = None,
    cast: Annotated[
        list[str] | None, typer.Option("--cast", metavar="NAME=VOICE", help="Who speaks a name in the CSV.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the results. Default: named as the CSV.")
    ] = None,
    kind: Annotated[str, typer.Option("--as", help="Type of the files: wav, flac or ogg.")] = "wav",
    save: Annotated[bool, typer.Option("--save/--no-save", help="Save the runs in runs/ too.")] = True,
    reuse: Annotated[bool, typer.Option("--reuse/--no-reuse", help="Read unchanged chunks from earlier runs.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    settings: SynthesisSettings,
    load: LoadSettings,
) -> None:
    """Speak each row of a CSV into a file; run it again to go on. Exit code 1: a row failed.

    The columns are text, and any of id, voice and the settings of synthesis, such as speed and seed. report.csv in the
    folder has a row each.
    """
    output.log_to_stderr(False)
    mel = get_model(model).mel
    told = Cast(load_voice(voice, mel), aliases=aliases(cast), load=lambda name: load_voice(name, mel))
    place = str(folder.absolute()) if folder else ""
    lines = read_lines(
        read_text(None, table), told, settings, model=model, folder=place, load=load, reuse=reuse
    )  # fmt: skip
    target = out or table.with_suffix("")
    made = Batch(lines, target, f".{kind}")
    before = len(made.done())
    if before:
        output.say(f"{before} of {len(lines)} rows are done already.", stderr=True)

    from workbench.engine.jobs.pool import EnginePool

    def tell(done: Done) -> None:
        advance()
        if done.error:
            output.say(f"{done.id}: {done.error}", stderr=True)

    with output.bar(not as_json, len(lines) - before) as advance:
        results = made.speak(EnginePool(), on_done=tell, save=save)
    rows = [one.as_dict() for one in results]
    if as_json:
        output.print_json({"folder": str(target), "rows": rows})
    else:
        show.batch(rows, str(target))
    if any(one.status != "done" for one in results):
        raise typer.Exit(1)
