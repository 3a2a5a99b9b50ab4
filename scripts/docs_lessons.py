"""A hook of MkDocs that adds the notebooks as pages; ``python scripts/docs_lessons.py`` runs them first, for figures.

What the cells show is kept in ``docs/lessons/shown/``, by the text of its cell: what belongs to a cell that has changed
since is left out. Sounds are kept as MP3 and numbers of figures with five digits, so that the nine lessons take about a
megabyte. Plotly figures are drawn by the plotly.js that comes with the package: no other server is asked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import io
import json
import os
import platform
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
SHOWN = ROOT / "docs" / "lessons" / "shown"
PLOTLY = "assets/plotly.min.js"
CODE_PAGE = "lessons/code.md"  # written when the site is built
_FIGURE = "application/vnd.plotly.v1+json"
_WAV = re.compile(r"data:audio/(?:x-)?wav;base64,([A-Za-z0-9+/=\s]+)")
_UNANSWERED = "not answered yet"  # what the check of an exercise says
_DIGITS = 5


# What is kept of a run -----------------------------------------------------------------------------------------------


def key_of(cell: dict[str, Any]) -> str:
    """Return what names a cell: a digest of its text."""
    return hashlib.sha256("".join(cell["source"]).encode()).hexdigest()[:16]


def kept(notebook: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the outputs of an executed notebook that a page can show, by cell."""
    found = {}
    for cell in notebook["cells"]:
        outputs = [small for output in cell.get("outputs", ()) if (small := condensed(output))]
        if outputs:
            found[key_of(cell)] = outputs
    return found


def condensed(output: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of an output that is shown, made smaller; None for widgets, open exercises and standard error."""
    data = output.get("data", {})
    if _FIGURE in data:
        return {"data": {_FIGURE: {name: rounded(data[_FIGURE][name]) for name in ("data", "layout")}}}
    if "widget" in str(list(data)) or _UNANSWERED in "".join(data.get("text/html", ())):
        return None
    if "text/html" in data:
        return {"data": {"text/html": _WAV.sub(compressed, "".join(data["text/html"]))}}
    if "image/png" in data:
        return {"data": {"image/png": "".join(data["image/png"]).strip()}}
    printed = "".join(output.get("text", ())) if output.get("name") != "stderr" else ""
    text = "".join(data.get("text/plain", ())) or printed
    return {"name": "stdout", "text": text} if text.strip() else None


def rounded(value: Any) -> Any:
    """Return JSON with numbers of five digits, and Plotly's packed arrays of doubles as floats."""
    import numpy as np

    if isinstance(value, dict) and value.get("dtype") == "f8":
        packed = np.frombuffer(base64.b64decode(value["bdata"]), "<f8").astype("<f4")
        return value | {"dtype": "f4", "bdata": base64.b64encode(packed.tobytes()).decode()}
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def compressed(found: re.Match[str]) -> str:
    """Return a WAV of a data address as MP3."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="float32")
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format="MP3", subtype="MPEG_LAYER_III")
    return f"data:audio/mpeg;base64,{base64.b64encode(target.getvalue()).decode()}"


# Pages ---------------------------------------------------------------------------------------------------------------


def page(notebook: dict[str, Any], place: str, shown_by: dict[str, list[dict[str, Any]]], made: str = "") -> str:
    """Return a notebook as Markdown with what its cells show; ``place`` is its address in the repository."""
    parts = []
    for index, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            outputs = shown_by.get(key_of(cell), ())
            parts += [shown(output, f"figure-{index}-{k}") for k, output in enumerate(outputs)]
    drawn = any("Plotly.newPlot" in part for part in parts)
    script = f'<script src="../{PLOTLY}"></script>\n\n' if drawn else ""
    first, *rest = parts
    told = f" What the cells show is from {made}." if made else ""
    body = "\n\n".join(part for part in rest if part)
    return f"{first}\n\n*The notebook is `{place}`.{told}*\n\n{script}{body}\n"


def shown(output: dict[str, Any], name: str) -> str:
    """Return an output of a cell as HTML."""
    data = output.get("data", {})
    if _FIGURE in data:
        figure = json.dumps({key: data[_FIGURE][key] for key in ("data", "layout")}).replace("</", "<\\/")
        return (
            f'<div id="{name}" style="background:white"></div>\n<script>(f=>Plotly.newPlot("{name}",f.data,f.layout,'
            f"{{responsive:true,displaylogo:false}}))({figure})</script>"
        )
    if "text/html" in data:
        return f"<div>{''.join(data['text/html'])}</div>".replace("\n\n", "\n")
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{data["image/png"]}">'
    return f"<pre>{html.escape(output['text'])}</pre>"


def stored(path: Path) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """Return what is kept of the run of a notebook, by cell, and when and where it ran."""
    place = SHOWN / f"{path.stem}.json"
    if not place.is_file():
        return {}, ""
    document = json.loads(place.read_text(encoding="utf-8"))
    return document["cells"], document["made"]


def stale(path: Path) -> list[int]:
    """Return the indices of the code cells of a notebook that have changed since it was run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    place = SHOWN / f"{path.stem}.json"
    ran = json.loads(place.read_text(encoding="utf-8"))["ran"] if place.is_file() else []
    code = [(index, cell) for index, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    return [index for index, cell in code if key_of(cell) not in ran]


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook, the page of their lines of code, and plotly.js if a page draws with it."""
    from mkdocs.structure.files import File

    if str(ROOT) not in sys.path:  # MkDocs loads a hook by its path
        sys.path.insert(0, str(ROOT))
    from scripts import lesson_code

    files.append(File.generated(config, CODE_PAGE, content=lesson_code.page()))

    drawn = False
    for path in NOTEBOOKS:
        content = page(json.loads(path.read_text(encoding="utf-8")), f"notebooks/{path.name}", *stored(path))
        drawn |= PLOTLY in content
        files.append(File.generated(config, f"lessons/{path.stem}.md", content=content))
    if drawn:
        import plotly

        library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        files.append(File.generated(config, PLOTLY, abs_src_path=str(library)))
    return files


# Running -------------------------------------------------------------------------------------------------------------


def keep(path: Path, notebook: dict[str, Any]) -> None:
    """Write what a page needs of an executed notebook."""
    SHOWN.mkdir(exist_ok=True)
    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""  # its own part is about the cores
    where = f"{platform.system()} {platform.machine()}, one thread of {os.cpu_count()}{load}"
    made = f"{datetime.now(UTC):%Y-%m-%d}, {where}"
    ran = [key_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    document = {"made": made, "ran": ran, "cells": kept(notebook)}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    (SHOWN / f"{path.stem}.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> int:
    """Run the notebooks, all or those that are named, or say which have changed since they were run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", default=["0"], help="beginnings of file names; all without")
    parser.add_argument("--check", action="store_true", help="run nothing; name changed lessons, with exit code 1")
    given = parser.parse_args()
    chosen = [path for path in NOTEBOOKS if path.stem.startswith(tuple(given.numbers))]
    if given.check:
        changed = [path.name for path in chosen if stale(path)]
        sys.stdout.writelines(f"{name} has changed since it was run: make lessons\n" for name in changed)
        return int(bool(changed))
    import nbformat

    sys.path.insert(0, str(ROOT))
    from tests.notebooks.runner import Session

    for path in chosen:
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as home, Session(notebook, Path(home)) as session:
            seconds = session.run()
        keep(path, notebook)
        sys.stdout.write(f"{path.stem}: {seconds:.0f} s\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
