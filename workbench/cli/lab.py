"""``workbench lab``: measured lessons."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.output import console, print_json, say, table
from workbench.engine.errors import SettingsError
from workbench.engine.settings import LabLoadSettings
from workbench.lab import measuring
from workbench.lab.strategies import BUG, OURS, STRATEGIES
from workbench.lab.text_169 import TEXT_169, TEXT_169_CHUNK_BYTES

lab_app = typer.Typer(no_args_is_help=True, help="Measure good and bad ways to load and share a model.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", "-s", help=f"One of {', '.join(STRATEGIES)}, or all. May be repeated. "
                 f"Default: {BUG} and {OURS}."),
]  # fmt: skip
Networks = Annotated[
    list[str] | None,
    typer.Option("--network", "-n", help=f"One of {', '.join(measuring.NETWORKS)}, or all. May be repeated. "
                 "Default: blackhole."),
]  # fmt: skip


@lab_app.command("loading")
@settings_flags(load=LabLoadSettings)
def loading(
    *,
    strategy: Strategies = None,
    network: Networks = None,
    text_169: Annotated[bool, typer.Option("--text-169", help="The text of 169 characters (the default).")] = False,
    text: Annotated[str | None, typer.Option("--text", help="Another text.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Model of the catalogue. A released model that is not on "
                                       "disk gets random weights.")] = "demo-voice",
    timeout: Annotated[int, typer.Option("--timeout", help="Time-out of the Hub's client in whole seconds. "
                                         "Its default is 10.")] = measuring.DEFAULT_TIMEOUT_SECONDS,
    runs: Annotated[int, typer.Option("--runs", help="Number of runs in each process.")] = 1,
    nfe_step: Annotated[int, typer.Option("--nfe-step", help="Steps of the ODE solver.")] = measuring.LabPlan.nfe_step,
    max_chunk_bytes: Annotated[
        int, typer.Option("--max-chunk-bytes", help="Longest chunk of text in bytes.")
    ] = TEXT_169_CHUNK_BYTES,
    limit: Annotated[float, typer.Option("--limit", help="Stop a cell after this many seconds.")] = 900.0,
    log: Annotated[bool, typer.Option("--log", help="Print the log of each process on standard error.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="The same, as JSON lines.")] = False,
    as_json: Json = False,
    load: LabLoadSettings,
) -> None:  # fmt: skip
    """Measure ways to load the models against states of the network, each in a new process.

    The Hub is a server on this machine; its client is the real one. Nothing leaves the machine.
    """
    if text is not None and text_169:
        raise SettingsError("--text and --text-169 exclude each other.", remedy="Give one of them.")
    plan = measuring.LabPlan(
        strategies=_chosen(strategy, STRATEGIES, (BUG, OURS)),
        networks=_chosen(network, measuring.NETWORKS, ("blackhole",)),
        text=TEXT_169 if text is None else text, model=model, timeout_seconds=timeout, runs=runs, nfe_step=nfe_step,
        max_chunk_bytes=max_chunk_bytes, load=load, limit_seconds=limit, log_json=log_json,
    )  # fmt: skip
    with _progress(plan, quiet=as_json) as follow:
        document = measuring.run(plan, on_event=follow)
    if log or log_json:
        for cell in document["cells"]:
            print(*cell["log"], sep="\n", file=sys.stderr)
    if as_json:
        print_json(document)
    else:
        _show(document)
    if any(cell["state"] != "finished" for cell in document["cells"]):
        raise typer.Exit(1)


def _chosen(given: list[str] | None, known: dict[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip() for names in given or () for name in names.split(",")]
    return tuple(known) if "all" in names else tuple(names) or default


@contextmanager
def _progress(plan: measuring.LabPlan, *, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None] | None]:
    """Show what the lab is doing if standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    state, n_cells = measuring.LabState(), len(plan.cells)
    with Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
                  console=console(stderr=True)) as bars:  # fmt: skip
        task = bars.add_task("starting", total=None)

        def follow(event: dict[str, Any]) -> None:
            state.take(event)
            where = f"{state.current['strategy']}, {state.current['network']}: " if state.current else ""
            number = f"{min(len(state.cells) + 1, n_cells)} of {n_cells}  " if state.prepared else ""
            bars.update(task, description=f"{number}{where}{state.doing}")

        yield follow


def _show(document: dict[str, Any]) -> None:
    columns = ("strategy", "network", "total s", "network s", "load s", "speech s", "loads", "requests", "time-outs",
               "idle")  # fmt: skip
    rows = []
    for cell in document["cells"]:
        if cell["state"] != "finished":
            rows.append([cell["strategy"], cell["network"], cell["state"], *[None] * 7])
            continue
        rows.append([cell["strategy"], cell["network"], cell["total_seconds"], cell["network_wait_seconds"],
                     cell["load_seconds"], cell["synthesis_seconds"], cell["loads"], cell["requests"],
                     cell["timeouts"], f"{cell['idle_share']:.0%}"])  # fmt: skip
    weights = ", random weights" if document["random_weights"] else ""
    title = (f"{document['text_chars']} characters, {document['n_chunks']} chunks, {document['model']}{weights}, "
             f"time-out {document['timeout_seconds']} s")  # fmt: skip
    console().print(table(title, columns, rows, right=columns[2:]))
    for network, ratio in document["ratios"].items():
        if ratio is not None:
            runs = document["run_ratios"][network]
            say(f"{network}: the bug takes {ratio:.2f} times as long as loading once from the cache, and "
                f"{runs:.2f} times as long from the request to the sound, without imports.")  # fmt: skip
    source = document["source"]
    say(f"The source ({source['url']}, {source['gpu']}): {source['words']}, a ratio of {source['ratio']}.")


@lab_app.command("threads")
def threads(as_json: Json = False) -> None:
    """Run two threads over one cached text, as upstream 1.1.18 did, and again with one lock."""
    from workbench.lab.two_threads import lesson

    cases = lesson()
    if as_json:
        print_json({"cases": [case.as_dict() for case in cases]})
        return
    columns = ("case", "first thread", "second thread", "seconds")
    rows = [[case.title, case.first, case.second, case.seconds] for case in cases]
    console().print(table("Two chunks, two threads, one model", columns, rows, right=("seconds",)))
