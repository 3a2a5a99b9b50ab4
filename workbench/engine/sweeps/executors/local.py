"""One worker in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from workbench.engine.jobs.pool import EnginePool
from workbench.engine.sweeps.worker import Outcome, Task, Worker


class Local:
    """Speak one task after the other in this process.

    Args:
        threads: threads of torch; 0 keeps the present number.
        pool: engines to use, such as the server's; a new pool by default.
    """

    def __init__(self, threads: int = 0, pool: EnginePool | None = None) -> None:
        self._threads, self._pool = threads, pool

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Yield outcomes in the order of ``tasks``; ``check`` is called at every ODE step."""
        worker = Worker("local", self._threads, self._pool)
        for task in tasks:
            check()
            yield worker.do(task, check)
