"""The README names every installed package with a licence narrower than the project's."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.engine.checks import doctor

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
    assert {canonicalize_name(name) for name in doctor._NARROW_LICENCES} == narrow
    told = (ROOT / "README.md").read_text("utf-8").split("## Licences")[1].lower()
    assert {name for name in narrow if f"`{name}`" not in told} == set(), {name: _terms(name) for name in narrow}
