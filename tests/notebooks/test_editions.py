"""The teacher's editions of the lessons: complete for the teacher, and nothing given away to learners."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts import lessons
from tests.notebooks.runner import names, read, solutions, taught

_ID = re.compile(r"[A-Za-z0-9_\-]+")  # of a cell, as nbgrader allows it
_REGION = r"### BEGIN {0}\n.*?\n### END {0}"


def _released(cell: dict[str, Any]) -> str:
    """The source of a cell as ``nbgrader generate_assignment`` leaves it."""
    for name in ("SOLUTION", "HIDDEN TESTS"):
        cell = cell | {"source": re.sub(_REGION.format(name), "", cell["source"], flags=re.DOTALL)}
    return str(cell["source"])


def _graded(book: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Grade id to (metadata of nbgrader, cell)."""
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: (cell["metadata"]["nbgrader"], cell)
        for cell in book["cells"]
        if "nbgrader" in cell["metadata"]
    }


def _validate(book: dict[str, Any]) -> None:
    """Raise unless ``book`` is a notebook."""
    import nbformat

    nbformat.validate(nbformat.from_dict(book))


@pytest.mark.parametrize("name", names())
def test_minutes_and_parts_are_those_of_the_lesson(name: str) -> None:
    notes, troubles = lessons.notes_of(name)
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    assert list(notes) == re.findall(r"^## (.+)$", text, re.MULTILINE)
    promised = re.search(r"\*\*Time:\*\* (\d+) minutes", text)
    assert promised and sum(minutes for minutes, _ in notes.values()) == int(promised[1])
    assert troubles.startswith("What may go wrong:") and troubles.count("\n- ") >= 2


@pytest.mark.parametrize("name", names())
def test_the_instructor_sees_everything(name: str) -> None:
    book = lessons.instructor(name)
    _validate(book)
    text = "\n".join(cell["source"] for cell in book["cells"])
    for solution in solutions(name).values():
        assert solution in text
    for parts in taught(name).values():
        assert all(part in text for part in parts)
    for minutes, words in lessons.notes_of(name)[0].values():
        assert f"**Teacher · {minutes} minutes.** {words}" in text
    assert "..." not in "".join(c["source"] for c in book["cells"] if lessons.exercise_of(c)[0] == "exercise")


@pytest.mark.parametrize("name", names())
def test_the_course_gives_nothing_away(name: str) -> None:
    book = lessons.course(name)
    _validate(book)
    cells = _graded(book)
    numbers = [tag.removeprefix("exercise-") for tag in solutions(name)]
    assert sorted(cells) == sorted(f"{kind}-{k}" for k in numbers for kind in ("exercise", "check", "test"))
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    for k in numbers:
        (exercise, answer), (check, _), (test, hidden) = (
            cells[f"{kind}-{k}"] for kind in ("exercise", "check", "test")
        )
        assert exercise["solution"] and not exercise["grade"] and not exercise["locked"]
        assert check["locked"] and not check["grade"] and not check["solution"]
        assert test["grade"] and test["locked"] and test["points"] == 1 and not test["solution"]
        assert solutions(name)[f"exercise-{k}"] in answer["source"]
        assert f"answer_{k} = ..." in _released(answer)
        assert _released(hidden).strip() == f'assert answer_{k} is not ..., "not answered yet"'
    for metadata, cell in cells.values():
        assert metadata["schema_version"] == 3 and metadata["cell_type"] == "code" == cell["cell_type"]
        assert _ID.fullmatch(metadata["grade_id"])
    released = "\n".join(_released(cell) for cell in book["cells"])
    assert "SOLUTION" not in released and "HIDDEN" not in released and "solutions/" not in released
    for solution in solutions(name).values():
        assert solution not in released
