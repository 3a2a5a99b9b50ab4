"""``workbench listen``: results of listening tests with their intervals, and the answers as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import last_json
from tests.engine.listening.conftest import make_run, make_test
from workbench.engine.listening import answers, records

__all__ = ["make_run", "make_test"]


def vote(test: records.ListeningTest, choose: Any, n_listeners: int = 4) -> int:
    """Answer all trials of some listeners; how many answers there are."""
    for k in range(n_listeners):
        key = f"{k:012x}"
        while (trial := answers.next_trial(test, key)) is not None:
            answers.answer(test, key, trial, choose(trial), listener=f"=Zoë {k}")
    return n_listeners * test.n_trials


def test_choices_have_intervals_and_a_verdict(call: Any, make_test: Any, tmp_path: Path) -> None:
    test = make_test("preference", repeats=2)
    n_answers = vote(test, lambda trial: 1 + trial.shown.index(1))  # always the second system
    code, out, _ = call("listen", "steps", "--json", "--out", tmp_path / "answers.csv")
    document = last_json(out)
    (pair,) = document["pairs"]
    assert code == 0 and document["n_answers"] == n_answers == 16 and document["n_finished"] == 4
    assert pair["n_b"] == 16 and pair["share"] == 0 and pair["exact"][0] == 0 and 0 < pair["exact"][1] < 0.3
    assert pair["verdict"].endswith(f"{test.systems[1]} is preferred (p = 0.0000).")
    with (tmp_path / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 and {row["chosen"] for row in rows} == {test.systems[1]}
    assert all(row["listener"].startswith("'=Zoë") for row in rows)
    code, out, _ = call("listen", "steps")
    assert code == 0 and "16 answers of 4 listeners, 4 of them finished" in out and "is preferred" in out


def test_abx_is_told_by_listener(call: Any, make_test: Any) -> None:
    test = make_test("abx")
    vote(test, lambda trial: 1 + trial.shown.index(trial.x))
    code, out, _ = call("listen", "steps")
    assert code == 0 and "By listener" in out and "are heard apart" in out
    assert {row["right"] for row in last_json(call("listen", "steps", "--json")[1])["by_listener"]} == {2}


def test_scores_have_means_and_differences(call: Any, make_test: Any) -> None:
    test = make_test("score")
    vote(test, lambda trial: 2 + 2 * trial.shown[0], n_listeners=6)
    document = last_json(call("listen", "steps", "--json")[1])
    assert [one["mean"] for one in document["means"]] == [2, 4] and not document["pairs"]
    assert [one["mean"] for one in document["differences"]] == [2]
    code, out, _ = call("listen", "steps")
    assert code == 0 and "+2.00" in out and f"{test.systems[1]} minus {test.systems[0]}" in out


def test_the_list_names_every_test_and_what_is_damaged(call: Any, make_test: Any) -> None:
    assert call("listen")[0] == 0
    make_test("score")
    (records.listening_root() / "broken").mkdir()
    (records.listening_root() / "broken" / "test.json").write_text("{")
    code, out, _ = call("listen")
    assert code == 0 and "steps" in out and "broken" in out
    document = last_json(call("listen", "--json")[1])
    assert [(one["name"], one["n_answers"]) for one in document["tests"]] == [("steps", 0)] and document["broken"]
    assert "no answer yet" in call("listen", "steps")[1]


@pytest.mark.parametrize("words", [("nobody",), ("../up",), ("steps", "--out", "none/answers.csv")])
def test_a_mistake_is_one_line(call: Any, make_test: Any, words: tuple[str, ...]) -> None:
    make_test("score")
    code, _, err = call("listen", *words)
    assert code == 2 and len(err.strip().splitlines()) == 1
