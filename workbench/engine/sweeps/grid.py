"""Grids of settings: read a grid from TOML, check it, and make its trials in a shuffled, repeatable order.

    name = "steps and sizes"
    repeats = 3
    measures = ["rtf"]

    [fixed]
    voice = "Nora"
    text = "One text for all trials."

    [grid]
    nfe_step = [7, 16, 32]
    max_chunk_bytes = {from = 40, to = 300, values = 5}
    seed = [0, 1]

``fixed`` and ``grid`` may hold every synthesis and load setting, and text, text_file, voice, model, folder and
random_weights. A text may name its voices: "[Nora] Good day. [pause 1s] [Clara speed=0.9] And to you."
``duration_factor`` stretches the planned speech: 1.25 is 1.25 times as long (``speed`` is its inverse).
``"unset"`` means None for a setting that may be unset.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.engine.errors import SettingsError
from workbench.engine.files.names import NAME_RULE, is_name
from workbench.engine.files.places import user_path
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.passages.values import VoiceRef
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.sweeps.axes import TRIALS_MAX, duration_factor, values_of
from workbench.engine.visible import quoted

REPEATS_MAX = 1_000
SYNTHESIS = tuple(f.name for f in dataclasses.fields(SynthesisSettings))
_MAY_BE_UNSET = frozenset(f.name for f in dataclasses.fields(SynthesisSettings) if "None" in str(f.type))
LOAD = tuple(f.name for f in dataclasses.fields(LoadSettings))
PLACES = ("text", "text_file", "voice", "model", "folder", "random_weights", "duration_factor")
KEYS = (*PLACES, *SYNTHESIS, *LOAD)
_UNSAID = frozenset({"sweep", "recording"})  # of a request: where it belongs and where a file lies
# fields of requests, voices and settings at the time of the first sweeps
_FIRST_FIELDS = frozenset({
    "text", "voice", "settings", "model", "folder", "random_weights", "load", "remake", "reuse", "profile", "id",
    "name", "ref_text", "language", "heard_by", "nfe_step", "cfg_strength", "sway_sampling_coef", "ode_method",
    "use_epss", "speed", "fix_duration", "cross_fade_duration", "target_rms", "max_chunk_bytes", "numbers",
    "seed", "keep_trajectory", "device", "dtype", "backend", "weights"
})  # fmt: skip
_PARTS = ("name", "repeats", "order_seed", "measures", "fixed", "grid")


@dataclass(frozen=True)
class Trial:
    """One point of a grid, spoken once.

    Attributes:
        id: sha256 (16 digits) of the request and the repeat; the same point has the same id in every grid.
        request: what to speak.
        values: name of each axis to its value at this point.
        repeat: number of the repeat, from 0.
    """

    id: str
    request: SpeechRequest
    values: Mapping[str, Any]
    repeat: int = 0


@dataclass(frozen=True)
class Grid:
    """The settings of a sweep, checked on construction.

    Attributes:
        name: of the sweep and its folder.
        fixed: name of a setting to its value in every trial.
        axes: name of a setting to its values.
        repeats: number of runs of each point.
        order_seed: seed of the order of the trials.
        measures: names of measures of the sound to compute for every run; those of times are always computed.

    Raises:
        SettingsError: an unknown name, a value out of range, or too many trials.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    repeats: int = 1
    order_seed: int = 0
    measures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise SettingsError(f"The name {quoted(self.name)} is not valid for a sweep.", remedy=NAME_RULE)
        for name, value, low, high in (
            ("repeats", self.repeats, 1, REPEATS_MAX), ("order_seed", self.order_seed, 0, 2**31 - 1),
        ):  # fmt: skip
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise SettingsError(f"{name} is {quoted(value)}.", remedy=f"Choose {low} to {high:,}.")
        for name in (*self.fixed, *self.axes):
            if name not in KEYS:
                raise SettingsError(f"There is no setting {quoted(name)}.", remedy=f"Known: {', '.join(KEYS)}.")
        self._refuse_clashes()
        if self.n_trials > TRIALS_MAX:
            raise SettingsError(
                f"The grid has {self.n_trials:,} trials, more than {TRIALS_MAX:,}.", remedy="Take fewer values."
            )

    def _refuse_clashes(self) -> None:
        empty = [name for name, values in self.axes.items() if not values]
        if empty:
            raise SettingsError(f"The axis {empty[0]} has no values.", remedy="List at least one.")
        both = [name for name in self.axes if name in self.fixed]
        if both:
            raise SettingsError(f"{both[0]} is fixed and an axis.", remedy="Name it once.")
        named = {*self.fixed, *self.axes}
        for one, other in (("text", "text_file"), ("speed", "duration_factor"), ("fix_duration", "duration_factor")):
            if {one, other} <= named:
                raise SettingsError(f"{one} and {other} exclude each other.", remedy="Name one of them.")
        if not named & {"text", "text_file"}:
            raise SettingsError("The grid names no text.", remedy='Add text = "..." under [fixed], or a list of texts.')

    @property
    def n_points(self) -> int:
        """Points of the grid."""
        count = 1
        for values in self.axes.values():
            count *= len(values)
        return count

    @property
    def n_trials(self) -> int:
        """Points times repeats."""
        return self.n_points * self.repeats

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield name of each axis to a value for every point; the last axis changes fastest."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def trials(self, spoken: Callable[[Mapping[str, Any]], SpeechRequest]) -> list[Trial]:
        """Return every trial, shuffled by ``order_seed``.

        Trials with the same model and load settings follow each other, so that a worker loads each model once.

        Args:
            spoken: returns a request with text, voices and model of a point, given by their names in the grid.

        Raises:
            WorkbenchError: a value is out of its range, or a voice or a text was not found.
        """
        found: dict[str, Trial] = {}
        for point in self.points():
            request = self._request(point, spoken)
            for repeat in range(self.repeats):
                trial = Trial(trial_id(request, repeat), request, point, repeat)
                if trial.id in found:
                    raise SettingsError(
                        f"Two points of the grid give the same speech: {_shown(point)}.",
                        remedy="Name each value once.",
                    )
                found[trial.id] = trial
        return shuffled(list(found.values()), self.order_seed)

    def _request(self, point: Mapping[str, Any], spoken: Callable[[Mapping[str, Any]], SpeechRequest]) -> SpeechRequest:
        wanted = {**self.fixed, **point}
        if "duration_factor" in wanted:
            wanted["speed"] = 1.0 / duration_factor(wanted.pop("duration_factor"))
        chosen = {name: _unset(name, wanted[name]) for name in SYNTHESIS if name in wanted}
        load = {name: wanted[name] for name in LOAD if name in wanted}
        return spoken(wanted).replace(
            settings=SynthesisSettings(**chosen), folder=wanted.get("folder", ""), sweep=self.name,
            random_weights=wanted.get("random_weights", False), load=LoadSettings(**load), reuse=False,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return the input of ``from_dict``, ready for JSON."""
        return {"name": self.name, "repeats": self.repeats, "order_seed": self.order_seed,
                "measures": list(self.measures), "fixed": dict(self.fixed),
                "grid": {name: list(values) for name, values in self.axes.items()}}  # fmt: skip

    @classmethod
    def from_dict(cls, given: Any, name: str = "") -> Grid:
        """Return the grid in ``given``, which has the layout of the TOML file; ``name`` is the default name.

        Raises:
            SettingsError: as ``Grid``, or a part of it has another form.
        """
        if not isinstance(given, Mapping):
            raise SettingsError("A grid is a table.", remedy="See `workbench sweep --help`.")
        unknown = [part for part in given if part not in _PARTS]
        if unknown:
            raise SettingsError(
                f"A grid has no part {quoted(unknown[0])}.",
                remedy=f"Known: {', '.join(_PARTS)}; settings stand under [fixed] and [grid].",
            )
        fixed, axes = given.get("fixed", {}), given.get("grid", {})
        for part, value in (("fixed", fixed), ("grid", axes)):
            if not isinstance(value, Mapping):
                raise SettingsError(f"[{part}] is {quoted(value)}, not a table.", remedy=f"Write [{part}] on a line.")
        wanted = given.get("measures", ())
        if not isinstance(wanted, (list, tuple)) or not all(isinstance(m, str) for m in wanted):
            raise SettingsError(f"measures is {quoted(wanted)}.", remedy='List names: measures = ["rtf"].')
        return cls(
            given.get("name", name), {key: values_of(key, value) for key, value in axes.items()}, dict(fixed),
            given.get("repeats", 1), given.get("order_seed", 0), tuple(wanted),
        )  # fmt: skip


def read_grid(path: Path) -> Grid:
    """Read the grid in a TOML file. Relative paths in it start at the folder of the file.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or holds no valid grid.
    """
    try:
        given = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.", remedy="Check the name.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.", remedy="See `workbench sweep --help`.") from error
    grid = Grid.from_dict(given, path.stem)
    places = [_beside(path.parent, dict(grid.fixed))]
    axes = {key: tuple(_beside(path.parent, {key: v})[key] for v in values) for key, values in grid.axes.items()}
    return dataclasses.replace(grid, fixed=places[0], axes=axes)


def _beside(folder: Path, named: dict[str, Any]) -> dict[str, Any]:
    """Return ``named`` with absolute paths; relative ones start at ``folder``."""
    for key in ("text_file", "folder"):
        if isinstance(named.get(key), str) and named[key]:
            named[key] = str((folder / user_path(named[key])).absolute())
    voice = named.get("voice")
    if isinstance(voice, Mapping) and isinstance(voice.get("recording"), str):
        named["voice"] = {**voice, "recording": str((folder / user_path(voice["recording"])).absolute())}
    return named


def shuffled(trials: list[Trial], seed: int) -> list[Trial]:
    """Return ``trials`` shuffled by ``seed``; trials with the same engine stay together."""
    order = random.Random(seed)
    blocks: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in sorted(trials, key=lambda t: t.id):
        blocks.setdefault(trial.request.engine_key, []).append(trial)
    mixed = list(blocks.values())
    order.shuffle(mixed)
    for block in mixed:
        order.shuffle(block)
    return [trial for block in mixed for trial in block]


def trial_id(request: SpeechRequest, repeat: int) -> str:
    """Return the id of a trial: a hash of its request without sweep name and path of the recording, and its repeat.

    A field that is younger than the first sweeps counts only if it is not at its default, so that an update does not
    make finished trials new.
    """
    if any(voice.recording for voice in request.voices):  # of a script, in a list of speakers
        request = request.with_voices(lambda voice: voice.replace(recording=""))
    kind: Any = type(request)
    said = _said(request, _plain_request(kind, request.voice)) | {"repeat": repeat}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


@lru_cache
def _plain_request(kind: Any, voice: VoiceRef) -> Any:
    """Return a request of which all but text and voice, which always count, is at its default."""
    return kind("", voice)


def _said(value: Any, default: Any) -> dict[str, Any]:
    """Return the fields of ``value`` that count in an id, and those of the values in it."""
    found: dict[str, Any] = {}
    for name, said in value.as_dict().items():
        if isinstance(said, dict) and hasattr(getattr(default, name), "as_dict"):
            found[name] = _said(getattr(value, name), getattr(default, name))
        elif name not in _UNSAID and (name in _FIRST_FIELDS or said != getattr(default, name)):
            found[name] = said
    return found


def _unset(name: str, value: Any) -> Any:
    return None if value == "unset" and name in _MAY_BE_UNSET else value


def _shown(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.items()) or "the only point"
