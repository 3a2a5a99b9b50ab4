"""The lessons: each runs offline from top to bottom, its exercises can be solved, and its assertions can fail."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.notebooks.runner import NOTEBOOKS, Session, names, read, solutions, tagged, taught

if TYPE_CHECKING:
    from nbformat import NotebookNode

LIMIT_SECONDS = 180  # on two idle cores
PLOTLY = "application/vnd.plotly.v1+json"
# a path or a name that only one machine has
_ONE_MACHINE = re.compile(r"/(?:home|root|work|Users|tmp|mnt|opt|media)/|[A-Z]:\\|\b(?:cuda:\d|laptop|my computer)\b")

# notebook: cell to change, what in it, into what, and the cell that must fail then
CHANGES = {
    "01": ("assert-seed", "settings.replace(seed=2)", "settings", "assert-seed"),
    "02": ("measure-steps", "nfe_step=16", "nfe_step=4", "assert-steps"),
    "03": ("assert", "plan.timeout_seconds)", "10)", "assert"),
    "04": ("assert-plan", "max_chunk_bytes=size", "max_chunk_bytes=90", "assert-plan"),
    "05": ("measure", "mel_spectrogram(sound)", "mel_spectrogram(sound[::2])", "assert"),
    "06": ("measure-grids", "sway_sampling_coef=-1.0", "sway_sampling_coef=1.0", "assert-grids"),
    "07": ("damage", "^ 1", "^ 0", "assert"),
    "08": (
        "assert-engine",
        "engine.run(text, voice, settings)",
        'engine.run("Else.", voice, settings)',
        "assert-engine",
    ),
    "09": ("assert", "curve[-1]", "curve[0]", "assert"),
}


def sources(book: NotebookNode) -> str:
    return "\n".join(cell.source for cell in book.cells)


def tags_of(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def test_there_are_nine_numbered_from_one() -> None:
    assert [name[:3] for name in names()] == [f"0{k}_" for k in range(1, 10)]


@pytest.mark.parametrize("name", names())
def test_nothing_of_a_run_or_a_machine_is_stored(name: str) -> None:
    book = read(name)
    for cell in book.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None, "an output is stored"
        assert set(cell.metadata) <= {"tags"}
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert book.metadata.kernelspec.name == "python3"
    found = _ONE_MACHINE.search(sources(book) + "".join(solutions(name).values()))
    assert found is None, f"a word of one machine: {found}"


@pytest.mark.parametrize("name", names())
def test_opens_with_question_time_and_aim_and_ends_with_exercises(name: str) -> None:
    book = read(name)
    for promise in ("**Question:**", "**Time:**", "**At the end you can say**"):
        assert promise in book.cells[0].source
    tags = [tag for cell in book.cells for tag in tags_of(cell)]
    exercises = [tag for tag in tags if tag.startswith("exercise-")]
    assert 2 <= len(exercises) <= 3
    assert [tag.replace("exercise", "check") for tag in exercises] == [t for t in tags if t.startswith("check-")]
    assert list(solutions(name)) == exercises
    assert all("..." in tagged(book, tag) for tag in exercises), "an exercise is stored with its answer"
    assert re.search(r"^\s*assert ", sources(book), re.MULTILINE)


@pytest.mark.notebook
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", names())
def test_runs_offline_can_be_solved_and_can_fail(name: str, tmp_path: Path) -> None:
    """One kernel: the notebook as it stands; each exercise unanswered, wrong, then solved; then a value is changed."""
    book, answers, teaching = read(name), solutions(name), taught(name)
    changed, old, new, failing = CHANGES[name[:2]]
    assert old in tagged(book, changed)
    verdicts: list[str] = []

    with Session(book, tmp_path) as session:

        def after(cell: NotebookNode) -> None:
            for tag in tags_of(cell):
                if tag.startswith("check-"):
                    assert "not answered yet" in str(cell.outputs)
                    (hidden,) = teaching[tag.replace("check", "hidden")]
                    for wrong in teaching[tag.replace("check", "wrong")]:
                        assert not session.more(wrong).error, f"the wrong answer itself fails: {wrong}"
                        assert session.more(hidden).error, f"the hidden checks let it pass: {wrong}"
                    assert not session.more(answers[tag.replace("check", "exercise")]).error
                    outcome = session.more(hidden)
                    assert not outcome.error, f"the hidden checks refuse the solution: {outcome.text}"
                    outcome = session.more(cell.source)
                    verdicts.append(outcome.text.strip())
                if tag == failing and name.startswith("07"):  # its files are gone at the end
                    expect_failure()

        def expect_failure() -> None:
            different = tagged(book, changed).replace(old, new)
            before = session.more(different)
            outcome = before if changed == failing else session.more(tagged(book, failing))
            assert outcome.error == "AssertionError", f"nothing failed: {outcome}"

        seconds = session.run(after)
        if not name.startswith("07"):
            expect_failure()
    assert verdicts and all(verdict.endswith("right") for verdict in verdicts), verdicts
    others = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert seconds < LIMIT_SECONDS * others, f"{seconds:.0f} s, on a machine {others:.1f} times as busy as it should be"
    check_figures(book)


def check_figures(book: NotebookNode) -> None:
    """Every Plotly figure is drawn by JupyterLab itself, without logo and without a way to a server."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            assert "cdn.plot.ly" not in str(output)
            if PLOTLY in output.get("data", {}):
                config = output.data[PLOTLY]["config"]
                assert config["displaylogo"] is False and config["showSendToCloud"] is False
                assert "plotlyServerURL" not in config


@pytest.mark.parametrize("name", names())
def test_every_exercise_has_hidden_checks_and_wrong_answers(name: str) -> None:
    numbers = [tag.removeprefix("exercise-") for tag in solutions(name)]
    teaching = taught(name)
    assert sorted(teaching) == sorted(f"{kind}-{k}" for k in numbers for kind in ("hidden", "wrong"))
    for k in numbers:
        assert len(teaching[f"hidden-{k}"]) == 1 and "assert " in teaching[f"hidden-{k}"][0]
        assert all("#" in wrong for wrong in teaching[f"wrong-{k}"]), "what is behind it is not said"


@pytest.mark.parametrize("folder", ["solutions", "teaching"])
def test_solutions_stand_apart(folder: str) -> None:
    assert sorted(path.stem for path in (NOTEBOOKS / folder).glob("*.py")) == names()
