"""``workbench bench``: each command with the tiny engine; the last line is one JSON document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.cli import bench


@pytest.fixture
def tiny_subject(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command measures the tiny engine."""
    monkeypatch.setattr(bench, "_subject", lambda *args: (tiny_engine, voice))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scale", "--largest", "2"), "a chunk costs the same within"),
        (("edit", "--chunks", "3"), "editing one of 3 chunks costs"),
        (("observe", "--chunks", "1"), "being watched costs"),
    ],
)
def test_each_ends_in_a_document(tiny_subject: None, call: Any, tmp_path: Path, words: Any, said: str) -> None:
    common = ("--nfe-step", "1", "--rounds", "1")
    code, out, err = call("bench", *words, *common, "--markdown", "--html", "page.html")
    lines = out.strip().splitlines()
    assert code == 0 and json.loads(lines[-1])["benchmark"] == words[0] and "round 1/1" in err
    assert said in out and lines[0] == "| what | value |"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    code, out, _ = call("bench", *words, *common, "--json")
    assert code == 0 and len(out.strip().splitlines()) == 1


def test_a_page_that_cannot_be_written_is_said_before_the_work(call: Any) -> None:
    code, _, err = call("bench", "app", "--html", "no/such/folder/page.html")
    assert code == 2 and len(err.strip().splitlines()) == 1
