"""Where tasks are spoken: in this process, in others on this machine, or on a cluster.

To add one, write a class with ``run`` as in ``Executor`` and name it in ``EXECUTORS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Protocol

from workbench.engine.errors import SettingsError
from workbench.engine.sweeps.worker import Outcome, Task
from workbench.engine.visible import quoted

EXECUTORS = {"local": "Local", "process": "Processes", "ray": "Ray"}
ATTEMPTS = 3  # a task that has cost so many workers is given up


class Executor(Protocol):
    """Speaks tasks, each once, and yields the outcomes as they are finished. A lost worker costs its current task."""

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Outcomes, in any order. ``check`` is called now and then; raise from it to stop. Closing it ends all."""


def executor(name: str = "local", workers: int = 1, *, threads: int = 0, address: str = "") -> Executor:
    """The executor called ``name``.

    Args:
        name: "local", "process" or "ray".
        workers: how many; a local one is alone.
        threads: of torch in each worker; 0 shares the cores out among the workers of this machine.
        address: of a Ray cluster; "" starts one on this machine.

    Raises:
        SettingsError: no such executor, a number out of range, or what it needs is not installed.
    """
    if name not in EXECUTORS:
        raise SettingsError(f"There is no executor {quoted(name)}.", remedy=f"Choose one of {', '.join(EXECUTORS)}.")
    for title, value, low in (("workers", workers, 1), ("threads", threads, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= 1024:
            raise SettingsError(f"{title} is {quoted(value)}.", remedy=f"Choose {low} to 1024.")
    if name == "local" and workers > 1:
        raise SettingsError(f"A local executor has one worker, not {workers}.", remedy="Take process or ray.")
    if name != "ray" and address:
        raise SettingsError("Only ray has an address.", remedy="Take --executor ray, or leave the address out.")
    kind = getattr(import_module(f"{__name__}.{name}"), EXECUTORS[name])
    made: Executor = kind(threads) if name == "local" else kind(workers, threads)
    if name == "ray":
        made = kind(workers, threads, address)
    return made
