"""A queue of jobs with one worker per lane, progress, and cancellation.

A job belongs to the process, not to a page: it continues when a browser tab is closed, and is found by its id.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.engine.errors import Cancelled, JobError, WorkbenchError, told
from workbench.engine.ids import new_id
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.jobs")

QUEUED, RUNNING, DONE, CANCELLED, FAILED = "queued", "running", "done", "cancelled", "failed"
ACTIVE = (QUEUED, RUNNING)
QUEUE_MAX = 64  # waiting and running jobs of one lane
UNSAVED_MAX = 12  # finished jobs with an unsaved result
FINISHED_KEPT = 24  # finished jobs in memory, which hold their arrays; their runs are on disk


class Job:
    """A task for a worker. Subclass it and override ``work``, or pass a function.

    Args:
        title: description for users.
        lane: jobs of one lane run one after the other.
        work: called with the job in the worker's thread; its return value becomes ``result``.

    Attributes:
        id: sortable and unique; the run of a job has the same id.
        state: "queued", "running", "done", "cancelled" or "failed".
        doing: current activity in words.
        error: why it failed, in one line.
    """

    def __init__(self, title: str, lane: str = "cpu", work: Callable[[Any], Any] | None = None) -> None:
        self.id = new_id()
        self.title = title
        self.lane = lane
        self.state = QUEUED
        self.doing = "waiting for its turn"
        self.error = ""
        self.result: Any = None
        self.fraction = 0.0
        self.lock = threading.RLock()
        self.created, self.started, self.ended = time.perf_counter(), 0.0, 0.0
        self._work = work
        self._stop = threading.Event()

    @property
    def is_active(self) -> bool:
        """Whether the job is queued or running."""
        return self.state in ACTIVE

    @property
    def is_unsaved(self) -> bool:
        """Whether the job has ended and its result could not be saved. Such a job stays in memory."""
        return False

    @property
    def is_stopping(self) -> bool:
        """Whether the job was cancelled but has not ended yet."""
        return self._stop.is_set() and self.is_active

    @property
    def seconds(self) -> float:
        """Seconds since its start, or its whole duration; 0 before the start."""
        if not self.started:
            return 0.0
        return (self.ended or time.perf_counter()) - self.started

    def accept(self, manager: JobManager) -> None:
        """Take what the job needs from ``manager``, which calls this before queueing the job."""

    def work(self) -> Any:
        """Do the task and return its result. Call ``check`` often."""
        return self._work(self) if self._work else None

    def report(self, fraction: float, doing: str = "") -> None:
        """Report the progress, 0 to 1, and the current activity. Raises Cancelled if the job was cancelled."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        self.doing = doing or self.doing
        self.check()

    def check(self) -> None:
        """Raise Cancelled if the job was cancelled."""
        if self._stop.is_set():
            raise Cancelled()

    def cancel(self) -> None:
        """Cancel the job: at once while it is queued, else at the next ``check``."""
        self._stop.set()
        with self.lock:
            if self.state == QUEUED:
                self._finish(CANCELLED)

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the job has ended or ``timeout`` seconds have passed; return its state. For scripts and tests."""
        deadline = None if timeout is None else time.perf_counter() + timeout
        while self.is_active and (deadline is None or time.perf_counter() < deadline):
            time.sleep(0.01)
        return self.state

    def _finish(self, state: str, error: str = "") -> None:
        with self.lock:
            self.error, self.ended, self.state = error, time.perf_counter(), state
            self.doing = {DONE: "done", CANCELLED: "cancelled", FAILED: "failed"}[state]
        log.info("job %s", state, extra=pairs(id=self.id, title=self.title, took=self.seconds))

    def execute(self) -> None:
        """Run ``work`` and record how it ended. The worker calls this. It never raises, not even SystemExit."""
        with self.lock:
            if self.state != QUEUED:
                return
            self.state, self.started = RUNNING, time.perf_counter()
        try:
            self.check()
            self.result = self.work()
        except Cancelled:
            self._finish(CANCELLED)
        except WorkbenchError as error:
            self._finish(FAILED, str(error))
        except BaseException as error:  # SystemExit too: it would only end the thread of the lane
            self._finish(FAILED, _unforeseen(error))
        else:
            self.fraction = 1.0
            self._finish(DONE)


def _unforeseen(error: BaseException) -> str:
    """Return one line about an unexpected error; write its traceback to the log."""
    log.exception("a job failed")
    return told(error)


AnyJob = TypeVar("AnyJob", bound=Job)


class JobManager:
    """Queue jobs for the workers of their lanes, and keep them. Thread-safe.

    Args:
        pool: engines and voices for the jobs that speak.
    """

    def __init__(self, pool: EnginePool | None = None) -> None:
        self.pool = pool or EnginePool()
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lanes: dict[str, queue.Queue[Job]] = {}
        self._workers: dict[str, threading.Thread] = {}

    def submit(self, job: AnyJob) -> AnyJob:
        """Queue ``job`` and return it.

        Raises:
            JobError: too many jobs are active in this lane, or too many finished ones are unsaved.
            WorkbenchError: something that the job needs is missing.
        """
        job.accept(self)
        with self._lock:
            if sum(j.lane == job.lane and j.is_active for j in self._jobs.values()) >= QUEUE_MAX:
                raise JobError(f"{QUEUE_MAX} jobs are waiting already.", remedy="Cancel some, or come back later.")
            if sum(j.is_unsaved for j in self._jobs.values()) >= UNSAVED_MAX:
                raise JobError(
                    f"{UNSAVED_MAX} finished runs could not be saved and are in memory only.",
                    remedy="Free some space and save them again, or discard them.",
                )
            before = self._jobs.get(job.id)
            if before is not None and before.is_active:
                raise JobError(f"{before.title}: it is still running.", remedy="Wait until it has ended.")
            self._jobs.pop(job.id, None)  # an unfinished run goes on under its id
            self._jobs[job.id] = job
            self._forget_oldest()
            self._worker_of(job.lane)
            self._lanes[job.lane].put(job)
        return job

    def _worker_of(self, lane: str) -> None:
        """Start a worker for the lane if it has no living one; a forked process has none."""
        self._lanes.setdefault(lane, queue.Queue())
        if lane not in self._workers or not self._workers[lane].is_alive():
            self._workers[lane] = threading.Thread(target=self._serve, args=(lane,), name=f"jobs-{lane}", daemon=True)
            self._workers[lane].start()

    def unsaved(self) -> list[Job]:
        """Return the finished jobs with an unsaved result, the newest first."""
        return [job for job in self.jobs() if job.is_unsaved]

    def start(self, title: str, work: Callable[[Job], Any], lane: str = "cpu") -> Job:
        """Queue a function as a job. It is called with the job, for ``report`` and ``check``."""
        return self.submit(Job(title, lane, work))

    def get(self, job_id: str | None) -> Job | None:
        """Return the job with this id; None if there is none, or if it was dropped after its end."""
        with self._lock:
            return self._jobs.get(job_id) if job_id else None

    def jobs(self) -> list[Job]:
        """Return all kept jobs, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def ahead(self, job: Job) -> int:
        """Return the number of jobs in its lane before ``job``; 0 if it runs or has ended."""
        if job.state != QUEUED:
            return 0
        with self._lock:
            older = list(self._jobs.values())
        before = older[: next((i for i, j in enumerate(older) if j is job), 0)]
        return sum(j.lane == job.lane and j.is_active for j in before)

    def _forget_oldest(self) -> None:
        finished = [job.id for job in self._jobs.values() if not (job.is_active or job.is_unsaved)]
        for job_id in finished[:-FINISHED_KEPT]:
            del self._jobs[job_id]

    def _serve(self, lane: str) -> None:
        while True:
            self._lanes[lane].get().execute()
