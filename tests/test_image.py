"""The steps of the Dockerfile are read and run as a builder does; where roots can be made, real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import image
from tests.server import ROOT

TEXT = """\
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
# a comment
RUN one \\
 && two
ENV A=/x B="$A:/y"
"""


def test_steps_join_lines_and_skip_comments() -> None:
    assert list(image.steps(TEXT)) == [
        ("ARG", "PYTHON=3.11"),
        ("FROM", "python:${PYTHON}-slim AS build"),
        ("RUN", "one   && two"),
        ("ENV", 'A=/x B="$A:/y"'),
    ]


def test_every_instruction_of_the_dockerfile_is_known() -> None:
    for instruction, _ in image.steps((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        assert hasattr(image.Builder, f"_{instruction.lower()}"), instruction


def test_variables_are_filled_in() -> None:
    assert image.filled("a ${B}:$C$D", {"B": "b", "C": "c"}) == "a b:c"


@pytest.mark.parametrize(
    ("source", "is_allowed"), [("workbench", True), ("cache", True), ("cache/hub", False), ("tests", False)]
)
def test_the_context_is_what_dockerignore_allows(source: str, is_allowed: bool) -> None:
    assert image.allowed((ROOT / ".dockerignore").read_text(encoding="utf-8"), source) is is_allowed


def build(text: str, tmp_path: Path, **given: str) -> image.Stage:
    (tmp_path / "base" / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return image.Builder(text, tmp_path / "base", tmp_path / "work", given, []).build()


def test_files_are_copied_from_the_context_and_from_other_stages(tmp_path: Path) -> None:
    stage = build(
        "FROM x AS one\nWORKDIR /source\nCOPY LICENSE README.md ./\nCOPY workbench/cli workbench/cli\n"
        "FROM x\nCOPY --from=one /source /opt/all\nUSER 10001\n",
        tmp_path,
    )
    assert sorted(path.name for path in (stage.root / "opt/all").iterdir()) == ["LICENSE", "README.md", "workbench"]
    assert (stage.root / "opt/all/workbench/cli/synth.py").is_file() and stage.user == "10001"
    assert not list(stage.root.rglob("__pycache__"))
    with pytest.raises(SystemExit, match="not in the context"):
        build("FROM x\nCOPY tests /tests\n", tmp_path / "other")


def test_arguments_and_the_environment_reach_later_steps(tmp_path: Path) -> None:
    stage = build('ARG A=1\nFROM x\nARG B=2\nENV C=${A}${B} D="$C!"\nCMD ["app"]\n', tmp_path, B="3")
    assert stage.environment["C"] == "13" and stage.words == {"CMD": ["app"]}


def test_the_trial_is_without_rights_network_or_a_writable_root(tmp_path: Path) -> None:
    stage = build('FROM x\nUSER 10001\nENTRYPOINT ["w"]\nCMD ["app"]\nHEALTHCHECK CMD ["true"]\n', tmp_path)
    script = image.trial(stage)
    command = " ".join(image.contained(stage, script))
    assert "--net" in command and "remount,bind,ro" in command and "--userspec=10001:10001" in command
    assert "w synth Hello." in script and "w app" in script and "touch /opt/probe" in script
