"""Two evaluations are compared by pairs: a run with itself does not differ, and what differs is said by how much."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.errors import RunError
from workbench.engine.evaluation import Evaluation, compare
from workbench.engine.evaluation.report import write_comparison

Open = Callable[..., Evaluation]


def results(folder: Path, values: dict[str, dict[str, float]], **more: Any) -> Path:
    """An evaluation on disk with the given id to measures, ten words each unless said otherwise."""
    words = more.pop("words", {})
    rows = [{"id": key, "text": f"text of {key}", "values": row, "run": "", "reference_words": words.get(key, 10),
             "reference_characters": 50} for key, row in values.items()]  # fmt: skip
    measured = dict.fromkeys(name for row in values.values() for name in row)
    document = {"version": 1, "name": folder.name, "model": "tiny", "settings": {"nfe_step": 1}, "load": {},
                "recognisers": ["whisper-base"], "measures": measured, "n_failed": 0, "utterances": rows,
                "weights": [], "devices": []}  # fmt: skip
    document |= more
    folder.mkdir()
    (folder / "evaluation.json").write_text("{}")
    (folder / "results.json").write_text(json.dumps(document))
    return folder


def test_an_evaluation_does_not_differ_from_itself(opened: Open) -> None:
    evaluation = opened(*(f"Some words of mine, {word}." for word in "abcdefgh"))
    evaluation.run()
    found = compare(evaluation.folder, evaluation.folder)
    assert found["n_common"] == 8 and not found["differs"] and not found["left_out"]
    assert {"rtf", "voiced_percent"} <= found["measures"].keys()
    assert {m["verdict"] for m in found["measures"].values()} == {"no difference seen"}
    assert all(m["interval"] == (0, 0) for m in found["measures"].values())


def test_two_settings_are_told_apart(opened: Open) -> None:
    texts = [f"Some words of mine, {word}." for word in "abcdefgh"]
    one, two = (opened(*texts, steps=steps, out=f"steps{steps}", measures=("ode_seconds",)) for steps in (1, 8))
    one.run(), two.run()
    found = compare(one.folder, two.folder)
    assert found["differs"] == {"nfe_step": [1, 8]} and found["n_common"] == 8
    assert found["measures"]["ode_seconds"]["verdict"].startswith("A is better by")


@pytest.mark.parametrize(("name", "step", "verdict"), [
    ("wer_percent", 5.0, "A is better by 5.0 %"), ("wer_percent", -5.0, "B is better by 5.0 %"),
    ("dnsmos_overall", 0.5, "B is better by 0.50 MOS"), ("median_f0_hz", -3.0, "B is lower by 3 Hz"),
    ("wer_percent", 0.0, "no difference seen"),
])  # fmt: skip
def test_it_says_which_is_better_and_by_how_much(tmp_path: Path, name: str, step: float, verdict: str) -> None:
    a = {f"u{k}": {name: 20.0 + k} for k in range(12)}
    b = {key: {name: row[name] + step} for key, row in a.items()}
    found = compare(results(tmp_path / "a", a), results(tmp_path / "b", b))
    m = found["measures"][name]
    assert m["verdict"] == verdict and m["difference"] == pytest.approx(step) and m["n"] == 12
    assert m["pooled"] == (name == "wer_percent")


def test_noise_is_no_difference(tmp_path: Path) -> None:
    a = {f"u{k}": {"wer_percent": 10.0 + k} for k in range(12)}
    b = {f"u{k}": {"wer_percent": 10.0 + k + (-1) ** k * 3} for k in range(12)}
    found = compare(results(tmp_path / "a", a), results(tmp_path / "b", b))
    assert found["measures"]["wer_percent"]["verdict"] == "no difference seen"


def test_wer_is_compared_as_errors_over_words(tmp_path: Path) -> None:
    a = {"long": {"wer_percent": 10.0}, "short": {"wer_percent": 100.0}}
    b = {"long": {"wer_percent": 0.0}, "short": {"wer_percent": 100.0}}
    words = {"long": 90, "short": 10}
    found = compare(results(tmp_path / "a", a, words=words), results(tmp_path / "b", b, words=words))
    m = found["measures"]["wer_percent"]
    assert (m["a"], m["b"]) == (pytest.approx(19), pytest.approx(10)) and m["verdict"].startswith("too few utterances")
    assert any("sums of errors over sums of words" in note for note in found["notes"])


def test_only_equal_texts_with_equal_ids_are_compared(tmp_path: Path) -> None:
    a = results(tmp_path / "a", {f"u{k}": {"rtf": 1.0} for k in range(9)})
    b = results(tmp_path / "b", {f"u{k}": {"rtf": 1.0} for k in range(2, 12)})
    document = json.loads((b / "results.json").read_text())
    document["utterances"][0]["text"] = "another text"
    (b / "results.json").write_text(json.dumps(document))
    found = compare(a, b)
    assert found["n_common"] == 6 and found["left_out"] == ["u0", "u1", "u10", "u11", "u2", "u9"]
    with pytest.raises(RunError, match="no utterance in common"):
        compare(a, results(tmp_path / "c", {"other": {"rtf": 1.0}}))


def test_another_recogniser_is_said(tmp_path: Path) -> None:
    values = {f"u{k}": {"wer_percent": 1.0} for k in range(8)}
    other = results(tmp_path / "b", values, recognisers=["whisper-tiny"])
    found = compare(results(tmp_path / "a", values), other)
    assert any("Different recognisers" in note for note in found["notes"])


def test_a_measure_that_is_unknown_here_is_left_out(tmp_path: Path) -> None:
    values = {f"u{k}": {"beauty": 1.0, "rtf": 1.0} for k in range(8)}
    found = compare(results(tmp_path / "a", values), results(tmp_path / "b", values))
    assert list(found["measures"]) == ["rtf"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 99}', '{"version": 1, "utterances": [{"id": 3}]}',
                                     '{"version": 1, "utterances": [{"values": {"rtf": "x"}}]}'])  # fmt: skip
def test_damaged_and_newer_results_end_in_one_line(tmp_path: Path, content: str) -> None:
    a = results(tmp_path / "a", {"u": {"rtf": 1.0}})
    (a / "results.json").write_text(content)
    with pytest.raises(RunError):
        compare(a, a)
    with pytest.raises(RunError, match="no evaluation"):
        compare(a, tmp_path)


def test_a_comparison_is_written_for_people_and_programs(tmp_path: Path) -> None:
    a = results(tmp_path / "a <b>", {f"u{k}": {"rtf": 1.0, "peak_dbfs": -3.0} for k in range(8)})
    b = results(tmp_path / "b|c", {f"u{k}": {"rtf": 2.0 + k, "peak_dbfs": -3.0} for k in range(8)})
    found = compare(a, b)
    write_comparison(tmp_path / "out", found)
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == json.loads(json.dumps(found))
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "a &lt;b&gt;" in page and "A is better by" in page and page.count("<svg") == 2
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert "b\\|c" in text and "no difference seen" in text
