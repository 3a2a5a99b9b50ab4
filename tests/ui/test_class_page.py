"""The page Class: a prediction comes first, and then what was measured in the run you hear."""

from __future__ import annotations

from typing import Any

from tests.ui.helpers import html_of, until
from workbench.classroom.stops import STOPS
from workbench.ui.classroom import progress


def _predict(at: Any, key: str, value: float) -> Any:
    at.number_input(key=f"class_said_{key}").set_value(value)
    return next(b for b in at.button if b.label == "Predict, then see").click().run()


def _metrics(at: Any) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def _with_run(open_page: Any) -> Any:
    at = open_page("class_path")
    assert "Synthesize" in html_of(at) and not at.metric
    at.button(key="class_speak").click().run()
    return until(at, lambda at: any("1 · Text" in h.value for h in at.header))


def test_the_class_makes_its_run_and_asks_before_it_shows(open_page: Any) -> None:
    at = _with_run(open_page)
    assert not at.metric and not at.code
    at = _predict(at, "text", 42)
    at = until(at, lambda at: bool(at.metric))
    assert _metrics(at)["You said"] == "42 signs" and _metrics(at)["Measured here"] != "42 signs"
    assert "words of the reference" in html_of(at) and 'scope="col">measured<' in html_of(at)
    assert "conditioning_text" in at.code[0].value
    assert at.query_params["said"] == "42" and at.query_params["run"]


def test_all_stops_are_walked_and_summed_up(open_page: Any) -> None:
    at = _with_run(open_page)
    for k, stop in enumerate(STOPS):
        at = _predict(at, stop.key, 5)
        at = until(at, lambda at: bool(at.metric))
        assert not at.exception and not at.error
        if k + 1 < len(STOPS):
            at.button(key="class_next").click().run()
    assert at.query_params["said"] == "_".join("5" * len(STOPS))
    table = at.dataframe[0].value
    assert len(table) == len(STOPS) and "not yet" not in set(table["measured"])
    at.button(key="class_again_loading").click().run()
    assert not at.metric


def test_the_address_restores_stop_and_predictions(open_page: Any) -> None:
    made = _with_run(open_page).query_params["run"]
    at = open_page("class_path", run=made, stop="3", said="60__4")
    assert any("3 · Chunks" in h.value for h in at.header)
    assert _metrics(at)["You said"] == "4 chunks"
    hostile = open_page("class_path", run=made, stop="٣99999999", said="nan_1e999_<b>_-_" + "9" * 999)
    assert any("1 · Text" in h.value for h in hostile.header) and not hostile.exception


def test_a_run_without_states_is_told_apart(open_page: Any, tiny_engine: Any) -> None:
    from workbench.engine.runs.store import save_run
    from workbench.engine.settings import SynthesisSettings
    from workbench.ui import resources

    run = tiny_engine.run("Good morning.", resources.default_voice(), SynthesisSettings(nfe_step=4), save=False)
    save_run(run)
    at = open_page("class_path", run=run.id, stop="4")
    assert "states" in at.info[0].value
    assert at.button(key="class_speak")


def test_predictions_survive_the_address() -> None:
    said = {"text": 104.0, "chunks": 3.0, "loading": 12.5}
    assert progress.decoded(progress.encoded(said)) == said
    assert progress.encoded({}) == "" and progress.decoded("") == {}
    assert progress.decoded("a_inf_1e7_2") == {"noise": 2.0}
