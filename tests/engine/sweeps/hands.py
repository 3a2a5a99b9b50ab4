"""Workers of tests, for ``hand.main``: the module to run is named to ``process._MAIN``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.engine.files.places import home
from workbench.engine.sweeps.executors import hand
from workbench.engine.sweeps.worker import Outcome, Task, Worker

_PATIENCE_SECONDS = 100.0


def gate() -> Path:
    """The file that opens the gate of ``Gated`` workers."""
    return home() / "gate is open"


class Gated(Worker):
    """Speaks its first task; each further one when the gate is open. So no worker does the work of all."""

    n_given = 0

    def do(self, task: Task, check: Callable[[], None] = lambda: None) -> Outcome:
        self.n_given += 1
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.n_given > 1 and not gate().exists():
            assert time.monotonic() < deadline, "nobody opened the gate"
            time.sleep(0.01)
        return super().do(task, check)


class Dying(Worker):
    """Ends at its first task, as if the system had killed it."""

    def do(self, task: Task, check: Callable[[], None] = lambda: None) -> Outcome:
        os._exit(9)


class Talking(Worker):
    """Prints to standard output, as libraries do."""

    def do(self, task: Task, check: Callable[[], None] = lambda: None) -> Outcome:
        print("loading", flush=True)
        os.write(1, b"more\n")
        return super().do(task, check)


def main() -> None:
    """Run the worker whose class the environment names."""
    kind: Any = globals()[os.environ["TEST_WORKER"]]
    hand.main(kind)
