"""Make the teacher's editions of the lessons: ``python scripts/lessons.py FOLDER``.

The lessons in notebooks/ are the learners' edition. From them, ``solutions/`` and ``teaching/`` this makes

- FOLDER/instructor/: each lesson with solutions, hidden checks, usual wrong answers, and what to do in which minute;
- FOLDER/source/ and FOLDER/nbgrader_config.py: a course for nbgrader. ``nbgrader generate_assignment 01_first_speech``
  there makes the edition without solutions and hidden checks, ``nbgrader autograde`` marks what comes back.

``--run`` runs the instructor's edition, which proves it, and adds the seconds that each part took on this machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CONFIG = """# Made by scripts/lessons.py. Run nbgrader in this folder.
c = get_config()
c.CourseDirectory.course_id = "f5tts-workbench"
c.ClearSolutions.code_stub = {"python": ""}  # the three dots above it are the learner's place
c.ExecutePreprocessor.timeout = 600  # seconds; a cell may train a network
"""
_PART = re.compile(r"^\| (\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
Notebook = dict[str, Any]


def parts_of(path: Path) -> dict[str, list[str]]:
    """Return what stands below each ``# %% title`` of a file of solutions or of teaching, by title."""
    found: dict[str, list[str]] = {}
    for part in path.read_text(encoding="utf-8").split("\n# %% ")[1:]:
        title, _, code = part.partition("\n")
        found.setdefault(title.strip(), []).append(code.strip())
    return found


def notes_of(stem: str) -> tuple[dict[str, tuple[int, str]], str]:
    """Return (minutes, words) for each part of a lesson, by its heading, and what stands below the table."""
    text = (NOTEBOOKS / "teaching" / f"{stem}.md").read_text(encoding="utf-8")
    rows = {part.strip(): (int(minutes), words) for minutes, part, words in _PART.findall(text)}
    return rows, text.rpartition("|\n")[2].strip()


def markdown(name: str, text: str) -> Notebook:
    """Return a cell of text."""
    return {"cell_type": "markdown", "id": name, "metadata": {"tags": ["teacher"]}, "source": text}


def code(name: str, text: str, metadata: dict[str, Any]) -> Notebook:
    """Return a cell of code, not yet run."""
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": text,
            "outputs": [], "execution_count": None}  # fmt: skip


def exercise_of(cell: Notebook) -> tuple[str, str]:
    """Return ("exercise" or "check", number) of a cell that has such a tag; ("", "") for others."""
    for tag in cell["metadata"].get("tags", ()):
        kind, _, number = tag.partition("-")
        if kind in ("exercise", "check") and number.isdigit():
            return kind, number
    return "", ""


def read(stem: str) -> tuple[Notebook, dict[str, list[str]], dict[str, list[str]]]:
    """Return a lesson with its sources as text, its solutions and its teaching."""
    book: Notebook = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"])
    return book, parts_of(NOTEBOOKS / "solutions" / f"{stem}.py"), parts_of(NOTEBOOKS / "teaching" / f"{stem}.py")


def instructor(stem: str) -> Notebook:
    """Return the instructor's edition of a lesson."""
    book, solutions, teaching = read(stem)
    notes, troubles = notes_of(stem)
    cells: list[Notebook] = []
    for cell in book["cells"]:
        kind, number = exercise_of(cell)
        if kind == "exercise":
            cell = copy.deepcopy(cell) | {"source": solutions[f"exercise-{number}"][0]}
        cells.append(cell)
        if not cells[1:]:
            total = sum(minutes for minutes, _ in notes.values())
            cells.append(markdown("teacher-plan", f"> **Teacher · {total} minutes.** Notes for each part follow its "
                                  f"heading.\n\n{troubles}"))  # fmt: skip
        for heading in (
            re.findall(r"^## (.+)$", cell["source"], re.MULTILINE) if cell["cell_type"] == "markdown" else ()
        ):
            minutes, words = notes[heading]
            cells.append(markdown(f"teacher-part-{len(cells)}", f"> **Teacher · {minutes} minutes.** {words}"))
        if kind == "check":
            cells.append(code(f"hidden-{number}", teaching[f"hidden-{number}"][0], {"tags": [f"hidden-{number}"]}))
            wrong = "\n".join(teaching[f"wrong-{number}"])
            cells.append(markdown(f"teacher-wrong-{number}",
                                  f"> **Teacher · usual wrong answers**, which the hidden checks refuse:\n\n"
                                  f"```python\n{wrong}\n```"))  # fmt: skip
    return book | {"cells": cells}


def nbgrader(grade_id: str, **is_so: Any) -> dict[str, Any]:
    """Return the metadata by which nbgrader knows a cell."""
    flags = {"grade": False, "solution": False, "locked": False, "task": False} | is_so
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, "cell_type": "code"} | flags}


def course(stem: str) -> Notebook:
    """Return a lesson as nbgrader's source: after each exercise its check, and a cell with hidden tests, one point."""
    book, solutions, teaching = read(stem)
    cells: list[Notebook] = []
    for cell in book["cells"]:
        kind, number = exercise_of(cell)
        if kind == "exercise":
            solved = solutions[f"exercise-{number}"][0]
            source = f"{cell['source']}\n### BEGIN SOLUTION\n{solved}\n### END SOLUTION"
            cell = code(cell["id"], source, nbgrader(f"exercise-{number}", solution=True))
        elif kind == "check":
            cell = code(cell["id"], cell["source"], nbgrader(f"check-{number}", locked=True))
        else:
            cell = cell | {"source": cell["source"].replace(" Solutions are in `solutions/`.", "")}
        cells.append(cell)
        if kind == "check":
            hidden = teaching[f"hidden-{number}"][0]
            source = (
                f'assert answer_{number} is not ..., "not answered yet"\n'
                f"### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
            )
            cells.append(code(f"test-{number}", source, nbgrader(f"test-{number}", grade=True, locked=True, points=1)))
    return book | {"cells": cells}


def run(book: Notebook) -> Notebook:
    """Run a notebook in a home of its own; return it with its outputs, and seconds in the notes of its parts."""
    import nbformat
    from nbclient import NotebookClient

    node = nbformat.from_dict(book)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"WORKBENCH_HOME": home, "PYTHONPATH": str(ROOT)}
        NotebookClient(node, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    note = None
    for cell in node.cells:
        if cell.cell_type == "markdown" and cell.id.startswith("teacher-part"):
            note, spent = cell, 0.0
        times = cell.metadata.pop("execution", {})
        if note is not None and "iopub.execute_input" in times and "shell.execute_reply" in times:
            began, ended = (datetime.fromisoformat(times[key].replace("Z", "+00:00"))
                            for key in ("iopub.execute_input", "shell.execute_reply"))  # fmt: skip
            spent += (ended - began).total_seconds()
            note.source = re.sub(r" \*Running took .*\*$", "", note.source) + f" *Running took {spent:.1f} s here.*"
    return dict(node)


def main() -> None:
    """Write the editions of all lessons, or of those whose numbers are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("numbers", nargs="*", help="such as 01; all lessons if none is given")
    parser.add_argument("--run", action="store_true", help="run the instructor's edition and time its parts")
    given = parser.parse_args()
    stems = [path.stem for path in sorted(NOTEBOOKS.glob("0*.ipynb"))]
    for stem in (stem for stem in stems if stem.startswith(tuple(given.numbers or ["0"]))):
        taught = instructor(stem)
        for place, book in (
            (given.folder / "instructor", run(taught) if given.run else taught),
            (given.folder / "source" / stem, course(stem)),
        ):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{stem}.ipynb").write_text(
                json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        sys.stdout.write(f"{stem}\n")
    (given.folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")


if __name__ == "__main__":
    main()
