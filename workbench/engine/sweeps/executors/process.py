"""Workers in other processes on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from workbench.engine.errors import Cancelled
from workbench.engine.sweeps.executors import ATTEMPTS, given_up
from workbench.engine.sweeps.worker import Outcome, Task, Worker

log = logging.getLogger("workbench.sweeps")
_CHECK_SECONDS = 0.2  # between two calls of ``check``
_END_SECONDS = 5.0  # time for a worker to end before it is killed
_SPAWN = multiprocessing.get_context("spawn")  # a forked process with torch would hang


@dataclass(eq=False)
class _Hand:
    """A worker process, its pipe and its current task."""

    name: str
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class Processes:
    """Workers on this machine, each with its own models. A dead worker is replaced and its task spoken again.

    Args:
        workers: number of processes.
        threads: threads of torch in each; 0 divides the cores.
    """

    def __init__(self, workers: int = 2, threads: int = 0) -> None:
        self._n = workers
        self._threads = threads or max(1, (os.cpu_count() or 1) // workers)

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Yield outcomes as they are finished."""
        waiting = deque(tasks)
        attempts = dict.fromkeys((task.key for task in tasks), 0)
        hands: list[_Hand] = []
        try:
            hands += [self._hire(f"process {k + 1}") for k in range(min(self._n, len(tasks)))]
            while waiting or any(hand.task for hand in hands):
                check()
                for k, hand in enumerate(hands):
                    if waiting and hand.task is None and not self._give(hand, waiting[0], attempts):
                        hands[k] = self._replaced(hand)
                    elif waiting and hand.task is waiting[0]:
                        waiting.popleft()
                busy = {hand.pipe: k for k, hand in enumerate(hands) if hand.task}
                for pipe in wait(list(busy), timeout=_CHECK_SECONDS):
                    k = busy[pipe]  # type: ignore[index]
                    task, outcome = hands[k].task, _received(hands[k])
                    assert task is not None
                    hands[k].task = None
                    if outcome is not None:
                        yield replace(outcome, attempts=attempts[task.key])
                        continue
                    hands[k] = self._replaced(hands[k])
                    if attempts[task.key] < ATTEMPTS:
                        waiting.appendleft(task)
                    else:
                        yield given_up(task.key, "the log")
        finally:
            _dismiss(hands)

    def _hire(self, name: str) -> _Hand:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs, name, self._threads), name=name, daemon=True)
        process.start()
        theirs.close()
        log.info("worker started name=%s pid=%s", name, process.pid)
        return _Hand(name, process, ours)

    def _give(self, hand: _Hand, task: Task, attempts: dict[str, int]) -> bool:
        """Send ``task``; return False if the worker is dead, which does not count as an attempt."""
        try:
            hand.pipe.send(task)
        except OSError:
            return False
        hand.task = task
        attempts[task.key] += 1
        return True

    def _replaced(self, hand: _Hand) -> _Hand:
        _dismiss([hand])
        log.warning("worker lost name=%s pid=%s code=%s", hand.name, hand.process.pid, hand.process.exitcode)
        return self._hire(hand.name)


def _received(hand: _Hand) -> Outcome | None:
    """Return the outcome from the worker; None if it died."""
    try:
        outcome: Outcome = hand.pipe.recv()
    except (EOFError, OSError):
        return None
    return outcome


def _dismiss(hands: Sequence[_Hand]) -> None:
    """End the workers: closing the pipe ends idle ones; busy ones are terminated."""
    for hand in hands:
        hand.pipe.close()
        if hand.task is not None:
            hand.process.terminate()
    for hand in hands:
        hand.process.join(_END_SECONDS)
        if hand.process.is_alive():
            hand.process.kill()
            hand.process.join()


def _serve(pipe: Connection, name: str, threads: int) -> None:
    """Speak tasks from ``pipe`` until it is closed. This is the main function of a worker process."""
    worker = Worker(name, threads)
    while True:
        try:
            task: Task = pipe.recv()
            pipe.send(worker.do(task))
        except (EOFError, OSError, Cancelled, KeyboardInterrupt):
            return
