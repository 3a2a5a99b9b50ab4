"""Listening tests on disk: make, list, open and delete them."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from workbench.engine.errors import ListeningError, OutputError, reason_of, remedy_for
from workbench.engine.files.leftovers import claim
from workbench.engine.files.names import NAME_RULE, is_name
from workbench.engine.files.places import home
from workbench.engine.files.writing import write_json, write_whole
from workbench.engine.listening import design, levels
from workbench.engine.listening.grouping import ITEMS_MAX, SYSTEMS_MAX, Layout
from workbench.engine.measures import Sound
from workbench.engine.runs.store import load_run
from workbench.engine.signal.audio import to_bytes
from workbench.engine.visible import quoted

FORMAT = 1
REPEATS_MAX, TRIALS_MAX = 50, 500
QUESTION_MAX_CHARACTERS = 300
ANSWERS = "answers"
_DOCUMENT_MAX_BYTES = 4 * 2**20
_Label = Annotated[str, Field(max_length=300)]


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Item(TypedDict):
    text: Annotated[str, Field(max_length=100_000)]
    runs: Annotated[list[_Label], Field(min_length=2, max_length=SYSTEMS_MAX)]


@with_config(ConfigDict(strict=True, extra="ignore"))
class _Document(TypedDict):
    format: Literal[1]
    kind: Literal["abx", "preference", "score"]
    question: Annotated[str, Field(max_length=QUESTION_MAX_CHARACTERS)]
    systems: Annotated[list[_Label], Field(min_length=2, max_length=SYSTEMS_MAX)]
    items: Annotated[list[_Item], Field(min_length=1, max_length=ITEMS_MAX)]
    repeats: Annotated[int, Field(ge=1, le=REPEATS_MAX)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    levels: Annotated[str, Field(max_length=500)]
    gains_decibels: list[list[float]]
    made_at: _Label


_READER = TypeAdapter(_Document)


@dataclass(frozen=True)
class ListeningTest:
    """A listening test on disk.

    Attributes:
        name: of the test and its folder.
        kind: one of ``design.KINDS``.
        question: shown to listeners above every trial; "" for the usual one.
        systems: names; listeners never see them.
        texts: of each item.
        runs: ids of the runs of each item, one for every system.
        repeats: how often each comparison is heard.
        seed: of the orders of all listeners.
        levels: how the levels were matched, in one sentence.
        made_at: ISO 8601, UTC.
    """

    name: str
    kind: str
    question: str
    systems: tuple[str, ...]
    texts: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    repeats: int
    seed: int
    levels: str
    made_at: str

    @property
    def folder(self) -> Path:
        return listening_root() / self.name

    @property
    def n_trials(self) -> int:
        """Trials of one listener."""
        return n_trials(self.kind, len(self.systems), len(self.texts), self.repeats)

    def seed_of(self, key: str) -> str:
        """Return the seed of the trials of the listener ``key``; it is kept with every answer."""
        return f"{self.seed}:{key}"

    def trials(self, key: str) -> list[design.Trial]:
        """Return the trials of the listener ``key``."""
        return design.trials(self.kind, len(self.systems), len(self.texts), self.repeats, self.seed_of(key))

    def sound_path(self, item: int, system: int) -> Path:
        """Return the path of the sound of a system."""
        return self.folder / _sound(item, system)


def n_trials(kind: str, n_systems: int, n_items: int, repeats: int) -> int:
    """Return the number of trials of one listener."""
    per_item = n_systems if kind == design.SCORE else n_systems * (n_systems - 1) // 2
    return per_item * n_items * repeats


def _sound(item: int, system: int) -> str:
    return f"sounds/{item}-{system}.wav"


def listening_root() -> Path:
    """Return the folder of all listening tests. It may not exist yet."""
    return home() / "listening"


def make_test(
    name: str, kind: str, layout: Layout, *, question: str = "", repeats: int = 1, seed: int = 0
) -> ListeningTest:
    """Make a test of the runs of ``layout``: match their levels and copy their sounds. Return it.

    The test no longer needs the runs. An interrupted call leaves nothing behind.

    Raises:
        ListeningError: the name is invalid or taken, there are too many trials, or a sound is silent.
        RunError: a run cannot be read.
        OutputError: the test cannot be written.
    """
    folder = listening_root() / _checked(name)
    count = n_trials(kind, len(layout.systems), len(layout.items), repeats)
    if kind not in design.KINDS or not 1 <= repeats <= REPEATS_MAX or not 0 <= seed < 2**31:
        raise ListeningError(
            f"A test of kind {quoted(kind)}, {repeats} repeats and seed {quoted(seed)} cannot be made.",
            remedy=f"Choose {', '.join(design.KINDS)}, 1 to {REPEATS_MAX} repeats and a seed from 0.",
        )
    if count > TRIALS_MAX:
        raise ListeningError(
            f"A listener would hear {count:,} trials.", remedy=f"Choose fewer runs or repeats: {TRIALS_MAX} at most."
        )
    if os.path.lexists(folder):
        raise ListeningError(f"There is a test {quoted(name)} already.", remedy="Choose another name.")
    sounds = [[_sound_of(run_id) for run_id in item.runs] for item in layout.items]
    matched = levels.match([sound for own in sounds for sound in own])
    gains = iter(matched.gains_decibels)
    per_item = [[round(next(gains), 3) for _ in own] for own in sounds]
    document = {
        "format": FORMAT, "kind": kind, "question": question.strip()[:QUESTION_MAX_CHARACTERS],
        "systems": list(layout.systems), "items": [asdict(item) | {"runs": list(item.runs)} for item in layout.items],
        "repeats": repeats, "seed": seed, "levels": matched.said, "gains_decibels": per_item,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    try:
        with claim(folder.with_name(f".{name}.part")) as draft:
            write_json(draft / "test.json", document)
            (draft / "sounds").mkdir()
            (draft / ANSWERS).mkdir()
            for k, (own, gained) in enumerate(zip(sounds, per_item, strict=True)):
                for system, (sound, gain) in enumerate(zip(own, gained, strict=True)):
                    wave = sound.wave * np.float32(10 ** (gain / 20))
                    write_whole(draft / _sound(k, system), to_bytes(wave, sound.config.target_sample_rate))
            draft.rename(folder)
    except OSError as error:
        raise OutputError(
            f"The test {quoted(name)} cannot be written to {listening_root()}: {reason_of(error)}.",
            remedy=remedy_for(error),
        ) from error
    return open_test(name)


def _sound_of(run_id: str) -> Sound:
    run = load_run(run_id, trajectories=False)
    return Sound(run.wave, run.mel_config)


def _checked(name: str) -> str:
    if not is_name(name):
        raise ListeningError(f"The name {quoted(name)} is not valid for a test.", remedy=NAME_RULE)
    return name


def open_test(name: str) -> ListeningTest:
    """Return the test ``name``.

    Raises:
        ListeningError: the name is invalid, there is no such test, or its test.json is damaged or newer.
    """
    path = listening_root() / _checked(name) / "test.json"
    try:
        with path.open("rb") as file:
            found = from_json(file.read(_DOCUMENT_MAX_BYTES))
        if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
            raise ListeningError(
                f"The test {quoted(name)} was made by a newer workbench.", remedy="Update this one."
            )  # fmt: skip
        known = _READER.validate_python(found)
    except FileNotFoundError as error:
        raise ListeningError(f"There is no test {quoted(name)}.", remedy="See the list of tests.") from error
    except (OSError, ValueError) as error:
        raise ListeningError(
            f"The test {quoted(name)} cannot be read: {_why(error)}.", remedy="Delete its folder, or restore test.json."
        ) from error
    if any(len(item["runs"]) != len(known["systems"]) for item in known["items"]):
        raise ListeningError(f"The test {quoted(name)} is damaged: a run is missing.", remedy="Delete its folder.")
    return ListeningTest(
        name, known["kind"], known["question"], tuple(known["systems"]), tuple(i["text"] for i in known["items"]),
        tuple(tuple(i["runs"]) for i in known["items"]), known["repeats"], known["seed"], known["levels"],
        known["made_at"],
    )  # fmt: skip


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else first["msg"]
    return "it is not JSON" if isinstance(error, ValueError) else reason_of(error)


def list_tests() -> tuple[list[ListeningTest], list[str]]:
    """Return the tests, the newest first, and one line for each folder that holds a damaged or newer one.

    Raises:
        ListeningError: the folder of tests cannot be read.
    """
    try:
        names = [path.name for path in listening_root().iterdir() if path.is_dir() and is_name(path.name)]
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ListeningError(
            f"The folder {listening_root()} cannot be read: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error
    found, problems = [], []
    for name in sorted(names):
        try:
            found.append(open_test(name))
        except ListeningError as error:
            problems.append(str(error))
    return sorted(found, key=lambda test: test.made_at, reverse=True), problems


def delete_test(name: str) -> None:
    """Delete the test ``name`` with its sounds and answers.

    Raises:
        ListeningError: the name is invalid, or there is no such test.
        OutputError: it cannot be deleted.
    """
    folder = listening_root() / _checked(name)
    if not os.path.lexists(folder):
        raise ListeningError(f"There is no test {quoted(name)}.", remedy="It may have been deleted.")
    try:
        gone = folder.rename(folder.with_name(f".{uuid.uuid4().hex}.deleted"))
        gone.unlink() if gone.is_symlink() else shutil.rmtree(gone)
    except OSError as error:
        raise OutputError(
            f"The test {quoted(name)} cannot be deleted: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error


KEY = re.compile(r"[0-9a-f]{12}", re.ASCII)  # of a listener


def new_key() -> str:
    """Return a new key of a listener."""
    return uuid.uuid4().hex[:12]


def texts_in_short(texts: Sequence[str], characters: int = 60) -> str:
    """Return how many texts there are and how the first begins."""
    first = " ".join(texts[0].split())
    count = "1 text" if len(texts) == 1 else f"{len(texts)} texts"
    return f"{count}: {first[:characters]}{'…' if len(first) > characters else ''}"
