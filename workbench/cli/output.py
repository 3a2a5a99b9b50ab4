"""How the command line speaks: tables for people, one JSON document for programs, logs on standard error."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from workbench.engine import logs
from workbench.engine.timing import Progress as Step


def console() -> Console:
    """Standard output, wide enough for a table also where it is not a terminal."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 140
    return Console(width=width, highlight=False)


def print_json(document: Any) -> None:
    """Print ``document`` as one line of JSON; numbers JSON does not have become null."""
    print(json.dumps(_finite(document), ensure_ascii=False, allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> Table:
    """A table of ``rows``; columns named in ``right`` are aligned to the right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", title_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*[_cell(value) for value in row])
    return made


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if value < 100 else f"{value:.0f}"
    # text of the user is text, not markup
    return str(value).replace("[", r"\[") if value is not None else "-"


def log_to_stderr(verbose: bool) -> None:
    """Show the workbench's own log, one line a record (JSON if ``WORKBENCH_LOG=json``), if asked for."""
    logs.to_stderr(verbose=verbose)


@contextmanager
def step_bar(shown: bool) -> Iterator[Callable[[Step], None] | None]:
    """A bar over the ODE steps of all chunks, on standard error; None where nobody would see it."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task("speaking", total=None)

        def show(at: Step) -> None:
            done = at.chunk_index * at.n_steps + at.step
            bars.update(
                task,
                total=at.n_chunks * at.n_steps,
                completed=done,
                description=f"chunk {at.chunk_index + 1}/{at.n_chunks}, step {at.step}/{at.n_steps}",
            )

        yield show
