"""``workbench cache``: list, verify, download, import and remove models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from workbench.cli.info import random_model
from workbench.cli.parts.output import confirm, console, print_json, say, table
from workbench.engine import cache
from workbench.engine.cache.paths import cache_root
from workbench.engine.errors import CacheError
from workbench.engine.files.writing import human_bytes
from workbench.engine.reuse.store import ChunkStore

cache_app = typer.Typer(no_args_is_help=True, help="The offline model cache.")
cache_app.command("random")(random_model)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="Model of the catalogue, see `workbench models`.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@cache_app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="List also models without files on disk.")] = False,
    as_json: Json = False,
) -> None:
    """List the models on disk: state, size, weights, place, revision, licence."""
    stocks = [s for s in cache.inventory() if everything or as_json or s.state != "absent"]
    if as_json:
        print_json({"root": str(cache_root()), "models": [
            {"model": s.model, "state": s.state, "source": s.source, "revision": s.revision, "bytes": s.bytes,
             "license": s.license, "problems": list(s.problems), "remarks": list(s.remarks),
             "weights": {"there": list(s.layers[0]), "taken": s.layers[1]}, "picked": s.picked,
             "files": [{"name": f.name, "path": str(f.path), "bytes": f.size, "problem": f.problem} for f in s.files]}
            for s in stocks]})  # fmt: skip
        return
    columns = ("model", "state", "size", "weights", "where", "revision", "licence")
    rows = [[s.model, s.state, human_bytes(s.bytes), _weights(s), s.source, (s.revision or "")[:12], s.license]
            for s in stocks]  # fmt: skip
    console().print(table(f"Cache in {cache_root()}", columns, rows, right=("size",)))
    for stock in stocks:
        for line in (*stock.problems, *stock.remarks):
            say(f"{stock.model}: {line}")


def _weights(stock: cache.Stock) -> str:
    """Which weights are there; those that are taken first."""
    there, taken = stock.layers
    return " ".join([taken, *(f"({kind} too)" for kind in there if kind != taken)])


@cache_app.command("chunks")
def chunks(
    clear: Annotated[bool, typer.Option("--clear", help="Delete all of them.")] = False,
    as_json: Json = False,
) -> None:
    """Show the chunks of speech that are kept to be reused: place, size, limit."""
    store = ChunkStore()
    freed = store.clear() if clear else 0
    if as_json:
        print_json({"folder": str(store.folder), "bytes": store.n_bytes(), "limit_bytes": store.max_bytes,
                    "freed_bytes": freed})  # fmt: skip
    elif clear:
        say(f"Deleted the kept chunks, {human_bytes(freed)} are free again.")
    else:
        size, limit = human_bytes(store.n_bytes()), human_bytes(store.max_bytes)
        say(f"{size} of at most {limit} in {store.folder}. WORKBENCH_CHUNKS_MB sets the limit, --clear deletes them.")


@cache_app.command("verify")
def verify(model: Name, as_json: Json = False) -> None:
    """Read every byte of a model and compare its sha256 with the manifest. No network. Exit code 1 if it differs."""
    found = cache.verify(model)
    if as_json:
        print_json({"model": found.model, "ok": found.ok, "seconds": found.seconds, "files": [
            {"name": f.name, "path": str(f.path), "status": f.status, "expected": f.expected, "found": f.found}
            for f in found.files]})  # fmt: skip
    else:
        console().print(table(f"{found.model}: {'complete' if found.ok else 'NOT complete'}", ("file", "state"),
                              [[f.name, f.status] for f in found.files]))  # fmt: skip
    if not found.ok:
        raise typer.Exit(1)


@cache_app.command("fetch")
def fetch(
    model: Name,
    yes: Yes = False,
    update: Annotated[
        bool, typer.Option("--update", help="Take the newest revision instead of the pinned one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Download a model and pin its revision. The only command that uses the network. Shows the size, then asks."""
    plan = cache.plan_fetch(model, update=update)
    say(plan.describe(), stderr=True)
    if plan.download_bytes and not yes and sys.stdin.isatty():
        confirm("Download it?")
    with _bytes_bar(plan.download_bytes, as_json) as report:
        done = cache.fetch(model, on_progress=report, update=update)
    if as_json:
        print_json({"model": done.model, "revisions": done.revisions, "downloaded_bytes": done.downloaded_bytes,
                    "seconds": done.seconds, "lock": str(done.manifest)})  # fmt: skip
    else:
        say(f"{done.model} is complete.")


@contextmanager
def _bytes_bar(total: int, quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar over bytes if standard error is a terminal."""
    if quiet or not sys.stderr.isatty() or not total:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as bars:
        task = bars.add_task("", total=total)
        yield lambda file, done, whole: bars.update(task, completed=done, total=whole, description=Path(file).name)


@cache_app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Folder, archive or weights file, in any common layout.")],
    name: Annotated[str | None, typer.Option("--name", help="Name in the catalogue. Default: from the path.")] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="Architecture: a catalogue name or a YAML file.")
    ] = None,
    vocoder: Annotated[
        Path | None, typer.Option("--vocoder", help="Folder of a Vocos, if not beside the weights.")
    ] = None,
    weights: Annotated[
        str, typer.Option("--weights", help="Weights to speak with, if the file holds both: auto, ema or raw.")
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Copy a model into the cache: check it, hash it, list it in the catalogue. Bundles of `cache export` too."""
    if cache.is_bundle(path):
        if (name, config, vocoder, weights) != (None, None, None, "auto"):
            raise CacheError("A bundle says all about its models.", remedy="Leave out the options besides --json.")
        with _bytes_bar(path.stat().st_size, as_json) as report_bytes:
            _say_bundle(cache.import_bundle(path, on_progress=report_bytes), "imported", as_json)
        return
    report = cache.import_model(path, name=name, config=config, vocoder=vocoder, weights=weights)
    if as_json:
        print_json({"model": report.spec.name, "notes": list(report.notes), "bytes": report.bytes,
                    "weights": {"there": list(report.spec.layers), "taken": report.spec.layer},
                    "seconds": report.seconds})  # fmt: skip
        return
    say(f"{report.spec.name}: imported, {human_bytes(report.bytes)}.")
    for note in report.notes:
        say(f"  {note}")


@cache_app.command("export")
def export(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Models of the catalogue, with vocoders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the bundle.")] = Path("bundle.tar"),
    as_json: Json = False,
) -> None:
    """Write models with manifests, licences and checksums to one file, for `cache import` on another machine."""
    known = {s.model: s.bytes for s in cache.inventory()}
    with _bytes_bar(sum(known.get(name, 0) for name in models) or 1, as_json) as report:
        _say_bundle(cache.export_bundle(models, out, on_progress=report), f"written to {out}", as_json)


def _say_bundle(report: cache.BundleReport, done: str, as_json: bool) -> None:
    if as_json:
        print_json({"models": report.models, "bytes": report.bytes, "seconds": report.seconds,
                    "kept": list(report.kept)})  # fmt: skip
        return
    for name, license in report.models.items():
        say(f"{name}: {'was here already' if name in report.kept else done}; licence {license}.")


@cache_app.command("rm")
def rm(
    model: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also the demo voice, which is part of the project.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove a model from the cache. Shows the files, then asks."""
    plan = cache.plan_delete(model, force=force)
    for path in plan.paths:
        say(str(path), stderr=as_json)
    for reason in plan.kept:
        say(f"kept: {reason}", stderr=as_json)
    say(f"{len(plan.paths)} files and links of {plan.model}, {human_bytes(plan.bytes)}", stderr=as_json)
    if not dry_run and not yes:
        confirm("Remove them?")
    freed = 0 if dry_run else plan.execute()
    if as_json:
        print_json({"model": plan.model, "paths": [str(p) for p in plan.paths], "bytes": plan.bytes,
                    "freed_bytes": freed, "dry_run": dry_run})  # fmt: skip
