"""Lines of the program that lessons show: each is there now, and one that is gone is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.classroom.code import CodeLine, LineGone, find
from workbench.classroom.lessons import LESSONS
from workbench.classroom.stops import STOPS

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [*(stop.code for stop in STOPS), *(line for lesson in LESSONS for line in lesson.code)]


@pytest.mark.parametrize("wanted", SHOWN, ids=lambda line: f"{line.module}.{line.name}")
def test_every_line_stands_where_it_is_said_to_be(wanted: CodeLine) -> None:
    found = find(wanted)
    assert wanted.has in (ROOT / found.path).read_text(encoding="utf-8").splitlines()[found.line - 1]
    assert wanted.has in found.source.splitlines()[found.line - found.first]
    assert found.place == f"{found.path}:{found.line}"


def test_a_line_that_is_gone_is_an_error() -> None:
    with pytest.raises(LineGone, match="no line with"):
        find(CodeLine("workbench.engine.timing", "Timeline.span", "as it was last year", ""))
    with pytest.raises(LineGone, match=r"has no Timeline\.forget"):
        find(CodeLine("workbench.engine.timing", "Timeline.forget", "x", ""))
