"""The page Listen: make a test, vote from several browsers at once, see the results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ui.helpers import buttons_of, html_of, told_to_dock
from workbench.engine.listening import answers, design, grouping, records
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.recordings.bundled import list_voices
from workbench.engine.speech.voices import load_voice

SYSTEMS = ("nfe_step 2", "nfe_step 3")


@pytest.fixture
def runs(tiny_engine: Any) -> None:
    voice = load_voice(list_voices()[0].name)
    for text in ("One two three.", "Four five six."):
        for steps in (2, 3):
            store.save_run(tiny_engine.run(text, voice, SynthesisSettings(nfe_step=steps)))


def make(kind: str, **options: Any) -> records.ListeningTest:
    return records.make_test("steps", kind, grouping.group(store.list_runs(), "nfe_step"), **options)


def words(at: Any) -> str:
    """All that a listener can read on the page, and the addresses of its sounds."""
    shown = [block.value for kind in ("markdown", "caption", "text", "header", "title") for block in at.get(kind)]
    shown += [button.label for button in at.button] + [str(sound) for sound in buttons_of(at)]
    return "\n".join([*shown, html_of(at)])


def choose(at: Any, choice: int) -> Any:
    """Press the button of ``choice``, whichever trial is shown."""
    next(b for b in at.button if b.key and b.key.startswith(f"choice_{choice}_")).click().run()
    assert not at.exception
    return at


def start(open_page: Any, name: str) -> Any:
    at = open_page("listen", test="steps")
    at.text_input(key="listen_me").set_value(name)
    at.button(key="listen_start").click().run()
    assert not at.exception
    return at


def test_without_runs_the_page_says_what_to_do(open_page: Any) -> None:
    assert "Two runs are needed" in html_of(open_page("listen"))


def test_a_test_is_made_from_a_search(open_page: Any, runs: None) -> None:
    at = open_page("listen")
    at.text_input(key="listen_query").set_value("nfe_step>=2").run()
    at.segmented_control(key="listen_kind").set_value(design.ABX)
    at.text_input(key="listen_name").set_value("Steps of the ODE").run()
    assert "2 systems" in " ".join(c.value for c in at.caption) and "2 trials" in " ".join(c.value for c in at.caption)
    at.button(key="listen_make").click().run()
    assert not at.exception and "Levels are matched by" in at.success[0].value
    (made,), problems = records.list_tests()
    assert (made.name, made.kind, made.systems, problems) == ("Steps of the ODE", design.ABX, SYSTEMS, [])
    at.button(key="listen_make").click().run()
    assert "already" in at.error[0].value and len(records.list_tests()[0]) == 1


@pytest.mark.parametrize("kind", design.KINDS)
def test_names_are_hidden_from_listeners(open_page: Any, runs: None, kind: str) -> None:
    made = make(kind)
    at = start(open_page, "Nora")
    seen = words(at)
    known = [run.id for run in store.list_runs()]
    assert not any(secret in seen for secret in (*SYSTEMS, *known, "nfe"))
    places = {design.ABX: 3, design.PREFERENCE: 2, design.SCORE: 1}[kind]
    sounds = buttons_of(at)
    assert len({sound["urls"][0] for sound in sounds}) == places  # X has an address of its own
    assert all(sound["blind"] for sound in sounds)  # the player draws no waveform, which would show which one X is
    assert len({tuple(sound["seconds"]) for sound in sounds}) == 1
    n_buttons = len([b for b in at.button if b.key and b.key.startswith("choice_")])
    assert n_buttons == len(answers.CHOICES[kind])
    assert "Trial 1 of" in at.get("progress")[0].proto.text and made.n_trials


def test_two_browsers_vote_at_once_and_a_third_one_sees_the_results(open_page: Any, runs: None) -> None:
    made = make(design.PREFERENCE)
    one, two = start(open_page, "Nora"), start(open_page, "Paul")
    assert one.query_params["me"] != two.query_params["me"]
    for _ in range(made.n_trials):
        choose(one, 1)
        choose(two, 0)
    assert all("Thank you" in at.success[0].value for at in (one, two))
    found, problems = answers.read_answers(made)
    assert problems == [] and sorted((a.listener, a.choice) for a in found) == [
        *[("Nora", 1)] * made.n_trials, *[("Paul", 0)] * made.n_trials,
    ]  # fmt: skip
    at = open_page("listen", test="steps", show="results")
    assert [m.value for m in at.metric] == ["4", "2", "2"]
    row = at.dataframe[0].value.iloc[0]
    assert (row["first"], row["second"], row["no difference"], row["listeners"]) == (*SYSTEMS, 2, 2)
    assert at.get("download_button") and len(at.get("plotly_chart")) == 1


def test_a_reload_continues_and_a_second_click_changes_nothing(open_page: Any, runs: None) -> None:
    made = make(design.ABX, repeats=2)
    at = choose(start(open_page, ""), 1)
    key = str(at.query_params["me"])
    again = open_page("listen", test="steps", me=key)
    assert "Trial 2 of 4" in again.get("progress")[0].proto.text
    choose(again, 2)
    choose(at, 1)  # this browser still showed trial 2, which is answered
    assert [a.choice for a in answers.read_answers(made)[0]] == [1, 2]
    assert "Trial 3 of 4" in at.get("progress")[0].proto.text


def test_the_keyboard_is_offered_and_every_press_plays(open_page: Any, runs: None) -> None:
    make(design.ABX)
    at = start(open_page, "")
    assert not any(b.proto.shortcut for b in at.button)
    at.button(key="listen_keyboard").click().run()
    assert {b.proto.shortcut.upper() for b in at.button if b.proto.shortcut} == {"A", "B", "X", "1", "2"}
    orders = []
    for _ in range(2):
        at.button(key="play_B_0").click().run()
        (order,) = told_to_dock(at, "play")
        assert order["play"]["title"] == "Sound B" and order["play"]["blind"]
        orders.append(order["order"])
    assert orders[0] != orders[1]  # the second press plays again


def test_scores_are_shown_with_their_differences(open_page: Any, runs: None) -> None:
    made = make(design.SCORE)
    for _ in range(6):
        key = records.new_key()
        for trial in made.trials(key):
            answers.answer(made, key, trial, 2 + trial.shown[0])
    at = open_page("listen", test="steps", show="results")
    assert list(at.dataframe[0].value["mean score"]) == ["2.00", "3.00"]
    change = at.dataframe[1].value.iloc[0]
    assert (change["mean"], change["seen"]) == ("+1.00", "yes")
    (trace,) = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    assert trace["customdata"] == list(SYSTEMS)


def test_damaged_tests_and_answers_are_listed(open_page: Any, runs: None) -> None:
    made = make(design.ABX)
    (records.listening_root() / "broken").mkdir()
    (made.folder / "answers" / "stray.json").write_text("{", "utf-8")
    at = open_page("listen")
    assert [e.label for e in at.expander] == ["1 damaged"] and "broken" in " ".join(t.value for t in at.text)
    at = open_page("listen", test="steps", show="results")
    assert "1 file that is no answer" in [e.label for e in at.expander]


@pytest.mark.parametrize("name", ["nobody", "../runs", "<img src=x>"])
def test_an_address_without_a_test_says_so(open_page: Any, name: str) -> None:
    at = open_page("listen", test=name)
    assert len(at.error) == 1 and not buttons_of(at)


def test_deleting_asks_first(open_page: Any, runs: None) -> None:
    make(design.ABX)
    at = open_page("listen")
    at.button(key="drop_steps").click().run()
    assert any("all answers" in t.value for t in at.text) and len(records.list_tests()[0]) == 1
