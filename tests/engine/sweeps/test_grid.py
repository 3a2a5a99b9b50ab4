"""Grids: what they say, what they refuse, and the order of their trials."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.errors import SettingsError, WorkbenchError
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice
from workbench.engine.sweeps import Grid, open_sweep, read_grid
from workbench.engine.sweeps.grid import trial_id

TEXT = "A short text."


def grid(axes: dict[str, Any], name: str = "one", **more: Any) -> Grid:
    """A grid over ``axes`` with one text."""
    fixed = {"text": TEXT} | more.pop("fixed", {})
    return Grid.from_dict({"name": name, "fixed": fixed, "grid": axes, **more})


def requests(made: Grid) -> list[Any]:
    """The requests of its trials."""
    return [trial.request for trial in open_sweep(made).trials]


def test_every_point_is_a_trial_and_a_repeat_is_another() -> None:
    made = open_sweep(grid({"nfe_step": [3, 7], "seed": [0, 1, 2]}, repeats=2))
    assert len(made.trials) == made.grid.n_trials == 12
    assert len({trial.id for trial in made.trials}) == 12
    points = {(t.request.settings.nfe_step, t.request.settings.seed, t.repeat) for t in made.trials}
    assert points == {(n, s, r) for n in (3, 7) for s in (0, 1, 2) for r in (0, 1)}


def test_the_order_is_shuffled_and_comes_again() -> None:
    ids = [[t.id for t in open_sweep(grid({"seed": list(range(30))}, order_seed=k)).trials] for k in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2] and sorted(ids[0]) == sorted(ids[2])
    seeds = [r.settings.seed for r in requests(grid({"seed": list(range(30))}))]
    assert seeds != sorted(seeds)


def test_what_needs_one_engine_stays_together() -> None:
    found = [r.load.dtype for r in requests(grid({"dtype": ["fp32", "bf16"], "seed": list(range(8))}))]
    assert sum(a != b for a, b in itertools.pairwise(found)) == 1


def test_a_trial_keeps_its_id_in_a_larger_grid_of_another_name() -> None:
    small = {t.id for t in open_sweep(grid({"seed": [0, 1]})).trials}
    large = {t.id for t in open_sweep(grid({"seed": [0, 1, 2], "nfe_step": [32, 7]}, name="two")).trials}
    assert small < large


def test_a_field_of_a_later_release_leaves_the_ids_of_trials_as_they_are() -> None:
    @dataclass(frozen=True)
    class Later(SpeechRequest):
        younger: int = 0

    now = requests(grid({"seed": [4]}))[0]
    same, other = (Later(**now.__dict__, younger=value) for value in (0, 1))
    assert trial_id(same, 0) == trial_id(now, 0) != trial_id(other, 0)


@pytest.mark.parametrize(
    ("axis", "given", "values"),
    [
        ("seed", {"from": 0, "to": 4, "values": 5}, (0, 1, 2, 3, 4)),
        ("max_chunk_bytes", {"from": 40, "to": 50, "values": 3}, (40, 45, 50)),
        ("speed", {"from": 0.5, "to": 1.5, "values": 3}, (0.5, 1.0, 1.5)),
        ("speed", {"from": 0.1, "to": 0.3, "values": 3}, (0.1, 0.2, 0.3)),
        ("seed", {"from": 0, "to": 1, "values": 9}, (0, 1)),
        ("ode_method", ["euler", "rk4"], ("euler", "rk4")),
    ],
)
def test_ranges(axis: str, given: Any, values: tuple[Any, ...]) -> None:
    assert grid({axis: given}).axes[axis] == values


def test_the_duration_is_the_inverse_of_the_speed() -> None:
    found = requests(grid({"duration_factor": [0.6, 1.0, 1.6]}))
    assert sorted(r.settings.speed for r in found) == pytest.approx([1 / 1.6, 1.0, 1 / 0.6])


def test_unset_is_a_value_like_others() -> None:
    found = requests(grid({"max_chunk_bytes": ["unset", 60]}))
    assert {r.settings.max_chunk_bytes for r in found} == {None, 60}


def test_texts_voices_and_load_settings_are_axes_too() -> None:
    names = [load_voice().name, "nature-en"]
    axes = {"voice": names, "text": ["One.", "Two."], "dtype": ["fp32"]}
    found = requests(Grid.from_dict({"name": "x", "grid": axes}))
    assert {(r.voice.name, r.text, r.load.dtype) for r in found} == {
        (n, t, "fp32") for n in names for t in ("One.", "Two.")
    }


BAD = [
    ({"grid": {"nfe_steps": [3]}}, "nfe_steps"),
    ({"grid": {"nfe_step": [0]}}, "nfe_step"),
    ({"grid": {"nfe_step": ["many"]}}, "nfe_step"),
    ({"grid": {"nfe_step": []}}, "nfe_step"),
    ({"grid": {"nfe_step": ["unset"]}}, "'unset'"),
    ({"grid": {"seed": [0]}, "fixed": {"text": 5}}, "text is 5"),
    ({"grid": {"seed": [0]}, "fixed": {"text": TEXT, "model": 5}}, "model is 5"),
    ({"grid": {"seed": [0]}, "fixed": {"text": TEXT, "voice": {"recording": 1, "words": 2}}}, "voice"),
    ({"grid": {"text": ["  "]}, "fixed": {}}, "empty"),
    ({"grid": {"nfe_step": 3}}, "nfe_step"),
    ({"grid": {"nfe_step": {"from": 3, "to": 9}}}, "nfe_step"),
    ({"grid": {"nfe_step": {"from": "a", "to": 9, "values": 2}}}, "nfe_step"),
    ({"grid": {"nfe_step": {"from": 3, "to": 9, "values": 1}}}, "values"),
    ({"grid": {"speed": [9.0]}}, "speed"),
    ({"grid": {"duration_factor": [9.0]}}, "duration_factor"),
    ({"grid": {"duration_factor": ["x"]}}, "duration_factor"),
    ({"grid": {"speed": [1.0], "duration_factor": [1.0]}}, "exclude"),
    ({"grid": {"seed": [0, 0]}}, "same speech"),
    ({"grid": {"speed": [0.5], "duration_factor": [2.0]}}, "exclude"),
    ({"grid": {"seed": [0]}, "fixed": {"seed": 1}}, "seed"),
    ({"grid": {"text": ["a"]}, "fixed": {"text": TEXT}}, "text"),
    ({"grid": {"voice": ["Nobody at all"]}}, "Nobody at all"),
    ({"grid": {"voice": [{"recording": "no-such.wav"}]}}, "voice"),
    ({"grid": {"model": ["no-such-model"]}}, "no-such-model"),
    ({"grid": {"seed": list(range(400)), "nfe_step": list(range(1, 129)), "max_chunk_bytes": [20, 30]}}, "102,400"),
    ({"grid": {"seed": [0]}, "repeats": 0}, "repeats"),
    ({"grid": {"seed": [0]}, "repeats": 1.5}, "repeats"),
    ({"grid": {"seed": [0]}, "order_seed": -1}, "order_seed"),
    ({"grid": {"seed": [0]}, "measures": "rtf"}, "measures"),
    ({"grid": {"seed": [0]}, "measures": ["beauty"]}, "beauty"),
    ({"grid": {"seed": [0]}, "name": "../up"}, "up"),
    ({"grid": {"seed": [0]}, "name": ""}, "not valid"),
    ({"grid": {"seed": [0]}, "name": 3}, "not valid"),
    ({"grid": {"seed": [0]}, "nfe_step": 3}, "nfe_step"),
    ({"grid": 3}, "grid"),
    ({"grid": {"seed": [0]}, "fixed": []}, "fixed"),
]


@pytest.mark.parametrize(("given", "named"), BAD)
def test_a_grid_that_cannot_be_spoken_is_refused_with_what_is_wrong(given: dict[str, Any], named: str) -> None:
    given = {"name": "bad", "fixed": {"text": TEXT}} | given
    with pytest.raises(WorkbenchError) as caught:
        open_sweep(Grid.from_dict(given))
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_a_grid_without_a_text_is_refused() -> None:
    with pytest.raises(SettingsError, match="text"):
        Grid.from_dict({"name": "x", "grid": {"seed": [0]}})


def test_a_file_names_others_beside_it(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\ufeffFrom a file.", "utf-8")
    (tmp_path / "small.toml").write_text('[fixed]\ntext_file = "words.txt"\n[grid]\nseed = [0]\n', "utf-8")
    made = read_grid(tmp_path / "small.toml")
    assert made.name == "small" and requests(made)[0].text == "From a file."


@pytest.mark.parametrize("content", [b"", b"[grid\n", b"\xff\xfe", b"grid = 3", b"[grid]\nseed = [0]\n"])
def test_a_file_that_holds_no_grid_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError):
        read_grid(path)
    with pytest.raises(SettingsError):
        read_grid(tmp_path / "not there.toml")


def test_what_is_kept_is_read_again() -> None:
    made = grid({"nfe_step": [3, 7], "max_chunk_bytes": ["unset", 60]}, repeats=2, measures=["rtf"])
    assert Grid.from_dict(made.as_dict()) == made


def test_one_voice_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine.sweeps import running

    prepared: list[Any] = []

    def load(name: Any, mel: Any) -> Voice:
        prepared.append(name)
        return load_voice(name, mel)

    monkeypatch.setattr(running, "load_voice", load)
    open_sweep(grid({"seed": list(range(20))}))
    assert len(prepared) == 1


def test_a_text_that_names_voices_is_a_script_with_the_settings_of_each_point() -> None:
    text = "[Nora] One boat. [pause 1s] [Clara speed=0.9] And two of them."
    made = open_sweep(grid({"seed": [0, 1]}, fixed={"text": text, "voice": "nature-en"}))
    assert len(made.trials) == 2
    for trial in made.trials:
        script = trial.request.script
        assert script is not None and [one.name for one in script.speakers] == ["Nora", "Clara"]
        assert trial.request.settings_of(1).speed == 0.9 and trial.request.settings_of(1).seed == trial.values["seed"]
    assert {voice.name for voice in made.voices.values()} == {"nature-en", "Nora", "Clara"}
    with pytest.raises(WorkbenchError, match="Norra"):
        open_sweep(grid({"seed": [0]}, fixed={"text": text.replace("Nora", "Norra")}))
    with pytest.raises(SettingsError, match="times"):
        open_sweep(grid({"seed": [0]}, fixed={"text": "[Nora at=3s] One boat."}))


def test_the_id_of_a_script_does_not_depend_on_where_its_recordings_lie() -> None:
    (trial,) = open_sweep(grid({"seed": [0]}, fixed={"text": "[Nora] One boat. [Clara] Two."})).trials
    moved = trial.request.with_voices(lambda voice: voice.replace(recording=f"/elsewhere/{voice.name}.wav"))
    other = trial.request.with_voices(lambda voice: voice.replace(id="f" * 64) if voice.name == "Clara" else voice)
    assert trial_id(moved, 0) == trial.id != trial_id(other, 0)


def test_a_file_of_subtitles_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    (tmp_path / "film.toml").write_text('[fixed]\ntext_file = "film.srt"\n[grid]\nseed = [0]\n')
    with pytest.raises(SettingsError, match=r"film\.srt"):
        open_sweep(read_grid(tmp_path / "film.toml"))
