"""Compare two evaluations: paired differences of their measures over the utterances that both have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.engine import measures
from workbench.engine.errors import RunError
from workbench.engine.evaluation.plan import folder_of
from workbench.engine.evaluation.results import read_results, values_of
from workbench.engine.evaluation.statistics import FEWEST, Difference, difference
from workbench.engine.measures import Measure

_SETTINGS = ("model", "folder", "random_weights", "voice")
_LISTENED = ("wer_percent", "cer_percent")


def compare(a: str | Path, b: str | Path) -> dict[str, Any]:
    """Return the differences between two evaluations, given by name or folder.

    Returns:
        a, b: name and folder; differs: name of each setting that differs to its two values; n_common; left_out:
        utterances that only one has, or with another text; notes: what makes the numbers hard to compare;
        measures: name to label, unit, digits, verdict in words, and the fields of ``Difference``.

    Raises:
        RunError: an evaluation does not exist or has no results, or they have no utterance in common.
    """
    folders = [folder_of(named) for named in (a, b)]
    one, two = (read_results(folder) for folder in folders)
    rows = [{row["id"]: row for row in document["utterances"]} for document in (one, two)]
    common = [name for name, row in rows[0].items() if name in rows[1] and row["text"] == rows[1][name]["text"]]
    if not common:
        raise RunError(
            f"{one['name']} and {two['name']} have no utterance in common.", remedy="Compare two of the same list."
        )
    kept = [[group[name] for name in common] for group in rows]
    names = [name for name in dict.fromkeys([*one["measures"], *two["measures"]]) if _known(name)]
    found = {name: entry for name in names if (entry := _entry(name, kept[0], kept[1]))}
    return {
        "a": {"name": one["name"], "folder": str(folders[0])},
        "b": {"name": two["name"], "folder": str(folders[1])},
        "differs": _differs(one, two),
        "n_common": len(common),
        "left_out": sorted((rows[0].keys() | rows[1].keys()) - set(common)),
        "notes": _notes(one, two, found),
        "measures": found,
    }


def _known(name: str) -> bool:
    return any(m.name == name for m in measures.of_every_cost())


def _entry(name: str, a: list[dict[str, Any]], b: list[dict[str, Any]]) -> dict[str, Any] | None:
    m = measures.get(name)
    (va, wa), (vb, wb) = values_of(a, name), values_of(b, name)
    found = difference(va, vb, m.better, (wa, wb) if wa and wb else None)
    if found is None:
        return None
    return {"label": m.label, "unit": m.unit, "digits": m.digits, "verdict": verdict(found, m), **found.as_dict()}


def verdict(found: Difference, m: Measure) -> str:
    """Return what a difference says, in words."""
    if found.n < FEWEST:
        return f"too few utterances to tell ({found.n}, {FEWEST} are needed)"
    if not found.seen:
        few = 0 < found.n_differing < FEWEST
        return "no difference seen" + (f" (only {found.n_differing} utterances differ)" if few else "")
    size = m.shown(abs(found.difference))
    if not found.better:
        return f"B is {'higher' if found.difference > 0 else 'lower'} by {size}"
    return f"{found.better.upper()} is better by {size}"


def _differs(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, list[Any]]:
    pairs = {name: [one.get(name), two.get(name)] for name in _SETTINGS}
    for group in ("settings", "load"):
        names = dict.fromkeys([*one[group], *two[group]])
        pairs |= {name: [one[group].get(name), two[group].get(name)] for name in names}
    for group, name in (("weights", "weights of the runs"), ("devices", "device")):
        pairs[name] = [", ".join(document[group]) for document in (one, two)]
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _notes(one: Mapping[str, Any], two: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    notes = []
    if set(_LISTENED) & found.keys():
        notes.append("WER and CER are sums of errors over sums of words or characters; the bootstrap draws utterances.")
        if one["recognisers"] != two["recognisers"]:
            heard = " and ".join(", ".join(document["recognisers"]) or "none" for document in (one, two))
            notes.append(f"Different recognisers listened ({heard}): WER and CER cannot be compared.")
    if len(found) > 1:
        notes.append(
            f"{len(found)} measures are compared at 95 %: about one in twenty shows a difference where there is none."
        )
    for label, document in (("A", one), ("B", two)):
        if document.get("n_failed"):
            notes.append(f"{document['n_failed']} utterances of {label} failed; they are not compared.")
    return notes
