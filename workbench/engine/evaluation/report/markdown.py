"""A report in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.engine.evaluation.report import words
from workbench.engine.evaluation.report.examples import Example
from workbench.engine.visible import visible

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def _plain(value: str) -> str:
    """Return ``value`` on one line, with the characters escaped that mean something in Markdown."""
    return _MARKS.sub(r"\\\1", visible(" ".join(value.split())))


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heading, ["---"] * len(heading), *([_plain(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def text(document: Mapping[str, Any], examples: Sequence[Example]) -> str:
    """Return the report of the results ``document``."""
    lines = [f"# Evaluation {_plain(document['name'])}", ""]
    lines += _table(("", ""), words.facts(document))
    if problems := words.problems(document):
        lines += ["## Missing", "", *(f"- {_plain(line)}" for line in problems), ""]
    lines += ["## Measures", "", *_table(words.SUMMARY, words.summary_rows(document))]
    lines += [words.POOLED, words.INTERVALS, ""]
    for name in dict.fromkeys(example.measure for example in examples):
        m = document["measures"][name]
        lines += [f"## Worst: {_plain(words.title(m))}", ""]
        rows = [(e.row["id"], words.number(e.value, m["digits"]), e.row["text"], e.row["heard"] or "-", e.row["run"])
                for e in examples if e.measure == name]  # fmt: skip
        lines += _table(("utterance", words.title(m), "text", "heard", "run"), rows)
    lines += ["## What the measures mean", ""]
    lines += [f"- {_plain(words.title(m))}: {_plain(m['about'])}" for m in document["measures"].values()]
    return "\n".join(lines).rstrip() + "\n"


def comparison_text(found: Mapping[str, Any]) -> str:
    """Return the report of a comparison."""
    lines = [f"# A: {_plain(found['a']['name'])}, B: {_plain(found['b']['name'])}", ""]
    lines += [f"- {_plain(line)}" for line in words.differing(found)]
    lines += ["", f"{found['n_common']} common utterances, {len(found['left_out'])} left out.", ""]
    lines += _table(words.COMPARED, words.compared_rows(found))
    lines += [f"- {_plain(note)}" for note in found["notes"]]
    return "\n".join([*lines, f"- {words.INTERVALS}"]) + "\n"
