"""The README and `workbench licences` name every installed package with a licence narrower than the project's."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.cli.helpers import last_json
from workbench.cli import main
from workbench.engine.catalog import list_entries
from workbench.engine.checks import licences

ROOT = Path(__file__).resolve().parents[1]
NARROW = re.compile(r"GPL|GNU|NonCommercial|-NC-", re.IGNORECASE)


def _come_along() -> set[str]:
    """Names of all that requirements.txt brings, whatever asked for it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    open_ones = [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
    found: set[str] = set()
    while open_ones:
        wanted = open_ones.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # not for this machine
            continue
        found.add(name)
        open_ones += [Requirement(line) for line in needs]
    return found


def _terms(name: str) -> str:
    about = distribution(name).metadata
    said = [about.get("License-Expression") or "", (about.get("License") or "").split("\n")[0]]
    return " ".join([*said, *(c for c in about.get_all("Classifier") or [] if c.startswith("License"))])


def test_narrower_licences_are_told() -> None:
    narrow = {name for name in _come_along() if NARROW.search(_terms(name))}
    assert {"encodec", "unidecode"} <= narrow
    assert {canonicalize_name(name) for name in licences.NARROW} == narrow
    told = (ROOT / "README.md").read_text("utf-8").split("## Licences")[1].lower()
    assert {name for name in narrow if f"`{name}`" not in told} == set(), {name: _terms(name) for name in narrow}


def test_the_command_lists_the_project_each_model_and_what_comes_along(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["licences", "--json"])
    rows = {row["name"]: row for row in last_json(capsys.readouterr().out)["licences"]}
    assert rows["f5tts-workbench"]["licence"] == "MIT" and rows["demo-voice"]["here"]
    assert rows["F5TTS_v1_Base"]["licence"] == "cc-by-nc-4.0" and not rows["F5TTS_v1_Base"]["here"]
    assert {spec.name for spec in list_entries()} < set(rows)
    installed = {name for name in licences.NARROW if licences.terms(name)}
    assert {"encodec", "Unidecode"} <= installed < set(rows)
    assert all((licences.terms(name) is not None) == (name in rows) for name in licences.OPTIONAL)
    assert all(row["licence"] and len(row["licence"].splitlines()) == 1 for row in rows.values())
    with pytest.raises(SystemExit):
        main(["licences"])
    assert "encodec" in capsys.readouterr().out
