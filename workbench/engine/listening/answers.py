"""Answers of listeners: one file each, so that many browsers write at once and a damaged file costs one answer."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from workbench.engine.errors import ListeningError, OutputError, reason_of, remedy_for
from workbench.engine.files.writing import write_json
from workbench.engine.listening.design import ABX, PREFERENCE, SCORE, Trial
from workbench.engine.listening.records import ANSWERS, FORMAT, KEY, ListeningTest
from workbench.engine.visible import quoted

LISTENER_MAX_CHARACTERS = 60
NO_DIFFERENCE = 0
SCORES = (1, 2, 3, 4, 5)
CHOICES = {ABX: (1, 2), PREFERENCE: (1, NO_DIFFERENCE, 2), SCORE: SCORES}
_FILE = re.compile(r"(?P<key>[0-9a-f]{12})-(?P<number>\d{4})\.json", re.ASCII)
_MAX_BYTES = 64 * 1024
_Label = Annotated[str, Field(max_length=300)]


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        listener: name that the listener gave, or "".
        key: of the listener, in the address of the browser.
        number: of the trial, from 0, in the listener's own order.
        item: index of the text.
        shown: system at each place.
        x: system of X; None unless the test is ABX.
        choice: the place (1 or 2) that X is, or that is better; 0 for no difference; or the score.
        seed: of the listener's order.
        seconds: from the first sight of the trial to the answer.
        made_at: ISO 8601, UTC.
    """

    listener: str
    key: str
    number: int
    item: int
    shown: tuple[str, ...]
    x: str | None
    choice: int
    seed: str
    seconds: float
    made_at: str

    @property
    def chosen(self) -> str | None:
        """System that was chosen; None for no difference."""
        return None if self.choice == NO_DIFFERENCE else self.shown[min(self.choice, len(self.shown)) - 1]


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Document(TypedDict):
    format: Literal[1]
    listener: _Label
    key: _Label
    number: Annotated[int, Field(ge=0)]
    item: Annotated[int, Field(ge=0)]
    shown: Annotated[list[_Label], Field(min_length=1, max_length=2)]
    x: _Label | None
    choice: Annotated[int, Field(ge=0, le=max(SCORES))]
    seed: _Label
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    made_at: _Label


_READER = TypeAdapter(_Document)


def answer(
    test: ListeningTest, key: str, trial: Trial, choice: int, *, listener: str = "", seconds: float = 0.0
) -> Answer:
    """Keep the answer of the listener ``key`` to ``trial``, in one step; return it.

    An answer that is there already stays: a second click, or a second browser with the same key, changes nothing.

    Raises:
        ListeningError: the key or the choice is invalid, or the test was deleted meanwhile.
        OutputError: it cannot be written.
    """
    if not KEY.fullmatch(key):
        raise ListeningError(f"{quoted(key)} is not the key of a listener.", remedy="Open the test's address again.")
    if choice not in CHOICES[test.kind]:
        raise ListeningError(f"{quoted(choice)} is no answer.", remedy=f"Choose from {CHOICES[test.kind]}.")
    name = " ".join(listener.encode("utf-8", "replace").decode().split())[:LISTENER_MAX_CHARACTERS]
    made = Answer(
        name, key, trial.number, trial.item, tuple(test.systems[k] for k in trial.shown),
        None if trial.x is None else test.systems[trial.x], choice, test.seed_of(key), round(max(seconds, 0.0), 2),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    if not test.folder.is_dir():
        raise ListeningError(f"The test {quoted(test.name)} was deleted.", remedy="Ask for another one.")
    path = test.folder / ANSWERS / f"{key}-{trial.number:04d}.json"
    if _is_answered(path, test):
        return made
    try:
        write_json(path, {"format": FORMAT, **asdict(made), "shown": list(made.shown)})
    except OSError as error:
        raise OutputError(f"The answer cannot be written: {reason_of(error)}.", remedy=remedy_for(error)) from error
    return made


def _is_answered(path: Path, test: ListeningTest) -> bool:
    with suppress(OSError):
        found = path.stat()
        return isinstance(_read(path, found.st_mtime_ns, found.st_size, test), Answer)
    return False


def next_trial(test: ListeningTest, key: str) -> Trial | None:
    """Return the first trial that the listener ``key`` has not answered; None after the last."""
    folder = test.folder / ANSWERS
    return next((t for t in test.trials(key) if not _is_answered(folder / f"{key}-{t.number:04d}.json", test)), None)


def read_answers(test: ListeningTest) -> tuple[list[Answer], list[str]]:
    """Return all answers in the order of their time, and one line for each other file, which changes nothing.

    Raises:
        ListeningError: the folder of answers cannot be read.
    """
    folder, found, problems = test.folder / ANSWERS, [], []
    try:
        with os.scandir(folder) as entries:
            seen = [(e.name, e.stat()) for e in entries if not e.name.startswith(".")]
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ListeningError(f"{folder} cannot be read: {reason_of(error)}.", remedy=remedy_for(error)) from error
    for name, stat in sorted(seen):
        read = _read(folder / name, stat.st_mtime_ns, stat.st_size, test)
        found.append(read) if isinstance(read, Answer) else problems.append(f"{quoted(name)}: {read}")
    return sorted(found, key=lambda one: (one.made_at, one.key, one.number)), problems


@lru_cache(maxsize=50_000)
def _read(path: Path, changed_ns: int, size: int, test: ListeningTest) -> Answer | str:
    """Return the answer in ``path``, or in words why it is none."""
    named = _FILE.fullmatch(path.name)
    if named is None or not path.is_file():
        return "no answer of this test"
    try:
        with path.open("rb") as file:
            content = from_json(file.read(_MAX_BYTES))
        if isinstance(content, dict) and isinstance(content.get("format"), int) and content["format"] > FORMAT:
            return "of a newer workbench"
        found = _READER.validate_python(content)
    except ValidationError as error:
        return f"damaged ({'.'.join(map(str, error.errors()[0]['loc'])) or 'no object'})"
    except (OSError, ValueError):
        return "damaged"
    known = {name: value for name, value in found.items() if name != "format"}
    made = Answer(**known | {"shown": tuple(found["shown"])})  # type: ignore[arg-type]  # checked by the reader
    if (made.key, made.number) != (named["key"], int(named["number"])):
        return "a copy under another name"
    return made if _belongs(made, test) else "of another test"


def _belongs(made: Answer, test: ListeningTest) -> bool:
    """Whether ``made`` answers one of the trials of its listener."""
    trial = dict(enumerate(_trials(test, made.key))).get(made.number)
    return (
        trial is not None
        and made.item == trial.item
        and made.shown == tuple(test.systems[k] for k in trial.shown)
        and made.x == (None if trial.x is None else test.systems[trial.x])
        and made.choice in CHOICES[test.kind]
    )


@lru_cache(maxsize=256)
def _trials(test: ListeningTest, key: str) -> tuple[Trial, ...]:
    return tuple(test.trials(key))


def as_rows(test: ListeningTest, answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return one row per answer, with the names of the systems."""
    return [
        {
            "test": test.name, "kind": test.kind, "listener": one.listener, "key": one.key, "trial": one.number + 1,
            "text": test.texts[one.item], "place 1": one.shown[0],
            "place 2": one.shown[1] if len(one.shown) > 1 else None, "x": one.x,
            "chosen": one.chosen if test.kind != SCORE else None,
            "correct": one.chosen == one.x if test.kind == ABX else None,
            "score": one.choice if test.kind == SCORE else None,
            "seconds": one.seconds, "seed": one.seed, "made (UTC)": one.made_at,
        }
        for one in answers
    ]  # fmt: skip


def as_csv(test: ListeningTest, answers: Sequence[Answer]) -> str:
    """Return ``as_rows`` as comma-separated values. What listeners typed is never a formula of a spreadsheet."""
    rows = as_rows(test, answers)
    sheet = io.StringIO()
    names = list(rows[0]) if rows else ["test", "kind", "listener"]
    writer = csv.DictWriter(sheet, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        risky = str(row["listener"])[:1] in ("=", "+", "-", "@")
        writer.writerow(row | {"listener": f"'{row['listener']}" if risky else row["listener"]})
    return sheet.getvalue()
