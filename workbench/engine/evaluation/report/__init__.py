"""Reports of evaluations: results.json, tables as Parquet and CSV, Markdown, and one HTML page with sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.engine.evaluation.report.examples import worst
from workbench.engine.evaluation.report.html import comparison_page, page
from workbench.engine.evaluation.report.markdown import comparison_text, text
from workbench.engine.evaluation.results import RESULTS_FILE, flat
from workbench.engine.files.writing import write_json, write_whole
from workbench.engine.sweeps import tables

__all__ = ["write_comparison", "write_report"]


def write_report(folder: Path, document: dict[str, Any]) -> None:
    """Write the results ``document`` to ``folder``, in every form. Raises OSError."""
    rows = flat(document["utterances"])
    examples = worst(document)
    write_whole(folder / "results.csv", tables.as_csv(rows).encode())
    write_whole(folder / "results.parquet", tables.as_parquet(rows))
    write_whole(folder / "report.md", text(document, examples).encode())
    write_whole(folder / "report.html", page(document, examples).encode())
    write_json(folder / RESULTS_FILE, document)


def write_comparison(folder: Path, found: Mapping[str, Any]) -> None:
    """Write a comparison as comparison.json, .md and .html to ``folder``. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(folder / "comparison.json", f"{line}\n".encode())
    write_whole(folder / "comparison.md", comparison_text(found).encode())
    write_whole(folder / "comparison.html", comparison_page(found).encode())
