"""The results of an evaluation as one JSON document: a summary of each measure, and one row per utterance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.engine import measures
from workbench.engine.errors import RunError, WorkbenchError
from workbench.engine.evaluation import measuring, truths
from workbench.engine.evaluation.measuring import Wanted
from workbench.engine.evaluation.plan import read_plan
from workbench.engine.evaluation.statistics import Summary, summarise
from workbench.engine.runs.store import read_document
from workbench.engine.sweeps.records import read_record

RESULTS_FILE = "results.json"
VERSION = 1
_ALWAYS = ("rtf",)  # measures of times that every report shows
_WEIGHTS = {"wer_percent": "reference_words", "cer_percent": "reference_characters"}  # their columns


def document(
    folder: Path, wanted: Wanted, failed: Mapping[str, str] = {}, not_measured: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the results in ``folder``.

    Args:
        folder: of the evaluation.
        wanted: measures to summarise.
        failed: trials that could not be measured, with the reason.
        not_measured: what else could not be measured, one line each.

    Returns:
        name, list, layout, model, folder, settings, load, skipped as in evaluation.json; n_utterances, n_spoken,
        n_failed, n_skipped; lacking; weights, devices and recognisers of the runs; utterances: one row each; measures:
        name to label, unit, better, digits and its summary, and ``truth``, that of the true recordings.

    Raises:
        RunError: as ``read_plan``.
    """
    plan = read_plan(folder)
    rows = [_row(folder, utterance, failed) for utterance in plan["utterances"]]
    names = [*wanted.sound, *wanted.times, *(name for name in _ALWAYS if name not in wanted.times)]
    unmeasured = [row for row in rows if row["not_measured"]]
    lacking = [*wanted.lacking, *not_measured]
    if unmeasured:
        first = unmeasured[0]
        lacking.append(f"{len(unmeasured)} utterances could not be measured; the first is {first['id']}: "
                       f"{first['not_measured']}")  # fmt: skip
    found = {name: summary for name in names if (summary := _summary(name, rows))}
    if any(row["run"] and not row["not_measured"] for row in rows):
        lacking += [f"{measures.get(name).label}: no utterance has a value" for name in names if name not in found]
    kept = ("name", "list", "layout", "model", "folder", "random_weights", "voice", "settings", "load", "skipped")
    return {
        "version": VERSION,
        **{key: plan[key] for key in kept},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_utterances": len(rows),
        "n_spoken": sum(bool(row["run"]) for row in rows),
        "n_failed": sum(bool(row["error"]) for row in rows),
        "n_skipped": len(plan["skipped"]),
        "lacking": lacking,
        **_made_with({row["run"] for row in rows if row["run"]}),
        "recognisers": sorted({row["recogniser"] for row in rows if row["recogniser"]}),
        "measures": found,
        "utterances": rows,
    }


def _made_with(runs: Iterable[str]) -> dict[str, list[str]]:
    """Return the weights and the devices with number formats of the runs that still exist, each once."""
    weights, devices = set(), set()
    for run_id in runs:
        try:
            found = read_document(run_id)
        except WorkbenchError:  # deleted since
            continue
        layer = found["weights"].get("layer") or ""
        weights.add(f"{str(found['weights'].get('acoustic') or 'random')[:12]} {layer}".strip())
        devices.add(f"{found['device']} {found['dtype']}")
    return {"weights": sorted(weights), "devices": sorted(devices)}


def _row(folder: Path, utterance: Mapping[str, Any], failed: Mapping[str, str]) -> dict[str, Any]:
    trial = utterance["trial"]
    record = read_record(folder, trial)
    done = record is not None and record.is_done
    found = measuring.read(folder, trial) if done else None
    weights = measuring.weights_of(found) if found else {}
    return {
        "id": utterance["id"], "line": utterance["line"], "text": utterance["text"],
        "voice": utterance["voice"] or Path(utterance["ref_audio"]).stem, "trial": trial,
        "run": record.run if record else "", "error": "not spoken" if record is None else record.error,
        "not_measured": failed.get(trial, ""), "heard": measuring.heard_of(found) if found else "",
        "recogniser": found.recogniser if found else "", "truth": utterance["truth"],
        **{column: weights.get(name) for name, column in _WEIGHTS.items()},
        "true_values": truths.read(folder, utterance) if utterance["truth"] else {},
        "values": {**(record.measures if done and record else {}), **(found.run if found else {})},
    }  # fmt: skip


def _summary(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    spoken, true = (_summary_of(rows, name, group) for group in ("values", "true_values"))
    if spoken is None:
        return None
    m = measures.get(name)
    return {"label": m.label, "unit": m.unit, "better": m.better, "digits": m.digits, "about": m.help,
            **spoken.as_dict(), "truth": true and true.as_dict()}  # fmt: skip


def _summary_of(rows: Sequence[Mapping[str, Any]], name: str, group: str) -> Summary | None:
    values, weights = values_of(rows, name, group)
    return summarise(list(values.values()), [weights[key] for key in values] if weights else None)


def values_of(
    rows: Sequence[Mapping[str, Any]], name: str, group: str = "values"
) -> tuple[dict[str, float], dict[str, float]]:
    """Return id to value of the measure ``name`` where there is one, and id to its weight; empty if it has none."""
    values = {row["id"]: row[group][name] for row in rows if row[group].get(name) is not None}
    column = _WEIGHTS.get(name, "")
    weights = {row["id"]: row[column] for row in rows if column and row["id"] in values and row[column]}
    if not weights:
        return values, {}
    return {key: values[key] for key in weights}, weights


def flat(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return ``rows`` as a table: a column for each measure. Every row has every column."""
    groups = {"values": "", "true_values": "true_"}
    names = {group: measuring.names_of(row[group] for row in rows) for group in groups}
    return [
        {key: value for key, value in row.items() if key not in groups}
        | {f"{start}{name}": row[group].get(name) for group, start in groups.items() for name in names[group]}
        for row in rows
    ]


def read_results(folder: Path) -> dict[str, Any]:
    """Return results.json in ``folder``, as from ``document``.

    Raises:
        RunError: it is not there, damaged, or of a newer workbench.
    """
    path = folder / RESULTS_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if found["version"] > VERSION:
            raise RunError(f"The results in {folder} are of a newer workbench.", remedy="Update this one.")
        for row in found["utterances"]:
            weights = [row[column] for column in _WEIGHTS.values()]
            for value in (*row["values"].values(), *weights):
                if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                    raise ValueError(f"{value!r} is no number")
            if not isinstance(row["id"], str) or not isinstance(row["text"], str):
                raise ValueError("an id or a text is missing")
        for key in ("name", "model", "settings", "load", "measures", "recognisers", "weights", "devices"):
            found[key]
    except OSError as error:
        raise RunError(
            f"The evaluation in {folder} has no results yet.", remedy="Run it again with its list; it goes on."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.", remedy="Run the evaluation again; no speech is lost.") from error
    return found
