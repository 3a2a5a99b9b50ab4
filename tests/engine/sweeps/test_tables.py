"""Rows summed up, the front of the best, and what is written for other tools."""

from __future__ import annotations

import io
import random
from typing import Any

import pandas
import pytest
from pyarrow import parquet

from workbench.engine.sweeps import tables


def row(rtf: float | None, error: str = "", **axes: Any) -> dict[str, Any]:
    return {"rtf": rtf, "error": error, "run": "x", **axes}


def test_repeats_and_seeds_are_pooled_and_failures_left_out() -> None:
    rows = [row(float(k), steps=7, seed=k) for k in range(5)] + [
        row(9.0, steps=9, seed=0),
        row(99.0, "no", steps=7, seed=9),
    ]
    found = tables.summed_up(rows, ["steps", "seed"], "rtf")
    assert found == [
        {"steps": 7, "n": 5, "median": 2.0, "q1": 1.0, "q3": 3.0, "iqr": 2.0},
        {"steps": 9, "n": 1, "median": 9.0, "q1": 9.0, "q3": 9.0, "iqr": 0.0},
    ]
    assert tables.summed_up([row(None, steps=7)], ["steps"], "rtf") == []


@pytest.mark.parametrize("better", [("lower", "lower"), ("lower", "higher"), ("higher", "lower")])
def test_nothing_beats_the_front(better: tuple[str, str]) -> None:
    order = random.Random(0)
    points = [(order.randrange(20) / 2, order.randrange(20) / 2) for _ in range(80)]

    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        signs = [-1 if way == "higher" else 1 for way in better]
        pairs = [(s * x, s * y) for s, x, y in zip(signs, a, b, strict=True)]
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    front = {points[k] for k in tables.pareto(points, better)}
    assert front == {p for p in points if not any(beats(q, p) for q in points)}


@pytest.mark.parametrize(
    "values", [[1, 2.5, None], ["a", None], [1, "a"], [None, None], [True, False], [{"a": 1}, "x"], [1, 2]]
)
def test_any_column_can_be_written(values: list[Any]) -> None:
    rows = [{"x": value, "text": 'with "quotes", commas\nand lines'} for value in values]
    found = parquet.read_table(io.BytesIO(tables.as_parquet(rows))).to_pylist()
    assert len(found) == len(values) and found[0]["text"] == rows[0]["text"]
    assert len(pandas.read_csv(io.StringIO(tables.as_csv(rows)))) == len(values)


def test_no_rows_make_a_table_too() -> None:
    assert parquet.read_table(io.BytesIO(tables.as_parquet([]))).num_rows == 0 and tables.as_csv([]) == ""
