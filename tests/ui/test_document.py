"""The one document of a session: its address restores it on every page, and the form says how it differs from a run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.helpers import html_of, until
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings, describe

TEXT = "One boat is here. Two boats are there."
OTHER = "Three boats went by."


@pytest.fixture
def two(tiny_engine: Any, voice: Any) -> tuple[str, str]:
    """Ids of two saved runs."""
    made = [
        tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=4, max_chunk_bytes=33, speed=1.2, seed=9)),
        tiny_engine.run(OTHER, voice, SynthesisSettings(nfe_step=2)),
    ]
    for run in made:
        store.save_run(run)
    return made[0].id, made[1].id


def query(at: Any, name: str) -> str | None:
    found = at.query_params.get(name)
    return found[0] if isinstance(found, list) else found


@pytest.mark.parametrize("view", ["synthesize", "spectrograms", "time", "flow", "chunk_size", "sweep", "listen"])
def test_the_address_restores_both_runs_on_every_page(open_page: Any, two: tuple[str, str], view: str) -> None:
    at = open_page(view, run=two[0], b=two[1])
    assert (query(at, "run"), query(at, "b")) == two
    assert (at.session_state["run_id"], at.session_state["second_id"]) == two
    at.switch_page("views/synthesize.py").run()
    assert at.text_area(key="text").value == TEXT and at.number_input(key="knob_seed").value == 9
    assert at.slider(key="knob_max_chunk_bytes").value == 33, "not a step of the slider, but what the run was made with"
    assert (query(at, "run"), query(at, "b")) == two, "links between pages drop the address"


def test_a_new_link_changes_the_run_and_nothing_typed_is_lost(open_page: Any, two: tuple[str, str]) -> None:
    at = open_page(run=two[0])
    at.query_params["run"] = two[1]
    at.run()
    assert at.text_area(key="text").value == OTHER and at.select_slider(key="knob_nfe_step").value == 2
    at.text_area(key="text").set_value("My own words, typed for an hour.").run()
    at.query_params["run"] = two[0]
    at.run()
    assert at.session_state["run_id"] == two[0] and at.text_area(key="text").value.startswith("My own words")


@pytest.mark.parametrize("slot", ["run", "b"])
@pytest.mark.parametrize("wrong", ["20200101-000000-abcdef", "../../etc/passwd", "<b>x</b>"])
@pytest.mark.parametrize("view", ["synthesize", "flow"])
def test_an_address_of_nothing_is_said_once_and_left_with_one_click(
    open_page: Any, two: tuple[str, str], view: str, slot: str, wrong: str
) -> None:
    at = open_page(view, **{"run": two[0], slot: wrong})
    assert len(at.error) == 1 and "run" in at.error[0].value
    at.button(key="start_afresh").click().run()
    assert not at.error and query(at, "run") is None and query(at, "b") is None


def test_the_second_run_is_swapped_and_closed(open_page: Any, two: tuple[str, str]) -> None:
    at = open_page(run=two[0], b=two[1])
    at.button(key="swap_runs").click().run()
    assert (query(at, "run"), query(at, "b")) == two[::-1]
    assert at.text_area(key="text").value == OTHER
    at.button(key="close_second").click().run()
    assert query(at, "b") is None and at.session_state["second_id"] is None


def test_a_deleted_run_is_no_longer_current(open_page: Any, two: tuple[str, str]) -> None:
    at = open_page(run=two[0])
    store.delete_run(two[0])
    at.run()
    assert at.session_state["run_id"] is None and len(at.error) == 1 and not at.exception


def page(body: str) -> Any:
    """A page of nothing but the lines of ``body``."""
    from streamlit.testing.v1 import AppTest

    head = "import streamlit as st\nfrom workbench.ui import document\ndocument.sync()\n"
    return AppTest.from_string(head + body, default_timeout=30)


def test_any_page_reads_the_form_and_puts_settings_into_it(tiny_server: Any) -> None:
    at = page(
        "st.session_state.seen = (document.text(), document.settings())\n"
        "if st.button('use', key='u'): document.use(max_chunk_bytes=70, nfe_step=16, text='Words.')\n"
    ).run()
    text, settings = at.session_state["seen"]
    assert text and (settings.nfe_step, settings.max_chunk_bytes) == (7, None)
    at.button(key="u").click().run()
    text, settings = at.session_state["seen"]
    assert (text, settings.max_chunk_bytes, settings.nfe_step) == ("Words.", 70, 16)


def test_every_setting_that_differs_is_named(tiny_engine: Any, tiny_server: Any, voice: Any) -> None:
    from workbench.ui.parts import forms

    run = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=4, max_chunk_bytes=30))
    store.save_run(run)
    at = page(
        "from workbench.ui import resources\n"
        "run = resources.saved_run(st.query_params['run'])\n"
        "st.session_state.said = document.changes(run.request)\n"
    )
    at.query_params["run"] = run.id
    at.run()
    assert at.session_state["said"] == []
    other = {"ode_method": "midpoint", "use_epss": False, "numbers": "off", "keep_trajectory": True}
    for row in describe(SynthesisSettings):
        value = other.get(row["name"], row["high"])
        before = at.session_state[f"knob_{row['name']}"]
        at.session_state[f"knob_{row['name']}"] = value
        at.run()
        (said,) = at.session_state["said"]
        assert said.startswith(forms.title(row["name"]).split(" (")[0].split(",")[0]) and ", was " in said
        at.session_state[f"knob_{row['name']}"] = before
    at.session_state["text"] = "Other words."
    at.run()
    assert at.session_state["said"] == ["text"]


def test_a_run_of_this_session_is_what_the_form_says(open_page: Any) -> None:
    at = open_page()
    at.text_area(key="text").set_value(TEXT).run()
    at.button(key="go").click().run()
    until(at, lambda seen: "done in" in html_of(seen))
    assert query(at, "run") == store.list_runs()[0].id
    at.switch_page("views/flow.py").run()
    assert query(at, "run") == store.list_runs()[0].id and not at.exception
