"""``workbench evaluate``: one JSON document or tables, warnings on standard error, and comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.helpers import last_json
from tests.engine.evaluation.conftest import write_csv, write_recording

QUICK = ("--model", "tiny", "--nfe-step", "1", "--device", "cpu", "--measures", "voiced_percent")


@pytest.fixture
def csv(tiny_home: Path, tmp_path: Path) -> Path:
    return write_csv(tmp_path / "set.csv", *(f"Words of mine, {word}." for word in "abcdefgh"))


def test_a_list_is_evaluated_resumed_listed_and_compared(call, csv: Path, tmp_path: Path) -> None:
    code, out, _ = call("evaluate", csv, *QUICK, "--out", tmp_path / "one", "--json")
    document = last_json(out)
    assert code == 0 and document["n_spoken"] == 8 and document["out"] == str(tmp_path / "one")
    assert {p.name for p in (tmp_path / "one").iterdir()} >= {
        "evaluation.json", "results.json", "results.csv", "results.parquet", "report.md", "report.html",
    }  # fmt: skip
    code, out, err = call("evaluate", csv, *QUICK, "--out", tmp_path / "one")
    assert code == 0 and "0 of 8 utterances to speak" in out and "8 of 8 utterances" in out and not err
    code, out, _ = call("evaluate", csv, *QUICK, "--json")
    assert code == 0
    code, out, _ = call("evaluate", "--json")
    assert [e["name"] for e in last_json(out)["evaluations"]] == ["set tiny"]
    code, out, _ = call("evaluate")
    assert code == 0 and "8 of 8" in out
    code, out, _ = call("evaluate", "--compare", "set tiny", "set tiny", "--out", tmp_path / "pair")
    assert code == 0 and "no difference seen" in out and "no setting differs" in out
    assert (tmp_path / "pair" / "comparison.html").is_file()
    code, out, _ = call("evaluate", "--compare", tmp_path / "one", "set tiny", "--json")
    assert code == 0 and last_json(out)["measures"]["voiced_percent"]["verdict"] == "no difference seen"


def test_skipped_lines_and_failures_are_named(call, tiny_home: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "a.wav")
    lines = ["a|Some words.|a.wav|Hello.", "b|Some words.|none.wav|Hello.", "c|Some words.|a.wav|漢字だけ"]
    (tmp_path / "meta.lst").write_text("\n".join(lines), encoding="utf-8")
    code, out, err = call("evaluate", tmp_path / "meta.lst", *QUICK, "--json")
    document = last_json(out)
    assert code == 1 and (document["n_spoken"], document["n_failed"], document["n_skipped"]) == (1, 1, 1)
    assert "line 2 is skipped: there is no recording 'none.wav'" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.csv",), "cannot be read"),
        (("demo", "--measures", "beauty"), "There is no measure 'beauty'"),
        (("demo", "--layout", "toml"), "There is no layout 'toml'"),
        (("demo", "--executor", "none"), "There is no executor 'none'"),
        (("demo", "--model", "none"), "none"),
        (("demo", "--compare", "a", "b"), "exclude each other"),
        (("--compare", "a", "b"), "There is no evaluation 'a'"),
        (("demo", "--nfe-step", "0"), "nfe_step is 0"),
    ],
)
def test_mistakes_end_in_one_line(call, words: tuple[str, ...], message: str) -> None:
    code, out, err = call("evaluate", *words)
    assert code == 2 and not out and message in err and len(err.strip().splitlines()) == 1
