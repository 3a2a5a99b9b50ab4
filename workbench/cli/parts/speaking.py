"""Speaking on the command line: a bar, an interruption that keeps what was made, and the files at the end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.cli.parts import output, show
from workbench.cli.parts.workers import n_workers
from workbench.engine.errors import Cancelled, SettingsError, WorkbenchError
from workbench.engine.files import outputs
from workbench.engine.runs.exports import pieces
from workbench.engine.runs.parts import unfinished
from workbench.engine.runs.store import save_run
from workbench.engine.scripts import rows_of_run
from workbench.engine.signal import audio
from workbench.engine.speech.requests import SpeechRequest

if TYPE_CHECKING:
    from workbench.engine.jobs.pool import EnginePool
    from workbench.engine.speech.results import Run
    from workbench.engine.sweeps.executors import Executor


class Target:
    """Where the speech goes, checked before the work.

    Args:
        out: the file that was named, or None: speech.wav, speech-2.wav, ...
        files: one of ``pieces.KINDS``: a file for each, in a folder called as the file would be; "" writes one file.

    Raises:
        OutputError: it cannot be written there, or ``files`` is none of these.
    """

    def __init__(self, out: Path | None, files: str) -> None:
        if files:
            pieces.check_kind(files)
        self.out, self.files = out, files
        self.path = audio.check_output(out or "speech.wav")
        self._before = outputs.stamp(self.path) if out else None  # a name that was given may be overwritten

    @property
    def words(self) -> list[str]:
        """The flags that name it."""
        out = ["--out", str(self.out)] if self.out else []
        return [*out, "--files", self.files] if self.files else out

    def write(self, run: Run) -> Path:
        """Write the speech of ``run``; returns the file or the folder. Raises OutputError."""
        if self.files:
            folder = self.path.with_suffix("")
            if self.out is None:
                folder = outputs.free_folder(folder)
            pieces.write_pieces(run, folder, self.files, self.path.suffix)
            return folder
        return audio.save_audio(self.path, run.blocks, run.n_samples, run.sample_rate, self._before)


class Workers(NamedTuple):
    """Who makes the chunks: "local", "process" or "ray", how many (None: 1 or 2), and the address of a cluster."""

    executor: str = "local"
    n: int | None = None
    address: str = ""

    @property
    def is_here(self) -> bool:
        """Whether this process makes the chunks itself."""
        return (self.executor, n_workers(self.executor, self.n), self.address) == ("local", 1, "")

    def check(self, skip_failed: bool = False) -> None:
        """Raise SettingsError where there are no such workers, or they cannot skip what fails."""
        if not self.is_here:
            self._made(threads=0)
            if skip_failed:
                raise SettingsError("--skip-failed is for one worker on this machine.", remedy="Leave out one of both.")

    def _made(self, threads: int) -> Executor:
        from workbench.engine.sweeps.executors import executor

        return executor(self.executor, n_workers(self.executor, self.n), threads=threads, address=self.address)

    def speak(self, pool: EnginePool, request: SpeechRequest, run_id: str, bar: bool) -> Run:
        """Spread the chunks over the workers. Raises SettingsError where there are no such workers."""
        import torch

        from workbench.engine.sweeps.spread import speak

        how = self._made(torch.get_num_threads())  # as many as here: with another number the last bits differ
        with output.bar(bar, None) as advance:
            return speak(pool, request, how, on_plan=lambda chunks: advance(0, len(chunks)),
                         on_chunk=lambda result: advance(), run_id=run_id)  # fmt: skip


def speak(
    pool: EnginePool,
    request: SpeechRequest,
    run_id: str,
    target: Target,
    *,
    bar: bool,
    spread: Workers = Workers(),
    skip_failed: bool = False,
) -> Run:
    """Speak ``request``. Raises Cancelled where a long run is interrupted; the message says how it goes on."""
    try:
        if not spread.is_here:
            return spread.speak(pool, request, run_id, bar)
        with output.step_bar(bar) as on_step:
            return pool.speak(request, on_step=on_step, run_id=run_id, keep_all=True, skip_failed=skip_failed)
    except KeyboardInterrupt:
        left = next((found for found in unfinished.every() if found.id == run_id), None)
        if left is None:
            raise
        line = shlex.join(["workbench", "runs", "resume", run_id, *target.words])
        raise Cancelled(
            f"Interrupted: {left.n_done} of {left.n_chunks} chunks are kept.", remedy=f"Go on with: {line}"
        ) from None


def finish(run: Run, target: Target, *, save: bool, as_json: bool, profile: Path | None = None) -> None:
    """Keep ``run`` if it is to be saved, write its files and its ``profile``, and print what was made."""
    kept = _saved(run) if save else None
    written = target.write(run)
    if not save:
        unfinished.drop(run.id)
    if target.out and not target.files and written != target.path:
        warn((f"something else was written there in the meantime; this speech is in {written}",), str(target.path))
    document: dict[str, Any] = run.as_dict() | {"out": str(written), "saved": str(kept or "")}
    if run.request.script is not None:
        document["passages"] = [row.as_dict() for row in rows_of_run(run)]
    if profile is not None and run.profile is not None:
        document["profile"] = str(outputs.write_over(profile, run.profile))
    if as_json:
        output.print_json(document)
    else:
        show.run(document)


def _saved(run: Run) -> Path | None:
    """Folder of the saved run; None if it cannot be saved, which costs no speech: it is in the sound file."""
    try:
        return save_run(run)
    except WorkbenchError as error:
        warn((str(error),), f"run {run.id}")
        return None


def warn(warnings: tuple[str, ...], subject: str) -> None:
    """One line for each warning, on standard error."""
    for warning in warnings:
        output.say(f"Warning: {subject}: {warning}", stderr=True)
