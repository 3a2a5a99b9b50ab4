"""Answers: one file each, many writers, damaged files."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from workbench.engine.errors import ListeningError
from workbench.engine.listening import answers, design, records
from workbench.engine.listening.records import ListeningTest


def vote(test: ListeningTest, key: str = "", listener: str = "", choice: int | None = None) -> str:
    """Answer all trials; ABX is answered rightly unless ``choice`` is given."""
    key = key or records.new_key()
    while (trial := answers.next_trial(test, key)) is not None:
        right = 1 if trial.x is None else trial.shown.index(trial.x) + 1
        answers.answer(test, key, trial, right if choice is None else choice, listener=listener, seconds=2.5)
    return key


def test_answers_are_kept_with_listener_seed_and_time(make_test: Any) -> None:
    made = make_test(repeats=2)
    key = vote(made, listener="  Nora \n Smith ")
    found, problems = answers.read_answers(made)
    assert (len(found), problems) == (made.n_trials, []) and answers.next_trial(made, key) is None
    one = found[0]
    assert (one.listener, one.key, one.seed, one.seconds) == ("Nora Smith", key, f"5:{key}", 2.5)
    assert all(each.chosen == each.x for each in found) and one.made_at.startswith("20")
    assert [each.number for each in found] == list(range(made.n_trials))


def test_the_first_answer_to_a_trial_stays(make_test: Any) -> None:
    made, key = make_test(design.PREFERENCE), records.new_key()
    trial = answers.next_trial(made, key)
    assert trial is not None
    for choice in (1, 2, 0):
        answers.answer(made, key, trial, choice)
    assert [one.choice for one in answers.read_answers(made)[0]] == [1]
    following = answers.next_trial(made, key)
    assert following is not None and following.number == 1


def test_many_listeners_answer_at_once(make_test: Any) -> None:
    made = make_test(design.SCORE, repeats=3)
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda k: vote(made, choice=1 + k % 5), range(16)))
    found, problems = answers.read_answers(made)
    assert len(set(keys)) == 16 and len(found) == 16 * made.n_trials and problems == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "newer"), ({"choice": 9}, "choice"), ({"choice": "1"}, "choice"),
        ({"item": 99}, "another test"),
        ({"seconds": -1}, "seconds"), ({"shown": ["x", "y"]}, "another test"), ({"key": "0" * 12}, "another name"),
        ({"x": None}, "another test"), ({"number": 10**9}, "another name"), ({"choice": 5}, "another test"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_answer_is_listed_and_disturbs_nothing(
    make_test: Any, change: dict[str, Any], said: str
) -> None:
    made = make_test()
    vote(made)
    key = vote(made)
    path = made.folder / "answers" / f"{key}-0001.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    found, problems = answers.read_answers(made)
    assert len(found) == 2 * made.n_trials - 1 and len(problems) == 1 and said in problems[0]
    again = answers.next_trial(made, key)
    assert again is not None and again.number == 1  # it can be answered again


def test_files_of_others_are_listed(make_test: Any) -> None:
    made = make_test()
    key = vote(made)
    folder = made.folder / "answers"
    (folder / "notes.txt").write_text("mine", "utf-8")
    (folder / f"{key}-0000.json.bak").mkdir()
    (folder / "abcdefabcdef-0000.json").write_bytes(b"\xff\x00")
    (folder / ".0000.part").write_bytes(b"half")  # a draft of another process
    found, problems = answers.read_answers(made)
    assert len(found) == made.n_trials and len(problems) == 3


def test_what_is_no_answer_is_refused(make_test: Any) -> None:
    made, key = make_test(), records.new_key()
    trial = made.trials(key)[0]
    for bad_key, choice in (("../../evil", 1), ("", 1), (key, 0), (key, 3)):
        with pytest.raises(ListeningError):
            answers.answer(made, bad_key, trial, choice)
    records.delete_test(made.name)
    with pytest.raises(ListeningError, match="deleted"):
        answers.answer(made, key, trial, 1)
    assert list(records.listening_root().iterdir()) == []


@pytest.mark.parametrize("kind", design.KINDS)
def test_the_export_opens_in_a_spreadsheet(make_test: Any, kind: str) -> None:
    made = make_test(kind)
    vote(made, listener="=cmd()")
    vote(made, listener='Nora, "N"')
    rows = list(csv.DictReader(io.StringIO(answers.as_csv(made, answers.read_answers(made)[0]))))
    assert len(rows) == 2 * made.n_trials
    assert {row["listener"] for row in rows} == {"'=cmd()", 'Nora, "N"'}
    assert {row["correct"] for row in rows} == ({"True"} if kind == design.ABX else {""})
    assert {row["place 1"] for row in rows} <= set(made.systems)
    assert all((row["score"] == "1") == (kind == design.SCORE) for row in rows)
    assert answers.as_csv(made, []).strip() == "test,kind,listener"
