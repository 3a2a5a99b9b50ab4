"""Scripts: several voices in one text, from tags, TOML, subtitles or CSV, as one request or one request a row."""

from workbench.engine.scripts.casting import Cast, compose
from workbench.engine.scripts.fitting import Fit, Row, fit, rows_of_plan, rows_of_run
from workbench.engine.scripts.sheets import SUFFIXES, Sheet, read_sheet, sheet_of

__all__ = [
    "SUFFIXES",
    "Cast",
    "Fit",
    "Row",
    "Sheet",
    "compose",
    "fit",
    "read_sheet",
    "rows_of_plan",
    "rows_of_run",
    "sheet_of",
]
