"""``workbench sweep``: speak a grid of settings with any number of workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output, show
from workbench.cli.parts.output import console, print_json, say, table
from workbench.cli.parts.workers import Address, ExecutorName, Threads, WorkerCount, n_workers
from workbench.engine import measures, sweeps
from workbench.engine.errors import SettingsError, WorkbenchError
from workbench.engine.runs.measured.making import of_run
from workbench.engine.sweeps import executors, records, tables
from workbench.engine.sweeps.forecast import predicted_seconds
from workbench.engine.sweeps.running import Sweep


def sweep(
    *,
    grid: Annotated[
        str | None,
        typer.Argument(metavar="GRID", help="TOML file of a grid, or name of a sweep. Without it: list sweeps."),
    ] = None,
    executor: ExecutorName = "local",
    workers: WorkerCount = None,
    threads: Threads = 0,
    address: Address = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the sweep. Default: sweeps/NAME.")] = None,
    by: Annotated[str, typer.Option("--by", help="Measure to show as median and IQR at each point.")] = "rtf",
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Write a figure of --by over the axes to this HTML file.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the missing trials and the predicted time.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log on standard error.")] = False,
) -> None:
    r"""Speak every point of a grid of settings. Trials on disk are not spoken again.

    A grid is a TOML file. Every synthesis and load setting may be fixed or an axis, also text, text_file, voice, model
    and duration_factor:

        repeats = 3
        measures = ["voiced_percent"]
        \[fixed]
        text = "One text for all."
        \[grid]
        nfe_step = [7, 16, 32]
        max_chunk_bytes = {from = 40, to = 300, values = 5}
        seed = [0, 1]
    """
    output.log_to_stderr(verbose)
    if grid is None:
        _list(as_json)
        return
    found, by = _opened(grid, out), _measure(by)
    missing = found.missing()
    seconds = predicted_seconds(missing, {voice.id: voice for voice in found.voices.values()})
    count = n_workers(executor, workers)
    if dry_run:
        _show_plan(found, len(missing), seconds, count, as_json)
        return
    how = executors.executor(executor, count, threads=threads, address=address)
    if not as_json:
        about = f", about {seconds / count:.0f} s" if seconds else ""
        say(f"{found.grid.name}: {len(missing)} of {len(found.trials)} trials to speak{about}.")
    with output.bar(not as_json, len(missing)) as advance:
        rows = found.run(how, on_record=lambda record: advance())
    drawn = _draw(found, rows, by, figure) if figure else None
    if as_json:
        print_json({"name": found.grid.name, "folder": str(found.folder), "n_trials": len(found.trials),
                    "n_spoken": len(missing), "n_failed": sum(bool(row["error"]) for row in rows),
                    "parquet": str(found.folder / "results.parquet"), "figure": str(drawn or ""), "by": by,
                    "points": tables.summed_up(rows, list(found.grid.axes), by), "rows": rows})  # fmt: skip
    else:
        _show(found, rows, by, drawn)
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


def _opened(named: str, out: Path | None) -> Sweep:
    """Return the sweep of the grid in the file ``named``, or the saved sweep of this name."""
    path = Path(named)
    if path.is_file() or path.suffix == ".toml":
        return sweeps.open_sweep(sweeps.read_grid(path), out)
    if out is not None:
        raise SettingsError("--out is for a grid in a file.", remedy=f"Give the TOML file, not the name {named!r}.")
    return sweeps.find_sweep(named)


def _measure(name: str) -> str:
    """Return the column of the measure called ``name``. Raises SettingsError if there is none."""
    return name if name in tables.TIMES else of_run([name])[0].name


def _list(as_json: bool) -> None:
    found: list[dict[str, Any]] = []
    broken = []
    for name in records.list_sweeps():
        try:
            one = sweeps.find_sweep(name)
        except WorkbenchError as error:
            broken.append(f"{name}: {error}")
            continue
        done = one.records().values()
        found.append({"name": name, "axes": list(one.grid.axes), "n_trials": len(one.trials),
                      "n_done": sum(r.is_done for r in done), "n_failed": sum(not r.is_done for r in done),
                      "folder": str(one.folder)})  # fmt: skip
    if as_json:
        print_json({"root": str(records.sweeps_root()), "sweeps": found, "broken": broken})
        return
    rows = [(s["name"], f"{s['n_done']} of {s['n_trials']}", s["n_failed"], ", ".join(s["axes"])) for s in found]
    console().print(table(f"{len(rows)} sweeps in {records.sweeps_root()}", ("name", "done", "failed", "axes"), rows,
                          right=("done", "failed"), whole=("name",)))  # fmt: skip
    for line in broken:
        say(line)


def _show_plan(found: Sweep, n_missing: int, seconds: float | None, n_workers: int, as_json: bool) -> None:
    grid = found.grid
    if as_json:
        print_json({"name": grid.name, "folder": str(found.folder), "n_trials": len(found.trials),
                    "n_missing": n_missing, "n_points": grid.n_points, "repeats": grid.repeats, "workers": n_workers,
                    "predicted_seconds": seconds and seconds / n_workers,
                    "axes": {name: list(values) for name, values in grid.axes.items()},
                    "trials": [{"trial": t.id, "repeat": t.repeat, **t.values} for t in found.trials]})  # fmt: skip
        return
    rows = [(name, len(values), show.short(", ".join(map(str, values)))) for name, values in grid.axes.items()]
    console().print(
        table(f"{grid.n_points} points, {grid.repeats} x each", ("axis", "n", "values"), rows, right=("n",))
    )
    about = (
        f"about {seconds / n_workers:.0f} s with {n_workers} workers"
        if seconds
        else "too few chunks were measured to predict the time"
    )
    say(f"{n_missing} of {len(found.trials)} trials are missing: {about}.")


def _show(found: Sweep, rows: list[dict[str, Any]], by: str, drawn: Path | None) -> None:
    points = tables.summed_up(rows, list(found.grid.axes), by)
    axes = [name for name in (points[0] if points else {}) if name in found.grid.axes]
    cells = [(*(show.short(str(p[axis])) for axis in axes), p["n"], _number(p["median"]), _number(p["iqr"]))
             for p in points]  # fmt: skip
    title = by if by in tables.TIMES else measures.get(by).title
    columns = (*axes, "n", f"median {title}", "IQR")
    console().print(table(f"{found.grid.name}: {len(rows)} trials", columns, cells, right=columns[len(axes) :]))
    for row in rows:
        if row["error"]:
            say(f"trial {row['trial']} failed: {row['error']}")
    loads = {(row["host"], row["worker_pid"]): row["worker_loads"] or 0 for row in rows}
    say(f"{len(loads)} workers loaded the models {sum(loads.values())} times.")
    say(f"wrote {found.folder / 'results.parquet'}")
    if drawn:
        say(f"wrote {drawn}")


def _number(value: float) -> str:
    return f"{value:.3g}"


def _draw(found: Sweep, rows: list[dict[str, Any]], by: str, path: Path) -> Path:
    from workbench.figures import sweeps as drawings

    return drawings.write_html(drawings.over_axes(rows, list(found.grid.axes), by), path)
