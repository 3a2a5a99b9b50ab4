"""Flags of the commands that several workers can carry out."""

from __future__ import annotations

from typing import Annotated

import typer

ExecutorName = Annotated[
    str, typer.Option("--executor", help="local (this process), process (other processes on this machine) or ray.")
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", "-w", help="Number of workers. Default: 1 for local, else 2.")
]
Threads = Annotated[int, typer.Option("--threads", help="Threads of torch in each worker. 0: divide the cores.")]
Address = Annotated[
    str, typer.Option("--address", help="Address of a Ray cluster. Default: start one on this machine.")
]


def n_workers(executor: str, asked: int | None) -> int:
    """Return how many workers ``executor`` has: as ``asked``, else 1 for local and 2 for the others."""
    return asked if asked is not None else 1 if executor == "local" else 2
