"""Print tables for people, one JSON document for programs, and progress on standard error.

Text for people is printed with ``say`` or ``table``. They print names and texts from users literally, without markup
and escape sequences.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from workbench.engine import logs
from workbench.engine.errors import WorkbenchError
from workbench.engine.timing import Progress as Step
from workbench.engine.visible import visible, visible_json

PIPED_COLUMNS = 140  # width without a terminal
WORD_COLUMNS = 12  # a table is drawn if each column fits its longest word or this width


def console(*, stderr: bool = False) -> Console:
    """Return standard output or error; ``PIPED_COLUMNS`` wide if it is not a terminal."""
    width = shutil.get_terminal_size().columns if _has_width(stderr) else PIPED_COLUMNS
    return Console(width=max(width, 1), highlight=False, markup=False, emoji=False, stderr=stderr)


def _has_width(stderr: bool) -> bool:
    """Whether the width is known: from a terminal or the variable ``COLUMNS``."""
    return (sys.stderr if stderr else sys.stdout).isatty() or os.environ.get("COLUMNS", "").isdecimal()


def say(line: str, *, stderr: bool = False) -> None:
    """Print ``line`` for people, wrapped if the width is known."""
    console(stderr=stderr).print(_text(line), soft_wrap=not _has_width(stderr))


def confirm(question: str) -> None:
    """Ask on the terminal; exit with code 1 unless the answer is yes. Raises WorkbenchError without a terminal."""
    if not sys.stdin.isatty():
        raise WorkbenchError(f"{question} There is no terminal for an answer.", remedy="Add --yes.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def print_json(document: Any) -> None:
    """Print ``document`` as one line of JSON; numbers that are not finite become null.

    The line is UTF-8 if standard output is, else ASCII. Bytes that are not UTF-8 become escaped lone surrogates.
    """
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    line = json.dumps(_finite(document), ensure_ascii=not unicode, allow_nan=False)
    print(visible_json(line), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


class table:  # lower case, because it is used like a function
    """A table of ``rows``. Columns in ``right`` are aligned to the right; columns in ``whole`` are never folded.

    If the terminal is too narrow, each row is a paragraph with one line per column.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        right: Sequence[str] = (),
        whole: Sequence[str] = (),
    ) -> None:
        self.title, self.columns, self.right, self.whole = _text(title, style="bold"), columns, right, whole
        self.rows = [[_cell(value) for value in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._needed_columns() <= options.max_width:
            yield self._grid()
            return
        yield self.title
        for row in self.rows:
            yield Text()
            for column, cell in zip(self.columns, row, strict=True):
                yield Text(f"{column}: " if column else "").append_text(cell)

    def _needed_columns(self) -> int:
        widths = [
            min(
                999 if texts[0] in self.whole else WORD_COLUMNS,
                max((len(w) for text in texts for w in text.split()), default=1),
            )
            for texts in zip(self.columns, *([cell.plain for cell in row] for row in self.rows), strict=True)
        ]
        return sum(widths) + 2 * len(widths)

    def _grid(self) -> Table:
        made = Table(title=self.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in self.columns:
            made.add_column(Text(column), justify="right" if column in self.right else "left", overflow="fold",
                            no_wrap=column in self.whole)  # fmt: skip
        for row in self.rows:
            made.add_row(*row)
        return made


def _text(value: str, style: str = "") -> Text:
    return Text(visible(value), style=style, overflow="fold")


def _cell(value: Any) -> Text:
    if isinstance(value, float):
        return Text(f"{value:.2f}" if value < 100 else f"{value:.0f}")
    return _text("-" if value is None else str(value))


def log_to_stderr(verbose: bool) -> None:
    """Show the log on standard error if ``verbose``: one line per record, JSON if ``WORKBENCH_LOG=json``."""
    logs.to_stderr(verbose=verbose)


@contextmanager
def step_bar(shown: bool) -> Iterator[Callable[[Step], None] | None]:
    """Show a progress bar over the ODE steps of all chunks; yield None if not ``shown`` or without a terminal."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console(stderr=True)) as bars:
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


@contextmanager
def bar(shown: bool, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a bar over ``total`` things on standard error; yields ``advance(steps=1, total=None)``."""
    if not (shown and sys.stderr.isatty()):
        yield lambda *given: None
        return
    columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as bars:
        task = bars.add_task("", total=total)

        def advance(steps: int = 1, total: int | None = None) -> None:
            if total is not None:
                bars.update(task, total=total)
            bars.advance(task, steps)

        yield advance
