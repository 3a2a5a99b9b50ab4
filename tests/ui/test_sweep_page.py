"""The Sweep page: what it costs is said first, results come while it runs, and it goes on after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.helpers import html_of, until
from workbench.engine.runs import store
from workbench.engine.sweeps import find_sweep

AXES = {"nfe_step": "1, 2", "seed": "0 to 2, 3 values"}


@pytest.fixture
def page(open_page: Any, tiny_home: Path) -> Any:
    """The page with a grid of six trials."""
    at = open_page("sweep")
    for axis, values in AXES.items():
        at.text_input(key=f"grid_values_{axis}").set_value(values)
    return at.run()


def test_the_number_of_trials_is_said_first_and_each_is_spoken_once(page: Any) -> None:
    assert page.button(key="grid_go").label == "Run 6 trials"
    page.button(key="grid_go").click().run()
    until(page, lambda at: "6 of 6 trials done" in html_of(at))
    assert len(store.list_runs()) == 6 and {run.sweep for run in store.list_runs()} == {"My sweep"}
    page.run()
    assert page.button(key="grid_go").label == "All 6 trials are done" and page.button(key="grid_go").disabled
    page.text_input(key="grid_values_seed").set_value("0 to 3, 4 values").run()
    assert page.button(key="grid_go").label.startswith("Run 2 trials, about ")
    assert len(page.get("plotly_chart")) == 1 and len(page.dataframe[0].value) == 6
    headings = list(page.dataframe[0].value)  # in words, what varies first
    assert headings[:3] == ["ODE steps (nfe_step)", "Seed", "RTF"] and headings[-2:] == ["finished (UTC)", "run"]


@pytest.mark.parametrize("how", ["One axis", "Two axes", "All axes", "Quality against time"])
def test_every_figure_is_drawn(page: Any, how: str) -> None:
    page.text_input(key="grid_values_seed").set_value("0").run()
    page.multiselect(key="grid_axes").set_value(["nfe_step", "seed", "cfg_strength"]).run()
    page.text_input(key="grid_values_cfg_strength").set_value("0, 2").run()
    page.button(key="grid_go").click().run()
    until(page, lambda at: "4 of 4 trials done" in html_of(at))
    page.run()
    page.get_by_key("figure_My sweep").set_value(how).run()
    assert not page.exception and len(page.get("plotly_chart")) == 1


def test_a_sweep_of_an_earlier_server_goes_on(page: Any) -> None:
    page.button(key="grid_go").click().run()
    until(page, lambda at: "6 of 6 trials done" in html_of(at))
    sweep = find_sweep("My sweep")
    for path in sorted((sweep.folder / "trials").iterdir())[:4]:
        run = store.run_folder(find_sweep("My sweep").records()[path.stem].run)
        path.unlink()
        store.delete_run(run.name)
    page.run()
    assert "2 of 6 trials done" in html_of(page)
    page.button(key="sweep_on").click().run()
    until(page, lambda at: "6 of 6 trials done" in html_of(at))
    assert len(store.list_runs()) == 6


@pytest.mark.parametrize(("axis", "written"), [("nfe_step", "0"), ("nfe_step", ""), ("seed", "0, 0"), ("seed", "x")])
def test_what_cannot_be_is_said_and_nothing_starts(page: Any, axis: str, written: str) -> None:
    page.text_input(key=f"grid_values_{axis}").set_value(written).run()
    assert not page.exception and page.error and not [b for b in page.button if b.key == "grid_go"]


def test_a_name_that_cannot_be_and_no_text_are_said(page: Any) -> None:
    page.text_input(key="grid_name").set_value("../up").run()
    assert "not valid" in page.error[0].value and not page.exception
    page.text_input(key="grid_name").set_value("fine")
    page.text_area(key="text").set_value("").run()
    assert "no text" in page.error[0].value


def test_a_script_of_saved_voices_is_a_text_of_a_sweep_and_one_with_others_is_not(page: Any) -> None:
    script = "[Nora] One boat is here. [pause 0.5s] [nature-en speed=1.2] Two boats are there."
    page.text_input(key="grid_values_nfe_step").set_value("1")
    page.text_input(key="grid_values_seed").set_value("0")
    page.text_area(key="text").set_value(script).run()
    assert page.button(key="grid_go").label == "Run 1 trial"
    page.button(key="grid_go").click().run()
    until(page, lambda at: "1 of 1 trials done" in html_of(at))
    (row,) = find_sweep("My sweep").rows()
    assert row["voice"] == "Nora, nature-en" and not row["error"]
    page.text_area(key="text").set_value("[Nora at=3s] One boat is here.").run()
    assert not page.exception and "times" in page.error[0].value
    assert not [b for b in page.button if b.key == "grid_go"]
