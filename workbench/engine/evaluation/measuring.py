"""Measure the runs of an evaluation. What cannot be measured here is said, and everything else goes on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.engine import measures
from workbench.engine.asr.recogniser import why_deaf
from workbench.engine.errors import Cancelled, RunError, WorkbenchError
from workbench.engine.files.writing import write_json
from workbench.engine.measures import intelligibility
from workbench.engine.runs.measured.files import NAME as FILE
from workbench.engine.runs.measured.files import Measured, read_measured
from workbench.engine.runs.measured.making import measure_run, of_run
from workbench.engine.runs.store import run_folder
from workbench.engine.sweeps.records import Record

log = logging.getLogger("workbench.evaluation")
DEFAULT = ("wer", "sim", "dnsmos")
_FOLDER = "measured"


@dataclass(frozen=True)
class Wanted:
    """Measures of an evaluation.

    Attributes:
        sound: names of those that are computed from the sound.
        times: names of those of the times of a run, which every run has.
        lacking: what cannot be measured here, each in one line with the remedy.
    """

    sound: tuple[str, ...]
    times: tuple[str, ...]
    lacking: tuple[str, ...]


def wanted(names: Sequence[str], language: str = "") -> Wanted:
    """Return the measures called ``names``, or by the short names ``GROUPS``.

    Args:
        names: of measures.
        language: of the texts, for the recogniser; "" if unknown.

    Raises:
        SettingsError: there is no such measure, or it is not one of a run.
    """
    found = of_run(names)
    lacking = _lacking(found)
    usable = [m for m in found if not m.lacking]
    listening = [m for m in usable if m.needs == intelligibility.NEEDS]
    if listening and (why := why_deaf(language)):
        lacking.append(f"{' and '.join(m.label for m in listening)}: {why}")
        usable = [m for m in usable if m not in listening]
    return Wanted(
        tuple(m.name for m in usable if measures.SOUND in m.of),
        tuple(m.name for m in usable if measures.SOUND not in m.of),
        tuple(lacking),
    )


def _lacking(found: Sequence[measures.Measure]) -> list[str]:
    """Return one line for each set of missing packages, with the measures that need it."""
    labels: dict[str, list[str]] = {}
    for m in found:
        if m.lacking:
            labels.setdefault(m.lacking.removeprefix(f"{m.label} needs "), []).append(m.label)
    return [f"{', '.join(own)} {'needs' if len(own) == 1 else 'need'} {what}" for what, own in labels.items()]


def read(folder: Path, trial: str) -> Measured | None:
    """Return the measures of a trial of the evaluation in ``folder``; None if it was not measured."""
    return read_measured(folder / _FOLDER / trial)


def forget(folder: Path, trial: str) -> None:
    """Remove the measures of a trial, because it is spoken again."""
    shutil.rmtree(folder / _FOLDER / trial, ignore_errors=True)


def lost(folder: Path, done: Iterable[Record], sound: Sequence[str]) -> list[str]:
    """Return the ids of the trials that must be spoken again: not measured yet, and their run was deleted."""
    return [r.trial for r in done if r.is_done and _missing(folder, r.trial, sound) and _deleted(r.run)]


def _deleted(run_id: str) -> bool:
    try:
        return not run_folder(run_id).is_dir()
    except RunError:
        return True


def _missing(folder: Path, trial: str, sound: Sequence[str]) -> list[str]:
    found = read(folder, trial)
    return [name for name in sound if found is None or name not in found.run]


def unmeasured(folder: Path, done: Iterable[Record], sound: Sequence[str]) -> list[Record]:
    """Return the records of the runs that lack one of the measures ``sound``."""
    return [record for record in done if record.is_done and _missing(folder, record.trial, sound)]


def measure(
    folder: Path,
    records: Sequence[Record],
    sound: Sequence[str],
    check: Callable[[], None] = lambda: None,
    on_measured: Callable[[Record], None] = lambda record: None,
) -> dict[str, str]:
    """Measure the runs of ``records``; keep the result with the run and in ``folder``.

    Returns:
        Id of each trial that could not be measured to the reason.

    Raises:
        Cancelled: raised by ``check``, which is called before each chunk. What was measured stays.
        OSError: ``folder`` cannot be written.
    """
    failed = {}
    for record in records:
        try:
            kept = read_measured(run_folder(record.run))
            names = [name for name in sound if kept is None or name not in kept.run]
            if names:
                kept = measure_run(record.run, names, on_chunk=lambda *at: check())[0]
        except Cancelled:
            raise
        except WorkbenchError as error:
            failed[record.trial] = str(error)
        except Exception as error:  # one sound that a library cannot read must not stop a long evaluation
            log.warning("trial %s cannot be measured", record.trial, exc_info=True)
            failed[record.trial] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        else:
            assert kept is not None  # a run without measures lacks every name
            write_json(folder / _FOLDER / record.trial / FILE, kept.as_dict())
        on_measured(record)
    return failed


def weights_of(found: Measured) -> dict[str, float]:
    """Return measure to the number of words or characters that it divides by; empty where nobody listened."""
    if not found.steps:
        return {}
    wanted = [" ".join(step.wanted for step in row if step.wanted) for row in found.steps]
    return {"wer_percent": float(sum(len(text.split()) for text in wanted)),
            "cer_percent": float(sum(map(len, wanted)))}  # fmt: skip


def heard_of(found: Measured) -> str:
    """Return what the recogniser heard."""
    return " ".join(found.heard)


def names_of(values: Iterable[Mapping[str, float | None]]) -> list[str]:
    """Return the names of the measures in ``values``, in the order of display."""
    present = dict.fromkeys(name for row in values for name in row)
    order = [m.name for m in measures.of_every_cost()]
    return sorted(present, key=lambda name: order.index(name) if name in order else len(order))
