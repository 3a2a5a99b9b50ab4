"""Takes of a saved run: list them, add one, choose, undo and redo, and read the sound of any of them.

Chunks and takes are counted as a program counts chunks, from 0, and as people count takes, from 1: take 1 is the one
that the run was made with. Several processes may change the takes of one run: each change is made on the newest state,
and is there as a whole or not at all, whatever ends the program.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.engine.errors import OutputError, RunError, reason_of, remedy_for
from workbench.engine.logs import pairs
from workbench.engine.runs.document import RunDocument, read_document_of
from workbench.engine.runs.files import read_chunk, read_run
from workbench.engine.runs.parts.partial import is_partial
from workbench.engine.runs.paths import run_folder
from workbench.engine.runs.takes import joined
from workbench.engine.runs.takes.arrays import FOLDER, TakeFile
from workbench.engine.runs.takes.ledger import FIRST, Ledger, read_ledger, row_for, write_ledger
from workbench.engine.runs.takes.values import Take, Takes, check_chunk
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.results import ChunkResult

log = logging.getLogger("workbench.runs")

_PATIENCE_SECONDS = 30.0

# Reading -------------------------------------------------------------------------------------------------------------


def takes_of(run_id: str) -> Takes:
    """Return the takes of a saved run, without reading any sound.

    Raises:
        RunError: there is no such run, or it is damaged.
    """
    folder = _finished(run_id)
    document = read_document_of(folder)
    n_chunks = len(document["chunks"])
    return Takes(run_id, n_chunks, read_ledger(folder, n_chunks), document)


def read_take(run_id: str, chunk: int, take: int) -> ChunkResult:
    """Return a take with its arrays; they equal those that were made exactly.

    Raises:
        RunError: there is no such run, chunk or take, or its file is damaged.
    """
    folder, found = run_folder(run_id), takes_of(run_id)
    found.checked(chunk, take)
    document = found.document
    if take != FIRST:
        row, plans, rows = found.ledger.row(chunk, take), [*document["plans"]], [*document["chunks"]]
        plans[chunk], rows[chunk] = row["plan"], row["row"]
        numbers = [take if k == chunk else FIRST for k in range(found.n_chunks)]
        document = {**document, "plans": plans, "chunks": rows, "takes": numbers}
    return read_chunk(folder, document, chunk)


# Changing ------------------------------------------------------------------------------------------------------------


def add(
    run_id: str,
    made: ChunkResult,
    *,
    parent: int = FIRST,
    words: str | None = None,
    speed: float | None = None,
    differs: Mapping[str, str] | None = None,
    measured: Mapping[str, float | None] | None = None,
) -> Take:
    """Keep ``made`` as a further take of its chunk and return it. It is not chosen.

    Args:
        run_id: of a saved run.
        made: the take, with its arrays.
        parent: number of the take from which it was made.
        words: as they were typed, if they are other than those of the text.
        speed: if it is other than the run's.
        differs: what of device, format, weights and environment is other than the run's.
        measured: measure to value.

    Raises:
        RunError: there is no such run or chunk, it is damaged, or the chunk has ``ledger.TAKES_MAX`` takes.
        OutputError: it cannot be written, or its samples are not finite. Nothing is changed then.
    """
    chunk = made.chunk.index
    row = row_for(made, parent=parent, words=words, speed=speed, differs=differs or {}, measured=measured or {})
    with _changing(run_id) as (folder, document, ledger):
        check_chunk(run_id, chunk, len(document["chunks"]))
        after = ledger.with_take(chunk, row)
        number = after.count(chunk)
        file = TakeFile(folder, {**document["mel_config"]}, chunk, number)
        file.folder.mkdir(exist_ok=True)
        file.write(made)  # before the ledger names it: what was killed in between is no take
        write_ledger(folder, after)
    log.info("take made", extra=pairs(id=run_id, chunk=chunk, take=number, seed=made.seed))
    return takes_of(run_id).of(chunk)[number - 1]


def note_measured(run_id: str, chunk: int, take: int, values: Mapping[str, float | None]) -> None:
    """Keep ``values`` of measures with a take after the first; those of the first are in measures.json.

    Raises:
        RunError, OutputError: as ``add``.
    """
    with _changing(run_id) as (folder, _, ledger):
        if take != FIRST and take <= ledger.count(chunk):
            write_ledger(folder, ledger.with_measured(chunk, take, values))


def choose(run_id: str, wanted: Mapping[int, int], *, join: bool = True) -> Takes:
    """Let the run sound with other takes, as one step that can be undone.

    Args:
        run_id: of a saved run.
        wanted: index of a chunk to the number of its take.
        join: write audio.wav anew. Without, ``audio_file`` does so when the file is asked for.

    Raises:
        RunError: there is no such run, chunk or take, or the run is damaged.
        OutputError: it cannot be written.
    """
    return _change(run_id, lambda ledger: ledger.choosing(wanted), join, wanted)


def undo(run_id: str, *, join: bool = True) -> Takes:
    """Take the last choice back. Raises as ``choose``, and RunError if there is nothing to undo."""
    return _change(run_id, Ledger.undone, join)


def redo(run_id: str, *, join: bool = True) -> Takes:
    """Make the choice again that was undone last. Raises as ``choose``, and RunError if there is none."""
    return _change(run_id, Ledger.redone, join)


def _change(run_id: str, change: Callable[[Ledger], Ledger], join: bool, wanted: Iterable[int] = ()) -> Takes:
    with _changing(run_id) as (folder, document, ledger):
        for chunk in wanted:
            check_chunk(run_id, chunk, len(document["chunks"]))
        after = change(ledger)
        if after != ledger:
            write_ledger(folder, after)
    if join:
        audio_file(run_id)
    return Takes(run_id, len(document["chunks"]), after, document)


def _finished(run_id: str) -> Path:
    """Return the folder of a run that is finished. Raises RunError."""
    folder = run_folder(run_id)
    if is_partial(folder):
        remedy = f"Go on with it first: `workbench runs resume {run_id}`."
        raise RunError(f"The run {run_id} is not finished.", remedy=remedy)
    return folder


@contextmanager
def _changing(run_id: str) -> Iterator[tuple[Path, RunDocument, Ledger]]:
    """Hold the lock of all takes while those of a run are read, changed and written."""
    from filelock import FileLock, Timeout

    folder = _finished(run_id)
    try:
        # one lock for all runs, outside their folders, because these may be deleted meanwhile
        with FileLock(folder.parent / ".takes.lock", timeout=_PATIENCE_SECONDS, poll_interval=0.005):
            document = read_document_of(_finished(run_id))
            yield folder, document, read_ledger(folder, len(document["chunks"]))
    except Timeout as error:
        raise OutputError("The take cannot be kept: another process is writing.", remedy="Try again.") from error
    except (OSError, NotImplementedError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        remedy = remedy_for(error) if isinstance(error, OSError) else "Choose another place."
        raise OutputError(f"The takes of {run_id} cannot be written: {reason}.", remedy=remedy) from error


def audio_file(run_id: str) -> Path:
    """Return audio.wav of a saved run, joined anew first if it is not of the takes that are chosen.

    Raises:
        RunError: there is no such run, or it is damaged.
        OutputError: it cannot be written.
    """
    folder = run_folder(run_id)
    path = folder / joined.SOUND
    with suppress(FileNotFoundError):  # the usual run has no other takes: nothing else is read
        (folder / FOLDER).stat()
        for _ in range(3):  # another process may choose again while this one joins
            ledger = takes_of(run_id).ledger
            if joined.is_joined(folder, ledger):
                break
            _join(folder, ledger)
    return path


def _join(folder: Path, ledger: Ledger) -> None:
    run = read_run(folder, trajectories=False)
    try:
        joined.write_joined(
            folder,
            ledger,
            lambda draft: write_sound(draft, run.blocks(), run.n_samples, run.sample_rate, ".wav"),
            joined.envelope(run.blocks(), run.n_samples),
        )
    except OSError as error:
        raise OutputError(
            f"The sound of {folder.name} cannot be written: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error
