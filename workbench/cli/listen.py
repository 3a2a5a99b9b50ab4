"""``workbench listen``: the results of blind listening tests, with their intervals, and the answers as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts.output import console, print_json, say, table
from workbench.engine.evaluation.statistics import Interval
from workbench.engine.files import outputs
from workbench.engine.listening import design


def listen(
    *,
    test: Annotated[
        str | None, typer.Argument(metavar="TEST", help="Name of a listening test. Without it: list the tests.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write one row per answer to this CSV, as the page does.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show the results of a blind listening test: choices or scores, intervals, and what they say.

    Tests are made, and answered, on the page Listen.
    """
    from workbench.engine.listening import answers, records, results

    if test is None:
        _list(as_json)
        return
    found = records.open_test(test)
    given, problems = answers.read_answers(found)
    document = results.document(found, given)
    if out is not None:
        # a spreadsheet knows UTF-8 by its mark
        outputs.write_over(out, answers.as_csv(found, given).encode("utf-8-sig"))
    if as_json:
        print_json(document | {"problems": problems, "out": str(out or "")})
        return
    _show(document)
    for line in problems:
        say(f"not counted: {line}")
    if out is not None:
        say(f"wrote {out}")


def _list(as_json: bool) -> None:
    from workbench.engine.listening import answers, records, results

    tests, broken = records.list_tests()
    found = [results.counts(one, answers.read_answers(one)[0]) for one in tests]
    if as_json:
        kept = ("name", "kind", "systems", "made_at", "n_trials", "n_answers", "n_listeners", "n_finished")
        print_json({"root": str(records.listening_root()), "tests": [{k: one[k] for k in kept} for one in found],
                    "broken": broken})  # fmt: skip
        return
    rows = [(one["name"], one["kind"], len(one["systems"]), len(one["texts"]), one["n_answers"], one["n_listeners"])
            for one in found]  # fmt: skip
    columns = ("name", "kind", "systems", "texts", "answers", "listeners")
    title = f"{len(rows)} listening tests in {records.listening_root()}"
    console().print(table(title, columns, rows, right=columns[2:], whole=("name",)))
    for line in broken:
        say(line)


def _show(found: dict[str, Any]) -> None:
    count = f"{found['n_answers']} answers of {found['n_listeners']} listeners, {found['n_finished']} of them finished"
    if not found["n_answers"]:
        say(f"{found['name']}: no answer yet.")
    elif found["kind"] == design.SCORE:
        _scores(f"{found['name']}: {count}", found)
    else:
        _pairs(f"{found['name']}: {count}", found)


def _pairs(title: str, found: dict[str, Any]) -> None:
    is_abx = found["kind"] == design.ABX
    counted = ("right", "wrong") if is_abx else ("first", "second", "no difference")
    columns = ("first", "second", *(f"n {name}" for name in counted), "share", "95 % interval", "bootstrap", "p")
    rows = [
        (one["a"], one["b"], *(one[name] for name in (("n_a", "n_b") if is_abx else ("n_a", "n_b", "n_same"))),
         "-" if one["share"] is None else f"{one['share']:.0%}", _percent(one["exact"]), _percent(one["bootstrap"]),
         "-" if one["p_value"] is None else f"{one['p_value']:.4f}")
        for one in found["pairs"]
    ]  # fmt: skip
    console().print(table(title, columns, rows, right=columns[2:], whole=("first", "second")))
    if found["by_listener"]:
        own = [(one["listener"], one["right"], one["answers"], f"{one['p']:.4f}") for one in found["by_listener"]]
        console().print(
            table("By listener", ("listener", "right", "answers", "p"), own, right=("right", "answers", "p"))
        )
    for one in found["pairs"]:
        say(one["verdict"])
    say("p and interval: exact binomial; bootstrap: listeners are drawn with all their answers.")


def _scores(title: str, found: dict[str, Any]) -> None:
    columns = ("system", "answers", "mean", "95 % interval")
    rows = [(one["name"], one["n"], f"{one['mean']:.2f}", _score(one["bootstrap"], "")) for one in found["means"]]
    console().print(table(title, columns, rows, right=columns[1:], whole=("system",)))
    if found["differences"]:
        heads = ("difference", "pairs", "mean", "95 % interval", "seen")
        changes = [(one["name"], one["n"], f"{one['mean']:+.2f}", _score(one["bootstrap"], "+"), one["seen"])
                for one in found["differences"]]  # fmt: skip
        console().print(table("Differences, paired by listener and text", heads, changes, right=heads[1:4],
                              whole=("difference",)))  # fmt: skip
    say("Intervals: bootstrap, listeners are drawn with all their answers (answers, while there is one listener).")


def _percent(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}"


def _score(interval: Interval | None, sign: str) -> str:
    return "-" if interval is None else f"{interval[0]:{sign}.2f} to {interval[1]:{sign}.2f}"
