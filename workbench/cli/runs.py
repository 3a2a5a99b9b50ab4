"""``workbench runs``: list, show, delete, export, rerun and query saved runs."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output, show, speaking
from workbench.cli.parts.output import console, print_json, say, table
from workbench.engine.errors import SettingsError, WorkbenchError
from workbench.engine.files import outputs
from workbench.engine.files.writing import human_bytes
from workbench.engine.runs import exports, index, store, tables
from workbench.engine.runs.exports.pieces import KINDS
from workbench.engine.runs.finding import query
from workbench.engine.runs.parts import unfinished
from workbench.engine.signal import joining
from workbench.engine.visible import visible

runs_app = typer.Typer(no_args_is_help=True, help="List, show, delete, export, rerun and query saved runs.")

LISTED = 50  # default number of rows in the table
RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of a run, see `workbench runs ls`.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@runs_app.command("ls")
def ls(
    search: Annotated[
        str,
        typer.Option("--search", help="Words of text, note or voice; comparisons: 'nfe_step=7 wer<0.1 voice=Nora'."),
    ] = "",
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help=f"List this many at most. Default: {LISTED}, with --json all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runs, the newest first, and the folders that cannot be read."""
    every, broken = store.scan()
    begun = unfinished.every()
    found = query.find(every, search)
    shown = found[: len(found) if as_json else LISTED] if limit is None else found[:limit]
    if as_json:
        print_json({
            "root": str(store.runs_root()), "n_runs": len(every), "n_found": len(found),
            "runs": [_document(run) for run in shown],
            "unfinished": [asdict(left) for left in begun],
            "broken": [{"id": run_id, "reason": reason} for run_id, reason in broken]})  # fmt: skip
        return
    columns = ("id", "★", "audio s", "total s", "RTF", "chunks", "remade", "NFE", "seed", "voice", "model", "text")
    rows = [
        (r.id, "★" if r.star else "", r.seconds, r.total_seconds, r.rtf, r.n_chunks, r.remade,
         r.settings.get("nfe_step"), r.settings.get("seed"), r.voice, r.model, show.short(" ".join(r.text.split())))
        for r in shown
    ]  # fmt: skip
    title = f"{len(shown)} of {len(found)} runs in {store.runs_root()}"
    console().print(table(title, columns, rows, right=columns[2:9], whole=("id",)))
    for left in begun:
        say(left.problem or f"{left.id}: unfinished, {left.n_done} of {left.n_chunks} chunks; "
            f"continue with `workbench runs resume {left.id}`")  # fmt: skip
    for _, reason in broken:
        say(reason)


def _document(run: store.RunSummary) -> dict[str, Any]:
    found = asdict(run)
    del found["envelope"]
    return found


@runs_app.command("show")
def show_(run_id: RunId, as_json: Json = False) -> None:
    """Show a run: one row per chunk, then the totals."""
    run = store.load_run(run_id, trajectories=False)
    summary = store.summarise(run_id)
    document = run.as_dict() | {"note": summary.note, "star": summary.star, "folder": str(store.run_folder(run_id))}
    if as_json:
        print_json(document)
        return
    show.run(document)
    if summary.note:
        say(f"note: {summary.note}")


@runs_app.command("rm")
def rm(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of runs, also of damaged ones.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete runs permanently, also unfinished ones. A run that cannot be deleted does not stop the others."""
    chosen = list(dict.fromkeys(run_ids))
    n_bytes = sum(store.kept_bytes(run_id) for run_id in chosen)
    if not yes:
        output.confirm(f"Delete {len(chosen)} {'run' if len(chosen) == 1 else 'runs'}, {human_bytes(n_bytes)}?")
    freed, deleted, problems = 0, [], []
    for run_id in chosen:
        try:
            freed += store.delete_run(run_id)
            deleted.append(run_id)
        except WorkbenchError as error:
            problems.append(str(error))
    if as_json:
        print_json({"deleted": deleted, "freed_bytes": freed, "problems": problems})
    elif deleted:
        say(f"Deleted {len(deleted)}; this freed {human_bytes(freed)}.")
    if problems:
        raise WorkbenchError(" ".join(problems))


@runs_app.command("export")
def export(
    run_id: RunId,
    kind: Annotated[
        str, typer.Option("--as", metavar="|".join(found.name for found in exports.every()), help="Format of the file.")
    ] = "wav",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File. Default: named after the run.")] = None,
    files: Annotated[
        str,
        typer.Option("--files", metavar="|".join(KINDS), help="Of sound: a file for each, in a folder."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Write a run to a file for other tools."""
    from workbench.engine.runs.exports.pieces import write_pieces

    wanted = exports.get(kind.lower())
    store.run_folder(run_id)
    path = out or Path(f"f5tts-{run_id}{wanted.suffix}")
    outputs.check_place(path)
    before = outputs.stamp(path) if out else None  # only a file named by --out may be overwritten
    if files and wanted.suffix not in joining.FORMATS:
        raise SettingsError(f"--files is for sound, not for {kind[:40]!r}.", remedy="Use --as wav or --as flac.")
    run = store.load_run(run_id, trajectories=False)
    if files:
        folder = path.with_suffix("") if out else outputs.free_folder(path.with_suffix(""))
        made = write_pieces(run, folder, files, wanted.suffix)
        written, n_bytes = folder, sum(file.stat().st_size for file in made)
    else:
        written = outputs.save(path, lambda draft: wanted.write(run, draft), before)
        n_bytes = written.stat().st_size
    if as_json:
        print_json({"id": run_id, "as": kind.lower(), "out": str(written), "bytes": n_bytes})
    else:
        say(f"wrote {written}")


@runs_app.command("resume")
def resume(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of an unfinished run, see `workbench runs ls`.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="WAV, FLAC or OGG. Default: speech.wav, speech-2.wav, ...")
    ] = None,
    files: Annotated[
        str, typer.Option("--files", metavar="|".join(KINDS), help="A file for each, in a folder named as --out.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Go on with a long run that was stopped: what is finished is taken from disk, the rest is spoken."""
    output.log_to_stderr(False)
    request = unfinished.request_of(run_id)
    target = speaking.Target(out, files)

    from workbench.engine.jobs.pool import EnginePool

    pool = EnginePool()
    pool.engine_for(request)  # before the bar
    run = speaking.speak(pool, request, run_id, target, bar=not as_json)
    speaking.finish(run, target, save=True, as_json=as_json)


@runs_app.command("measure")
def measure(
    run_id: RunId,
    names: Annotated[
        str,
        typer.Option("--measures", help="Names with commas, e.g. wer,sim,dnsmos. Default: all that can be made."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Measure a run and keep the result: words wrong or missing, voice, naturalness, loudness, pauses."""
    output.log_to_stderr(False)
    from workbench.engine.runs.measured.making import measure_run

    wanted = [name for name in names.split(",") if name.strip()]
    with output.bar(not as_json, store.summarise(run_id).n_chunks) as done:
        measured, lacking = measure_run(run_id, wanted, on_chunk=lambda *at: done())
    for line in lacking:
        say(f"Not measured: {line}", stderr=True)
    if as_json:
        print_json({"id": run_id, "lacking": lacking, **measured.as_dict()})
    else:
        show.measured(measured)


@runs_app.command("rerun")
def rerun(
    run_id: RunId,
    folder: Annotated[Path | None, typer.Option("--folder", help="Look for the model's files here first.")] = None,
    ref_audio: Annotated[
        Path | None, typer.Option("--ref-audio", help="Reference recording, for a run without its own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Speak a run again from its folder alone and compare. Exit code 0: same wave; 1: different wave."""
    output.log_to_stderr(False)
    from workbench.engine.jobs.rerun import rerun

    with output.step_bar(not as_json) as on_step:
        found = rerun(run_id, folder=folder, ref_audio=ref_audio, on_step=on_step)
    if as_json:
        print_json(found.as_dict())
    else:
        show.rerun(found.as_dict())
    if not found.same:
        raise typer.Exit(1)


@runs_app.command("sql")
def sql(
    question: Annotated[
        str | None,
        typer.Argument(metavar="SELECT", help="One SELECT over runs and chunks. Without it: list their columns."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--time-limit", min=0.0, help="Stop after this many seconds.")
    ] = tables.QUERY_SECONDS,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> None:
    """Query the index of all runs, read-only. Every setting is a column.

    For example: workbench runs sql "SELECT nfe_step, count(*), avg(rtf) FROM runs GROUP BY nfe_step"
    """
    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other.", remedy="Give one of them.")
    columns: list[str]
    rows: list[tuple[Any, ...]]
    if question is None:
        columns, rows = ["table", "column"], [(name, c) for name, all_ in tables.columns().items() for c in all_]
    else:
        columns, rows = index.ask(question, seconds)
    rows = [tuple(value.hex() if isinstance(value, bytes) else value for value in row) for row in rows]
    if as_json:
        print_json({"columns": columns, "rows": rows})
    elif as_csv:
        sheet = io.StringIO()
        csv.writer(sheet, lineterminator="\n").writerows([columns, *rows])
        # programs get the texts unchanged; a terminal gets no control characters
        lines = sheet.getvalue().splitlines() if sys.stdout.isatty() else ()
        print("\n".join(map(visible, lines)) if lines else sheet.getvalue(), end="\n" if lines else "")
    else:
        numbers = [c for k, c in enumerate(columns) if rows and all(isinstance(row[k], (int, float)) for row in rows)]
        console().print(table(f"{len(rows)} rows", columns, rows, right=numbers))
