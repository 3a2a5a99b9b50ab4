"""A report needs no network and no other file, shows its examples with their sound, and shows texts as they are."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine.evaluation import Evaluation
from workbench.engine.evaluation.report import drawing, examples, html, markdown
from workbench.engine.runs.store import delete_run, load_run

NASTY = 'Say "<script>alert(1)</script>", then | a pipe & more.'


class _Read(HTMLParser):
    """Tags with their attributes, and the texts, of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def made(opened: Callable[..., Evaluation]) -> tuple[Path, dict[str, Any]]:
    """Folder and results of an evaluation of six texts."""
    texts = (NASTY.replace('"', "'"), *(f"Some words of mine, {word}." for word in "abcde"))
    evaluation = opened(*texts, measures=("clipped_percent", "voiced_percent"))
    return evaluation.folder, evaluation.run()


def read(page: str) -> _Read:
    parser = _Read()
    parser.feed(page)
    return parser


def test_a_page_loads_nothing_from_anywhere(made: tuple[Path, dict[str, Any]]) -> None:
    page = (made[0] / "report.html").read_text(encoding="utf-8")
    found = read(page)
    assert "http:" not in page and "https:" not in page and "url(" not in page and "@import" not in page
    sources = [value or "" for _, attributes in found.tags for name, value in attributes.items()
               if name in ("src", "href", "srcset", "data", "action")]  # fmt: skip
    assert sources and all(source.startswith("data:audio/flac;base64,") for source in sources)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(tag for tag, _ in found.tags)
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    assert policy and policy.startswith("default-src 'none'")


def test_the_worst_examples_are_heard(made: tuple[Path, dict[str, Any]]) -> None:
    folder, document = made
    page = read((folder / "report.html").read_text(encoding="utf-8"))
    players = [a["src"] or "" for tag, a in page.tags if tag == "audio"]
    assert len(players) == examples.WORST
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(players[0].split(",")[1])), dtype="float32")
    worst = examples.worst(document)
    run = load_run(worst[0].row["run"])
    assert (
        rate == run.sample_rate and len(wave) == len(run.wave) and np.abs(wave - np.clip(run.wave, -1, 1)).max() < 1e-3
    )
    values = [e.value for e in worst]
    assert {e.measure for e in worst} == {"clipped_percent"} and values == sorted(values, reverse=True)


def test_texts_are_shown_as_they_are(made: tuple[Path, dict[str, Any]]) -> None:
    _, document = made
    (row,) = (row for row in document["utterances"] if "alert" in row["text"])
    fake = examples.Example("clipped_percent", row, 1.0)
    page = html.page(document, [fake])
    assert "<script" not in page and row["text"] in "".join(read(page).texts)
    text = markdown.text(document, [fake])
    assert "alert" in text and not re.search(r"(?<!\\)[<>]", text)
    for line in text.splitlines():
        if line.startswith("| u0"):
            assert line.replace("\\|", "").count("|") == 6


def test_a_page_has_a_histogram_for_each_measure(made: tuple[Path, dict[str, Any]]) -> None:
    folder, document = made
    page = read((folder / "report.html").read_text(encoding="utf-8"))
    assert sum(tag == "svg" for tag, _ in page.tags) == len(document["measures"]) == 3
    assert all(document["measures"][name]["about"] in "".join(page.texts) for name in document["measures"])


def test_a_deleted_run_and_too_many_sounds_leave_the_id_of_the_run(
    made: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, document = made
    worst = examples.worst(document)
    delete_run(worst[0].row["run"])
    page = html.page(document, worst)
    assert page.count("<audio") == examples.WORST - 1 and f"run {worst[0].row['run']}" in page
    monkeypatch.setattr(html, "SOUND_BYTES_MAX", len(examples.sound_of(worst[1].row["run"])) + 10)
    assert html.page(document, worst).count("<audio") == 1


@pytest.mark.parametrize(
    "values", [[1.0], [0.0] * 5, [1e-12, 2e-12], [5e20, 5e20], [float(k) for k in range(999)], [-3.0, 1e9]]
)
def test_any_values_have_a_histogram(values: list[float]) -> None:
    figure = read(drawing.histogram(values, 2))
    bars = [a for tag, a in figure.tags if tag == "rect"]
    assert 1 <= len(bars) <= 20
    for bar in bars:
        assert 0 <= float(bar["x"] or "") <= 280 and 0 <= float(bar["height"] or "") <= 120


@pytest.mark.parametrize("ends", [(0.0, 0.0), (-1.0, 2.0), (3.0, 4.0), (-4.0, -3.0)])
def test_any_interval_is_drawn_inside(ends: tuple[float, float]) -> None:
    figure = read(drawing.differences(sum(ends) / 2, ends, 2))
    assert all(0 <= float(a[x] or "") <= 280 for tag, a in figure.tags if tag == "line" for x in ("x1", "x2"))
