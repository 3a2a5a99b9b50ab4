"""Workers in other processes on this machine.

Each is a new interpreter that runs ``hand.main``. A process of ``multiprocessing`` would run the main script of this
process again: every script without a guard, and the pages of the server.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import IO

from workbench.engine.sweeps.executors import ATTEMPTS, given_up
from workbench.engine.sweeps.worker import Outcome, Task

log = logging.getLogger("workbench.sweeps")
_CHECK_SECONDS = 0.2  # between two calls of ``check``
_END_SECONDS = 5.0  # time for a worker to end before it is killed
_MAIN = "workbench.engine.sweeps.executors.hand"  # module with the main function of a worker
# modules are found where this process finds them; the path is sent, as it may be too long for a command
_START = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); from {} import main; main()"


@dataclass(eq=False)
class _Hand:
    """A worker process and its current task."""

    name: str
    process: subprocess.Popen[bytes]
    task: Task | None = None

    @property
    def tasks(self) -> IO[bytes]:
        assert self.process.stdin is not None  # a pipe
        return self.process.stdin

    def send(self, what: object) -> bool:
        """Send ``what``; return False if the worker is dead."""
        try:
            pickle.dump(what, self.tasks)
            self.tasks.flush()
        except OSError:
            return False
        return True

    def listen(self, arrived: SimpleQueue[tuple[_Hand, Outcome | None]]) -> None:
        """Put every outcome into ``arrived``, and None when the worker has ended."""
        assert self.process.stdout is not None  # a pipe
        with self.process.stdout as outcomes:
            while True:
                try:
                    outcome: Outcome | None = pickle.load(outcomes)
                except Exception:  # it ended; what an outcome that is cut off raises depends on where it is cut
                    outcome = None
                arrived.put((self, outcome))
                if outcome is None:
                    return


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
        arrived: SimpleQueue[tuple[_Hand, Outcome | None]] = SimpleQueue()
        hands: dict[str, _Hand] = {}
        try:
            for k in range(min(self._n, len(tasks))):
                self._hire(f"process {k + 1}", hands, arrived)
            while waiting or any(hand.task for hand in hands.values()):
                check()
                for hand in hands.values():
                    # a task that a dead worker does not take is no attempt; its end arrives next
                    if waiting and hand.task is None and hand.send(waiting[0]):
                        hand.task = waiting.popleft()
                        attempts[hand.task.key] += 1
                try:
                    hand, outcome = arrived.get(timeout=_CHECK_SECONDS)
                except Empty:
                    continue
                task, hand.task = hand.task, None
                if outcome is not None:
                    yield replace(outcome, attempts=attempts[outcome.key])
                    continue
                _dismiss([hand])
                log.warning("worker lost name=%s pid=%s code=%s", hand.name, hand.process.pid, hand.process.returncode)
                self._hire(hand.name, hands, arrived)
                if task is not None and attempts[task.key] < ATTEMPTS:
                    waiting.appendleft(task)
                elif task is not None:
                    yield given_up(task.key, "the log")
        finally:
            _dismiss(list(hands.values()))

    def _hire(self, name: str, hands: dict[str, _Hand], arrived: SimpleQueue[tuple[_Hand, Outcome | None]]) -> None:
        command = [sys.executable, "-c", _START.format(_MAIN), name, str(self._threads)]
        hand = _Hand(name, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        hands[name] = hand
        threading.Thread(target=hand.listen, args=(arrived,), name=f"listen to {name}", daemon=True).start()
        hand.send([place or os.getcwd() for place in sys.path])
        log.info("worker started name=%s pid=%s", name, hand.process.pid)


def _dismiss(hands: Sequence[_Hand]) -> None:
    """End the workers: closing its standard input ends an idle one; busy ones are terminated."""
    for hand in hands:
        with suppress(OSError):
            hand.tasks.close()
        if hand.task is not None:
            hand.process.terminate()
    for hand in hands:
        try:
            hand.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            hand.process.kill()
            hand.process.wait()
