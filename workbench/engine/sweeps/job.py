"""A sweep as a job of the server: one worker with the server's engines, one trial at a time."""

from __future__ import annotations

from typing import Any

from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import Job, JobManager
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.sweeps.executors.local import Local
from workbench.engine.sweeps.records import Record
from workbench.engine.sweeps.running import Sweep


class SweepJob(Job):
    """Speak the missing trials of ``sweep``. Finished trials stay on disk if the job or the server ends.

    Args:
        sweep: from ``open_sweep`` or ``find_sweep``.

    Attributes:
        n_trials: trials that were missing at the start of the job.
        n_done: number of these that are finished.
    """

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(f"Sweep {sweep.grid.name}", SPEECH_LANE)
        self.sweep = sweep
        self.n_trials, self.n_done = len(sweep.missing()), 0
        self._pool: EnginePool | None = None

    def accept(self, manager: JobManager) -> None:
        """Take the server's engines."""
        self._pool = manager.pool

    def work(self) -> list[dict[str, Any]]:
        """Return the rows of all trials."""
        self.report(0.0, "loading the model")
        return self.sweep.run(Local(pool=self._pool), check=self.check, on_record=self._on_record)

    def _on_record(self, record: Record) -> None:
        self.n_done += 1
        self.report(self.n_done / max(self.n_trials, 1), f"trial {self.n_done} of {self.n_trials}")
