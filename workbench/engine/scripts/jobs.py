"""A batch as a job: rows that are finished, and the files to take away."""

from __future__ import annotations

import io
import zipfile

from workbench.engine.files.places import home
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import Job, JobManager
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.scripts.batch import REPORT, Batch, Done, Line
from workbench.engine.timing import Progress


class BatchJob(Job):
    """Speak the rows of a table into ``batches/NAME`` in the home of the workbench, and save their runs.

    Args:
        name: of the folder: of equal tables it is the same, so that a stopped one goes on.
        lines: from ``read_lines``.

    Raises:
        OSError, OutputError: the folder cannot be written.

    Attributes:
        done: results of the rows that are finished, in order; with those of an earlier job.
    """

    def __init__(self, name: str, lines: list[Line]) -> None:
        super().__init__(f"Speak {len(lines)} rows", SPEECH_LANE)
        root = home() / "batches"
        root.mkdir(parents=True, exist_ok=True)
        self.batch = Batch(lines, root / name)
        self._done = self.batch.done()
        self._pool: EnginePool | None = None

    @property
    def done(self) -> list[Done]:
        with self.lock:
            return [self._done[line.id] for line in self.batch.lines if line.id in self._done]

    def accept(self, manager: JobManager) -> None:
        """Take the engines."""
        self._pool = manager.pool

    def work(self) -> list[Done]:
        """Speak the rows that are not done. Raises WorkbenchError where the folder cannot be written."""
        assert self._pool is not None
        self.doing = "waiting for the model"
        return self.batch.speak(self._pool, on_done=self._on_done, on_step=self._on_step)

    def _on_done(self, done: Done) -> None:
        with self.lock:
            self._done[done.id] = done
        self.report(len(self._done) / len(self.batch.lines))

    def _on_step(self, progress: Progress) -> None:
        part = (progress.chunk_index + progress.step / progress.n_steps) / max(progress.n_chunks, 1)
        now = min(len(self._done) + 1, len(self.batch.lines))
        self.report((len(self._done) + part) / len(self.batch.lines), f"row {now} of {len(self.batch.lines)}")

    def archive(self) -> bytes:
        """Return a zip of the sounds that are there and the report. Raises OSError."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for one in self.done:
                path = self.batch.folder / one.file
                if one.file and path.is_file():
                    archive.write(path, path.name)
            if (self.batch.folder / REPORT).is_file():
                archive.write(self.batch.folder / REPORT, REPORT)
        return buffer.getvalue()
