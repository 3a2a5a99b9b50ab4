"""What an evaluation speaks and with which settings, kept in its folder.

evaluations/NAME/evaluation.json   list, model, settings, and one entry per utterance
evaluations/NAME/trials/ID.json    a spoken utterance: its run, times and worker
evaluations/NAME/measured/ID/      measures.json of that run
evaluations/NAME/results.parquet   one row per utterance; results.csv has the same rows
evaluations/NAME/results.json      the report as one JSON document; report.md and report.html are for people
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.engine.catalog import get_model
from workbench.engine.errors import RunError, SettingsError, WorkbenchError
from workbench.engine.evaluation.lists import Skipped, TestSet, Utterance
from workbench.engine.files.names import NAME
from workbench.engine.files.places import home
from workbench.engine.files.writing import write_json
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice, make_voice
from workbench.engine.sweeps.grid import Trial, trial_id
from workbench.engine.visible import quoted

VERSION = 1
PLAN_FILE = "evaluation.json"


@dataclass(frozen=True)
class How:
    """How the utterances are spoken: the same for all of them.

    Attributes:
        model, folder, random_weights, settings, load: as in ``SpeechRequest``.
        voice: name of the voice of utterances that name none; "" for the default voice.
    """

    model: str = "demo-voice"
    folder: str = ""
    random_weights: bool = False
    settings: SynthesisSettings = field(default_factory=SynthesisSettings)
    load: LoadSettings = field(default_factory=LoadSettings)
    voice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, ready for JSON."""
        return {
            "model": self.model, "folder": self.folder, "random_weights": self.random_weights, "voice": self.voice,
            "settings": self.settings.as_dict(), "load": self.load.as_dict(),
        }  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The utterances of an evaluation with their trials. Utterances with the same text and voice share a trial.

    Attributes:
        name: of the evaluation.
        how: how they are spoken.
        source: path of the list. layout: of the list.
        utterances: those that can be spoken, in the order of the list.
        skipped: lines that cannot be used.
        trials: id of each utterance to its trial.
        voices: id to voice.
    """

    name: str
    how: How
    source: str
    layout: str
    utterances: tuple[Utterance, ...]
    skipped: tuple[Skipped, ...]
    trials: Mapping[str, Trial]
    voices: Mapping[str, Voice]

    def voice_of(self, utterance: Utterance) -> Voice:
        """Return the voice that speaks ``utterance``."""
        return self.voices[self.trials[utterance.id].request.voice.id]

    def as_dict(self) -> dict[str, Any]:
        """Return the content of evaluation.json."""
        said = [asdict(u) | {"trial": self.trials[u.id].id} for u in self.utterances]
        return {"version": VERSION, "name": self.name, **self.how.as_dict(), "list": self.source,
                "layout": self.layout, "utterances": said, "skipped": [asdict(s) for s in self.skipped]}  # fmt: skip


def evaluations_root() -> Path:
    """Return the folder of all evaluations, ``evaluations/`` in ``places.home()``. It may not exist yet."""
    return home() / "evaluations"


def list_evaluations() -> list[str]:
    """Return the sorted names of the evaluations; other files are ignored."""
    try:
        return sorted(path.name for path in evaluations_root().iterdir() if (path / PLAN_FILE).is_file())
    except OSError:
        return []


def folder_of(named: str | Path) -> Path:
    """Return the folder of a saved evaluation, from its name or path. Raises RunError if there is none."""
    places = [Path(named)]
    if NAME.fullmatch(str(named)):
        places.append(evaluations_root() / named)
    for folder in places:
        if (folder / PLAN_FILE).is_file():
            return folder
    known = ", ".join(list_evaluations()) or "none yet"
    raise RunError(f"There is no evaluation {quoted(str(named), 200)}.", remedy=f"Give its folder, or one of: {known}.")


def place_of(test_set: TestSet, how: How, out: Path | None) -> tuple[str, Path]:
    """Return name and folder of an evaluation: ``out``, or one named after list and model.

    Raises:
        SettingsError: the name is not valid.
    """
    name = out.absolute().name if out else f"{test_set.path.stem} {how.model}"
    if not NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise SettingsError(
            f"The name {quoted(name)} is not valid for an evaluation.",
            remedy="Give a folder with --out: up to 80 letters, digits, spaces and . + - _, the first no sign.",
        )
    return name, out or evaluations_root() / name


def make_plan(test_set: TestSet, how: How, name: str) -> Plan:
    """Prepare the voices of ``test_set`` and return its plan. Lines whose recording cannot be used are skipped.

    Raises:
        SettingsError: no utterance is left.
        ModelError, VoiceError: the model or the default voice is unknown.
    """
    mel = get_model(how.model).mel
    if how.voice:
        load_voice(how.voice, mel)
    made: dict[tuple[str, str, str, str], Voice | WorkbenchError] = {}
    used, skipped, trials = [], list(test_set.skipped), {}
    for u in test_set.utterances:
        key = u.voice or how.voice, u.ref_audio, u.ref_text, u.language
        if key not in made:
            try:
                made[key] = (
                    make_voice(u.ref_audio, u.ref_text, language=u.language, mel_config=mel)
                    if u.ref_audio else load_voice(key[0] or None, mel)
                )  # fmt: skip
            except WorkbenchError as error:
                made[key] = error
        voice = made[key]
        if isinstance(voice, WorkbenchError):
            skipped.append(Skipped(u.line, u.id, str(voice)))
            continue
        request = SpeechRequest(
            u.text, voice.ref, how.settings, how.model, how.folder, how.random_weights, how.load, sweep=name
        )
        trials[u.id] = Trial(trial_id(request, 0), request, {})
        used.append(u)
    if not used:
        raise SettingsError(
            f"No utterance of {test_set.path} can be spoken: line {skipped[0].line}: {skipped[0].why}",
            remedy="Correct the list.",
        )
    voices = {voice.id: voice for voice in made.values() if isinstance(voice, Voice)}
    skipped.sort(key=lambda one: one.line)
    return Plan(name, how, str(test_set.path), test_set.layout, tuple(used), tuple(skipped), trials, voices)


def check_same(plan: Plan, folder: Path) -> None:
    """Raise SettingsError if ``folder`` holds an evaluation with other settings or of another list."""
    if not (folder / PLAN_FILE).is_file():
        return
    kept = read_plan(folder)
    new = plan.as_dict()
    pairs = {key: (kept.get(key), new[key]) for key in ("model", "folder", "random_weights", "voice", "layout")}
    for group in ("settings", "load"):
        pairs |= {key: (kept[group].get(key, value), value) for key, value in new[group].items()}
    pairs["list"] = (Path(kept["list"]).name, Path(new["list"]).name)
    differing = [f"{name} was {quoted(old)}, not {quoted(now)}" for name, (old, now) in pairs.items() if old != now]
    if differing:
        raise SettingsError(
            f"{folder} holds another evaluation: {'; '.join(differing)}.", remedy="Choose another folder with --out."
        )


def write_plan(folder: Path, plan: Plan) -> None:
    """Write ``plan`` to evaluation.json in ``folder``. Raises OSError."""
    write_json(folder / PLAN_FILE, plan.as_dict())


def read_plan(folder: Path) -> dict[str, Any]:
    """Return evaluation.json in ``folder``, as from ``Plan.as_dict``.

    Raises:
        RunError: it is not there, damaged, or of a newer workbench.
    """
    path = folder / PLAN_FILE
    try:
        found = json.loads(path.read_bytes())
        if found["version"] > VERSION:
            raise RunError(f"The evaluation in {folder} is of a newer workbench.", remedy="Update this one.")
        entries = [{**asdict(Utterance(**{k: v for k, v in u.items() if k != "trial"})), "trial": str(u["trial"])}
                   for u in found["utterances"]]  # fmt: skip
        skipped = [asdict(Skipped(**s)) for s in found["skipped"]]
        settings, load = dict(found["settings"]), dict(found["load"])
        texts = all(isinstance(found[key], str) for key in ("name", "model", "folder", "voice", "list", "layout"))
        texts = texts and all(isinstance(u[key], str) for u in entries for key in ("id", "text", "trial"))
        if not texts:
            raise ValueError("a text is missing")
    except OSError as error:
        raise RunError(f"There is no evaluation in {folder}.", remedy="Give its list.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged: {error}.", remedy="Move it away and run the evaluation again; no speech is lost."
        ) from error
    return {**found, "utterances": entries, "skipped": skipped, "settings": settings, "load": load}
