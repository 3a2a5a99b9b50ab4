"""Tests on disk: what is compared, levels, sounds, damaged folders."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine import measures
from workbench.engine.errors import ListeningError
from workbench.engine.listening import design, grouping, levels, records, sounds
from workbench.engine.measures import Sound
from workbench.engine.runs import store


def test_runs_are_sorted_by_a_setting_and_matched_by_text_and_seed(make_run: Any) -> None:
    for steps in (3, 2, 10):
        for seed in (0, 1):
            make_run(nfe_step=steps, seed=seed)
    alone = make_run("A text of one system only.", nfe_step=2)
    runs = store.list_runs()
    assert "nfe_step" in grouping.choices(runs) and grouping.RUN not in grouping.choices(runs)
    layout = grouping.group(runs, "nfe_step")
    assert layout.systems == ("nfe_step 2", "nfe_step 3", "nfe_step 10") and layout.n_left_out == 1
    known = {run.id: run.settings for run in runs}
    for item in layout.items:
        assert len({known[run_id]["seed"] for run_id in item.runs}) == 1 and alone.id not in item.runs
        assert [known[run_id]["nfe_step"] for run_id in item.runs] == [2, 3, 10]
    assert len(layout.items) == 2


def test_each_run_may_be_a_system_of_its_own(make_run: Any) -> None:
    a, b = make_run(), make_run(seed=4)
    layout = grouping.group(store.list_runs(), grouping.RUN)
    assert set(layout.systems) == {a.id, b.id} and layout.items[0].runs == layout.systems


def test_too_many_runs_are_refused_before_they_are_sorted(make_run: Any) -> None:
    make_run()
    many = store.list_runs() * (grouping.RUNS_MAX + 1)
    for refuse in (grouping.choices, lambda runs: grouping.group(runs, "nfe_step")):
        with pytest.raises(ListeningError, match="801 runs"):
            refuse(many)


def test_of_equal_runs_the_newest_is_taken(make_run: Any) -> None:
    make_run(nfe_step=2)
    newest, other = make_run(nfe_step=2), make_run(nfe_step=3)
    assert grouping.group(store.list_runs(), "nfe_step").items[0].runs == (newest.id, other.id)


def test_what_cannot_be_compared_says_so(make_run: Any) -> None:
    make_run(nfe_step=2)
    make_run("Other words.", nfe_step=3)
    with pytest.raises(ListeningError, match="No text is spoken by all"):
        grouping.group(store.list_runs(), "nfe_step")
    with pytest.raises(ListeningError, match="1 systems"):
        grouping.group(store.list_runs(), "speed")
    assert grouping.choices(store.list_runs()[:1]) == []


@pytest.mark.parametrize("name", ["loudness_lufs", "level_dbfs"])
def test_levels_are_equal_afterwards_and_nothing_clips(
    name: str, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "loudness_lufs":
        pytest.importorskip("pyloudnorm")
    else:
        monkeypatch.setattr("workbench.engine.measures.registry.find_spec", lambda package: None)
    waves = [speech, 0.2 * speech, np.roll(speech, 5000) * 1.9]
    found = levels.match([Sound(wave) for wave in waves])
    assert found.measure == name
    after = [wave * 10 ** (gain / 20) for wave, gain in zip(waves, found.gains_decibels, strict=True)]
    values = [measures.get(name).function(Sound(wave.astype(np.float32))) for wave in after]
    assert values == pytest.approx([found.target] * 3, abs=0.05)
    assert max(float(np.abs(wave).max()) for wave in after) <= 10 ** (-levels.HEADROOM_DECIBELS / 20) + 1e-6
    assert measures.get(name).label in found.said and "dB" in found.said


def test_a_silent_sound_is_refused(speech: np.ndarray) -> None:
    with pytest.raises(ListeningError, match="1 of 2 sounds are silent"):
        levels.match([Sound(speech), Sound(np.zeros(24_000, np.float32))])


def test_the_test_no_longer_needs_its_runs(make_test: Any) -> None:
    made = make_test()
    for run in store.list_runs():
        store.delete_run(run.id)
    assert records.open_test("steps") == made and records.list_tests() == ([made], [])
    assert (made.systems, len(made.texts), made.n_trials) == (("nfe_step 2", "nfe_step 3"), 2, 2)
    assert len(sounds.of_trial(made, made.trials(records.new_key())[0], "nnn")) == 3


def test_sounds_do_not_show_which_they_are(make_test: Any) -> None:
    made = make_test()
    trial = made.trials(records.new_key())[0]
    a, b, x = sounds.of_trial(made, trial, ["one"] * 3)
    again = sounds.of_trial(made, trial, ["two"] * 3)
    assert len({a, b, x, *again}) == 6  # no bytes twice, though X is A or B
    assert len(a) == len(b) == len(x)
    waves = [soundfile.read(io.BytesIO(content))[0] for content in (a, b, x)]
    same = [bool(np.array_equal(waves[2], wave)) for wave in waves[:2]]
    assert same == [trial.x == system for system in trial.shown]
    assert not any(b"nfe" in content or b"system" in content for content in (a, b, x))


def test_names_and_numbers_are_checked(make_test: Any, make_run: Any) -> None:
    make_test()
    layout = grouping.group(store.list_runs(), "nfe_step")
    for name, said in (("../up", "not valid"), ("", "not valid"), ("steps", "already"), (".x", "not valid")):
        with pytest.raises(ListeningError, match=said):
            records.make_test(name, design.ABX, layout)
    with pytest.raises(ListeningError, match="cannot be made"):
        records.make_test("other", "rank", layout)
    with pytest.raises(ListeningError, match="cannot be made"):
        records.make_test("other", design.ABX, layout, repeats=0)
    for name in ("nobody", "../steps", "a/b"):
        with pytest.raises(ListeningError):
            records.open_test(name)
    assert [path.name for path in records.listening_root().iterdir()] == ["steps"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"), ("[]", "cannot be read"), ('{"format": 2}', "newer workbench"),
        ('{"format": 1}', "kind"), (None, "no test"),
    ],
)  # fmt: skip
def test_a_damaged_test_is_listed_as_such(make_test: Any, content: str | None, said: str) -> None:
    good = make_test()
    bad = records.listening_root() / "bad"
    bad.mkdir()
    if content is not None:
        (bad / "test.json").write_text(content, "utf-8")
    found, problems = records.list_tests()
    assert found == [good] and len(problems) == 1 and "'bad'" in problems[0] and said in problems[0]


def test_a_test_without_a_run_of_a_system_is_damaged(make_test: Any) -> None:
    path = make_test().folder / "test.json"
    document = json.loads(path.read_text("utf-8"))
    document["systems"].append("third")
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ListeningError, match="damaged"):
        records.open_test("steps")


def test_a_missing_sound_is_an_error_of_one_line(make_test: Any) -> None:
    made = make_test()
    trial = made.trials(records.new_key())[0]
    made.sound_path(trial.item, trial.shown[0]).write_bytes(b"RIFF")
    with pytest.raises(ListeningError, match="cannot be read"):
        sounds.of_trial(made, trial, "nnn")


def test_deleting_removes_everything(make_test: Any) -> None:
    make_test()
    records.delete_test("steps")
    assert list(records.listening_root().iterdir()) == []
    with pytest.raises(ListeningError):
        records.delete_test("steps")
