"""The Loading lab without a browser: choosing cells, the calculator, the two threads, and how results are shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.ui.helpers import html_of, until
from workbench.figures.lab import WAIT_COLOUR, lab_timeline, stages_of
from workbench.lab import kept
from workbench.lab.strategies import BUG, OURS, STRATEGIES
from workbench.ui.lab import view


def spans(*named: tuple[str, float]) -> list[dict[str, Any]]:
    """Spans of these names and lengths, one after the other."""
    found, at = [], 0.0
    for name, seconds in named:
        found.append({"name": name, "start_seconds": at, "seconds": seconds, "chunk_index": None})
        at += seconds
    return found


def cell(strategy: str = BUG, state: str = "finished", **more: Any) -> dict[str, Any]:
    made = spans(("import", 2.0), ("resolve", 6.0), ("ode", 1.0))
    numbers = {"total_seconds": 9.5, "import_seconds": 2.0, "network_wait_seconds": 6.0, "load_seconds": 0.1,
               "synthesis_seconds": 1.0, "loads": 3, "requests": 6, "server_requests": 6, "timeouts": 6,
               "idle_share": 0.66}  # fmt: skip
    return {"strategy": strategy, "network": "blackhole", "state": state, "spans": made, **numbers, **more}


def test_the_cells_are_chosen_and_their_cost_foretold(open_page: Any) -> None:
    at = open_page("loading_lab")
    told = [c.value for c in at.caption]
    assert any("2 processes" in t and "About 12 s" in t for t in told)  # 3 chunks x 2 files x 2 s
    at.button_group(key="lab_strategies").set_value(list(STRATEGIES)).run()
    # the bug's 6 questions, three times 3, and none
    assert any("5 processes" in c.value and "About 30 s will" in c.value for c in at.caption)
    at.button_group(key="lab_networks").set_value(["offline", "answering"]).run()
    assert any("10 processes" in c.value and "waiting" not in c.value for c in at.caption)
    assert any(re.search(r"About \d+ s in all", c.value) for c in at.caption)
    assert not at.exception


def test_nothing_chosen_is_said_and_cannot_be_measured(open_page: Any) -> None:
    at = open_page("loading_lab")
    at.button_group(key="lab_networks").set_value([]).run()
    assert "There is no network" in at.warning[0].value
    assert at.button(key="lab_go").disabled
    at.button_group(key="lab_networks").set_value(["slow"]).run()
    at.text_area(key="lab_text").set_value("...").run()
    assert at.button(key="lab_go").disabled and not at.exception


def test_the_calculator_multiplies(open_page: Any) -> None:
    at = open_page("loading_lab")
    at.number_input(key="calc_chunks").set_value(7).run()
    assert at.metric[0].value == "140 s"
    at.number_input(key="calc_files").set_value(3).run()
    assert at.metric[0].value == "210 s"


def test_the_source_is_named_with_its_figures(open_page: Any) -> None:
    text = " ".join(m.value for m in open_page("loading_lab").markdown)
    for part in ("https://github.com/SWivid/F5-TTS/issues/75", "RTX 2080 Ti", "more than 2 minutes", "25 seconds"):
        assert part in text


def test_two_threads_on_the_page(open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.lab.two_threads.demo_cfm", lambda: tiny_engine.loaded.cfm)
    at = open_page("loading_lab")
    at.button(key="lab_threads").click().run()
    until(at, lambda page: "Sizes of tensors must match" in html_of(page))
    assert "the other&#x27;s words" in html_of(at)
    assert any("with the lock" in c.value for c in at.caption)
    assert "text_uncond" in at.code[0].value


def test_the_guilty_line_is_marked_and_no_other() -> None:
    shown = view.code_html(STRATEGIES[BUG])
    marked = [line for line in shown.split("<div") if 'class="guilty"' in line]
    assert len(marked) == 1 and "Vocos.from_pretrained" in marked[0]
    assert 'class="guilty' not in view.code_html(STRATEGIES[OURS])


def test_the_table_says_what_was_counted_or_why_not() -> None:
    shown = view.table_html([cell(), cell(OURS, "stopped at the limit")])
    assert "<td>6.00</td>" in shown and "<td>66%</td>" in shown
    total, *parts = map(float, re.findall(r"<td>(\d+\.\d\d)</td>", shown))
    assert len(parts) == 5 and total == pytest.approx(sum(parts))  # import, Hub, load, speech, other
    assert "stopped at the limit" in shown
    assert "&lt;script&gt;" in view.table_html([cell(state="failed: <script>")])


def test_a_bar_and_the_process_under_it() -> None:
    utilisation = [{"seconds": k, "process_cpu_percent": 50.0, "gpu_percent": None} for k in range(9)]
    figure = lab_timeline([cell(utilisation=utilisation), cell(OURS)], 9.0)
    bars = [t for t in figure.data if t.type == "bar"]
    assert len(bars) == 6 and sum(bars[1].x) == 6.0 and bars[1].marker.color == WAIT_COLOUR
    (flat,) = [t for t in figure.data if t.type == "scatter"]
    assert list(flat.x) == list(range(9))
    assert {a.text for a in figure.layout.annotations} == {"<b>9.5 s</b>"}
    assert [title for title, _ in stages_of([cell()])] == ["import", "waiting for the Hub", "ODE"]


def _document() -> dict[str, Any]:
    one = cell() | {"log": ["a line"], "utilisation": []}
    return {
        "cells": [one, one | {"strategy": OURS}], "ratios": {"blackhole": 1.14}, "run_ratios": {"blackhole": 5.5},
        "runs": 1, "model": "demo-voice", "n_chunks": 3, "timeout_seconds": 2, "random_weights": False,
        "weights_bytes": 28_000_000, "nfe_step": 5, "text_chars": 169,
    }  # fmt: skip


def test_a_measurement_is_shown_again_after_a_reload_and_a_restart(open_page: Any, _own_home: Path) -> None:
    kept.save("20261126-101112-00abcdef01234", _document())
    kept.save("20261127-101112-00abcdef01234", _document())
    assert kept.names()[0].startswith("20261127")
    at = open_page("loading_lab")
    assert not [m for m in at.metric if "Bug / ours" in m.label]  # nothing is shown unasked
    at.selectbox(key="lab_chosen").select("20261126-101112-00abcdef01234").run()
    (ratio,) = (m.value for m in at.metric if m.label == "Bug / ours, blackhole")
    assert ratio == "5.50×"  # from the request to the sound, as in the issue; the whole process is told beside it
    assert any("1.14×" in c.value for c in at.caption)
    again = open_page("loading_lab", lab="20261127-101112-00abcdef01234")
    assert any(m.value == "5.50×" for m in again.metric)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cells": 3}'])
def test_a_damaged_measurement_is_told(open_page: Any, _own_home: Path, content: str) -> None:
    name = "20261127-101112-00abcdef01234"
    place = kept.save(name, _document())
    text = json.dumps(_document() | json.loads(content)) if content.startswith('{"') else content
    place.write_text(text, encoding="utf-8")
    at = open_page("loading_lab", lab=name)
    assert len(at.error) == 1 and ("damaged" in at.error[0].value or "not a measurement" in at.error[0].value)
    hostile = open_page("loading_lab", lab="../../etc/passwd")
    assert "There is no measurement" in hostile.error[0].value
