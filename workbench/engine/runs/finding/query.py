"""Search language of the list of runs: ``mother nfe_step=7 wer<0.1 voice=Nora note="a click"``.

Words, and phrases in quotes, must occur in the text, note, names, date or settings. ``NAME OPERATOR VALUE`` compares a
column (``columns``) by ``<``, ``<=``, ``>``, ``>=``, ``=`` or ``!=``. All parts must be true. Case never matters.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from workbench.engine.errors import SettingsError
from workbench.engine.runs.finding.columns import NUMBER, YES_NO, Column, column
from workbench.engine.runs.summary import RunSummary
from workbench.engine.visible import quoted

Test = Callable[[RunSummary], bool]
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq,
    "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_PART = re.compile(
    r"""(?P<name>[^\W\d]\w*)\s*(?P<operator>[<>!=]=|[=<>])\s*(?P<value>"[^"]*"|[^\s"]+)?
      | "(?P<phrase>[^"]*)"
      | (?P<word>[^\s"]+)""",
    re.VERBOSE,
)
_UNSET = ("unset", "none")
_YES, _NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off")
_WITHIN = ("text", "note")  # columns of which a part is enough


def find(runs: Iterable[RunSummary], query: str) -> list[RunSummary]:
    """Return those of ``runs`` that match ``query``, in their order; all of them for an empty query.

    Raises:
        SettingsError: a name, operator or value in ``query`` cannot be used; the message says which.
    """
    tests = parse(query)
    return [run for run in runs if all(test(run) for test in tests)]


def parse(query: str) -> list[Test]:
    """Return one test for each part of ``query``. Raises as ``find``."""
    if query.count('"') % 2:
        raise SettingsError("A quote is not closed.", remedy='Write both: "two words".')
    return [_test(found) for found in _PART.finditer(query)]


def _test(part: re.Match[str]) -> Test:
    if part["name"]:
        return _comparison(part["name"], part["operator"], part["value"])
    wanted = " ".join((part["phrase"] if part["word"] is None else part["word"]).casefold().split())
    return lambda run: wanted in run.searched


def _comparison(typed: str, sign: str, value: str | None) -> Test:
    found, factor = column(typed)
    if value is None:
        raise SettingsError(f"{typed}{sign} has no value.", remedy=f"Write one without a space in it: {typed}{sign}7.")
    wanted, compare = value.strip('"').casefold(), _OPERATORS[sign]
    if wanted in _UNSET and compare in (operator.eq, operator.ne):
        return lambda run: compare(found.value(run), None)
    if found.kind == NUMBER:
        return _numbers(found, compare, _number(found, typed, wanted, factor))
    if found.kind == YES_NO:
        return _yes_no(found, compare, typed, wanted)
    return _texts(found, compare, wanted)


def _number(found: Column, typed: str, wanted: str, factor: float) -> float:
    """Return ``wanted`` in the unit of the column. ``10%`` is 0.1, or 10 of a column that counts per cent."""
    percent = wanted.endswith("%")
    try:
        number = float(wanted.removesuffix("%"))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise SettingsError(f"{typed} is a number, not {quoted(wanted)}.", remedy=f"For example: {typed}<0.5.")
    in_percent = found.name.endswith("_percent")
    return number * (1 if in_percent else 0.01) if percent else number * factor


def _numbers(found: Column, compare: Callable[[Any, Any], bool], wanted: float) -> Test:
    def test(run: RunSummary) -> bool:
        value = found.value(run)
        if not isinstance(value, int | float):
            return compare is operator.ne
        if math.isclose(value, wanted, rel_tol=1e-9):  # 0.07 of 1 is not exactly 7 of 100
            return compare in (operator.eq, operator.ge, operator.le)
        return compare(value, wanted)

    return test


def _yes_no(found: Column, compare: Callable[[Any, Any], bool], typed: str, wanted: str) -> Test:
    if wanted not in _YES + _NO or compare not in (operator.eq, operator.ne):
        raise SettingsError(f"{typed} is yes or no, not {quoted(wanted)}.", remedy=f"Write {typed}=yes or {typed}=no.")
    return lambda run: compare(bool(found.value(run)), wanted in _YES)


def _texts(found: Column, compare: Callable[[Any, Any], bool], wanted: str) -> Test:
    def test(run: RunSummary) -> bool:
        value = found.value(run)
        if value is None:
            return compare is operator.ne
        known = " ".join(str(value).casefold().split())
        if found.name in _WITHIN and compare in (operator.eq, operator.ne):
            return (wanted in known) is (compare is operator.eq)
        if found.name == "created_at":  # made<=2026-11-23 includes that day
            known, day = known[: len(wanted)], wanted.replace(" ", "t")
            return compare(known, day)
        return compare(known, wanted)

    return test
