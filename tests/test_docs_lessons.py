"""Pages of the site that are made of lessons: what they show, how much, and when it is stale."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts import docs_lessons, lesson_code
from workbench.engine.signal.audio import to_bytes

ROOT = Path(__file__).resolve().parents[1]
DRAWING = {"data": {"application/vnd.plotly.v1+json": {"data": [{"y": [1]}], "layout": {"title": "</script>"}}}}
WIDGET = {"data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"}}
OPEN = {"data": {"text/html": ["<span>… not answered yet. Put your answer</span>"]}}
CELL = {"cell_type": "code", "source": ["x = 1\n", "x"]}
TITLE = {"cell_type": "markdown", "source": ["# 1 · Title"]}


def test_a_lesson_becomes_a_page_with_what_it_shows() -> None:
    picture, printed = {"data": {"image/png": "AAAA\n"}}, {"name": "stdout", "text": ["a <b>\n"]}
    table, warned = {"data": {"text/html": ["<table>", "</table>"]}}, {"name": "stderr", "text": "no"}
    run = {"cells": [TITLE, CELL | {"outputs": [DRAWING, WIDGET, picture, printed, table, warned, OPEN]}]}
    shown = docs_lessons.kept(run)
    page = docs_lessons.page({"cells": [TITLE, CELL]}, "notebooks/01.ipynb", shown, "a day")
    assert page.startswith("# 1 · Title\n") and "```python\nx = 1\nx\n```" in page and docs_lessons.PLOTLY in page
    assert "IntSlider" not in page and "answered" not in page and "<\\/script>" in page and page.count("</script>") == 2
    assert "base64,AAAA" in page and "<pre>a &lt;b&gt;\n</pre>" in page and "<table></table>" in page
    assert "no" not in re.sub(r"not", "", page.split("<table>")[1]) and "from a day." in page
    changed = {"cells": [TITLE, CELL | {"source": ["x = 2"]}]}
    assert docs_lessons.PLOTLY not in docs_lessons.page(changed, "", shown)


def test_the_page_of_lines_names_each_lesson_and_stop() -> None:
    page = lesson_code.page()
    for lesson in docs_lessons.NOTEBOOKS:
        assert f"]({lesson.stem}.md)" in page
    for place in re.findall(r"`([\w/]+\.py):(\d+)`", page):
        assert int(place[1]) <= len((ROOT / place[0]).read_text(encoding="utf-8").splitlines())
    assert page.count("```python") >= 20 and "8. **Loading**" in page


def test_what_a_lesson_shows_is_kept_small() -> None:
    wave = np.sin(np.arange(24_000) / 20).astype(np.float32)
    sound = f'<audio src="data:audio/wav;base64,{base64.b64encode(to_bytes(wave, 24_000)).decode()}">'
    packed = {"dtype": "f8", "bdata": base64.b64encode(np.array([0.1, 2.0]).tobytes()).decode()}
    figure = {"data": [{"z": packed, "y": [1 / 3, 2]}], "layout": {}, "config": {"a": 1}}
    heard = docs_lessons.condensed({"data": {"text/html": sound}})
    seen = docs_lessons.condensed({"data": {"application/vnd.plotly.v1+json": figure}})
    (small,) = heard["data"].values()
    assert len(small) < len(sound) / 4
    back, rate = soundfile.read(io.BytesIO(base64.b64decode(re.search('mpeg;base64,(.*)"', small)[1])))
    assert rate == 24_000 and abs(len(back) - 24_000) < 3_000
    (drawn,) = seen["data"].values()
    assert drawn["data"][0]["y"] == [0.33333, 2] and set(drawn) == {"data", "layout"}
    assert np.frombuffer(base64.b64decode(drawn["data"][0]["z"]["bdata"]), "<f4").tolist() == pytest.approx([0.1, 2])


def test_a_changed_lesson_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_lessons, "SHOWN", tmp_path / "shown")
    path = tmp_path / "01.ipynb"
    path.write_text(json.dumps({"cells": [TITLE, CELL]}), encoding="utf-8")
    assert docs_lessons.stale(path) == [1] and docs_lessons.stored(path) == ({}, "")
    docs_lessons.keep(path, {"cells": [TITLE, CELL | {"outputs": [DRAWING]}]})
    assert docs_lessons.stale(path) == [] and len(docs_lessons.stored(path)[0]) == 1
    path.write_text(json.dumps({"cells": [TITLE, CELL | {"source": ["x = 2"]}]}), encoding="utf-8")
    assert docs_lessons.stale(path) == [1]


def test_every_lesson_has_figures_or_tables_and_all_together_are_small() -> None:
    kept = [docs_lessons.SHOWN / f"{notebook.stem}.json" for notebook in docs_lessons.NOTEBOOKS]
    assert all(path.is_file() and json.loads(path.read_text("utf-8"))["cells"] for path in kept), "run `make lessons`"
    assert sum(path.stat().st_size for path in kept) < 3_000_000
