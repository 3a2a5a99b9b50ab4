"""Parts of a page: an error that users can correct is said in the part's place, a bug is not hidden."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.voices import load_voice
from workbench.ui.look import panels

UI = Path(__file__).resolve().parents[2] / "workbench" / "ui"


def page(kind: str) -> None:
    import streamlit as st

    from workbench.engine import errors
    from workbench.engine.runs.paths import run_folder
    from workbench.ui.fragments import fragment

    @fragment
    def part() -> None:
        if kind == "missing":
            run_folder("20261123-071500-a1b2c3")
        raise errors.AudioError("It is silent.", remedy="Speak up.") if kind == "wrong" else ValueError("a bug")

    part()
    st.text("the rest")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "This run is no longer there. It may have been deleted; see the list of runs."),
        ("wrong", "It is silent. Speak up."),
    ],
)
def test_an_error_is_said_in_the_place_of_the_part(kind: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "workbench.ui"):
        at = AppTest.from_function(page, args=(kind,)).run()
    assert [box.value for box in (*at.warning, *at.error)] == [said]
    assert not at.exception and at.text[0].value == "the rest"
    (line,) = [record for record in caplog.records if record.name == "workbench.ui"]
    assert line.exc_info is None and "\n" not in line.getMessage()


def test_a_bug_keeps_its_traceback() -> None:
    assert AppTest.from_function(page, args=("bug",)).run().exception[0].message == "a bug"


def test_every_part_of_every_page_is_made_this_way() -> None:
    assert [p.name for p in UI.rglob("*.py") if "st.fragment" in p.read_text("utf-8")] == ["fragments.py"]


def test_a_run_that_is_deleted_while_one_looks_at_it_is_said_to_be_gone(
    open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_engine.run("One two.", load_voice("nature-en"), SynthesisSettings(nfe_step=2))
    store.save_run(run)
    draw = panels.of

    def delete_and_draw(*args: Any) -> Any:
        if any(one.id == run.id for one in store.list_runs()):
            store.delete_run(run.id)
        return draw(*args)

    monkeypatch.setattr(panels, "of", delete_and_draw)
    at = open_page("spectrograms", run=run.id)
    assert any("This run is no longer there." in box.value for box in at.warning)
