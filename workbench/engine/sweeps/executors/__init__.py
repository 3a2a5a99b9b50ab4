"""Executors of tasks: in this process, in other processes on this machine, or on a cluster.

To add an executor, write a class with ``run`` as in ``Executor`` and add it to ``EXECUTORS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Protocol

from workbench.engine.errors import EngineError, SettingsError
from workbench.engine.sweeps.worker import Outcome, Task
from workbench.engine.visible import quoted

EXECUTORS = {"local": "Local", "process": "Processes", "ray": "Ray"}
ATTEMPTS = 3  # a task fails after it has ended this many workers


class Executor(Protocol):
    """Speak each task once and yield the outcomes. If a worker is lost, only its current task is spoken again."""

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Yield outcomes in any order. Raise from ``check``, which is called regularly, to stop all workers."""


def executor(name: str = "local", workers: int = 1, *, threads: int = 0, address: str = "") -> Executor:
    """Return the executor ``name``.

    Args:
        name: "local", "process" or "ray".
        workers: number of workers; 1 for local.
        threads: threads of torch in each worker; 0 divides the cores among the workers of this machine.
        address: of a Ray cluster; "" starts one on this machine.

    Raises:
        SettingsError: there is no such executor, a number is out of range, or a required package is not installed.
    """
    if name not in EXECUTORS:
        raise SettingsError(f"There is no executor {quoted(name)}.", remedy=f"Choose one of {', '.join(EXECUTORS)}.")
    for title, value, low in (("workers", workers, 1), ("threads", threads, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= 1024:
            raise SettingsError(f"{title} is {quoted(value)}.", remedy=f"Choose {low} to 1024.")
    if name == "local" and workers > 1:
        raise SettingsError(f"A local executor has one worker, not {workers}.", remedy="Use process or ray.")
    if name != "ray" and address:
        raise SettingsError("Only ray has an address.", remedy="Use --executor ray, or remove the address.")
    kind = getattr(import_module(f"{__name__}.{name}"), EXECUTORS[name])
    taken = {"local": (threads,), "process": (workers, threads), "ray": (workers, threads, address)}
    made: Executor = kind(*taken[name])
    return made


def given_up(key: str, log: str) -> Outcome:
    """Return the outcome of the task ``key`` that cost ``ATTEMPTS`` workers; ``log`` says where more is known."""
    lost = EngineError(
        f"{ATTEMPTS} workers were lost during this task.", remedy=f"It may need too much memory; see {log}."
    )
    return Outcome(key, error=str(lost), attempts=ATTEMPTS)
