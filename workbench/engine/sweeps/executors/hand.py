"""The main program of a worker process: it speaks the tasks that come on standard input, until it is closed."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable

from workbench.engine.sweeps.worker import Task, Worker


def main(worker_of: Callable[[str, int], Worker] = Worker) -> None:
    """Speak pickled tasks and write the pickled outcomes to standard output. Arguments: name and threads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the process that gives tasks decides
    tasks, outcomes = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not part of an outcome
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # as long as the process lives
    worker = worker_of(sys.argv[1], int(sys.argv[2]))
    while True:
        try:
            task: Task = pickle.load(tasks)
        except (EOFError, pickle.UnpicklingError):  # closed, also within a task
            return
        try:
            pickle.dump(worker.do(task), outcomes)
            outcomes.flush()
        except OSError:  # nobody waits for it any more
            os._exit(1)  # without another attempt to write it
