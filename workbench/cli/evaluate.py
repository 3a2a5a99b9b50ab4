"""``workbench evaluate``: speak a test set, measure it, report it, and compare two evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output
from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.output import console, print_json, say, table
from workbench.cli.parts.workers import Address, ExecutorName, Threads, WorkerCount, n_workers
from workbench.engine import evaluation
from workbench.engine.errors import OutputError, SettingsError, WorkbenchError, reason_of, remedy_for
from workbench.engine.evaluation.lists import BUNDLED, LAYOUTS
from workbench.engine.evaluation.measuring import DEFAULT
from workbench.engine.evaluation.plan import evaluations_root
from workbench.engine.evaluation.report import words, write_comparison
from workbench.engine.evaluation.results import read_results
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.sweeps import executors

_HEAD = 5  # skipped lines and failed utterances that are shown; the report names all


@settings_flags(settings=SynthesisSettings, load=LoadSettings)
def evaluate(
    *,
    test_set: Annotated[
        str | None,
        typer.Argument(
            metavar="LIST", help=f"A test set: a file, or {', '.join(BUNDLED)}. Without it: list the evaluations."
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Model of the catalogue.")] = "demo-voice",
    folder: Annotated[Path | None, typer.Option("--folder", help="Look for the model's files here first.")] = None,
    voice: Annotated[str, typer.Option("--voice", "-v", help="Bundled voice of lines that name none.")] = "",
    names: Annotated[
        str, typer.Option("--measures", help="Measures with commas, see `workbench runs measure --help`.")
    ] = ",".join(DEFAULT),
    layout: Annotated[
        str, typer.Option("--layout", metavar="|".join(LAYOUTS), help="Layout of the list. Default: by its content.")
    ] = "",
    root: Annotated[Path | None, typer.Option("--root", help="Folder of LibriSpeech's test set.")] = None,
    language: Annotated[str, typer.Option("--language", help="Language of the texts, such as en or zh.")] = "",
    truth: Annotated[bool, typer.Option("--truth", help="Measure the true recordings of the list too.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the results. Default: evaluations/LIST MODEL.")
    ] = None,
    executor: ExecutorName = "local",
    workers: WorkerCount = None,
    threads: Threads = 0,
    address: Address = "",
    random_weights: Annotated[bool, typer.Option("--random-weights", help="Use random weights.")] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Compare two evaluations, by their names or folders."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the log on standard error.")] = False,
    settings: SynthesisSettings,
    load: LoadSettings,
) -> None:
    """Speak a test set, measure what was said, and write a report. What is on disk is not made again.

    A list has one of these layouts: Seed-TTS (id|prompt text|prompt recording|text[|true recording]), the
    cross-sentence lists of LibriSpeech-PC (with --root), or CSV with the columns id, text, and voice or ref_audio and
    ref_text. The list "demo" has 20 sentences that the demo voice was not trained on.

        workbench evaluate demo --nfe-step 32 --out full
        workbench evaluate demo --nfe-step 3 --out quick
        workbench evaluate --compare full quick
    """
    output.log_to_stderr(verbose)
    if compare is not None:
        if test_set is not None:
            raise SettingsError("--compare and a list exclude each other.", remedy="Give one of them.")
        _compare(*compare, out, as_json)
        return
    if test_set is None:
        _list(as_json)
        return
    how = executors.executor(executor, n_workers(executor, workers), threads=threads, address=address)
    place = str(folder.absolute()) if folder else ""
    asked = evaluation.How(model, place, random_weights, settings, load, voice)
    wanted = [name for name in names.split(",") if name.strip()]
    found = evaluation.open_evaluation(
        test_set, asked, measures=wanted, out=out, layout=layout, root=root, language=language, truth=truth
    )
    _tell([f"line {s.line} is skipped: {s.why}" for s in found.plan.skipped], "lines are skipped")
    _tell([f"not measured: {line}" for line in found.wanted.lacking])
    n_missing, n_trials = len(found.missing()), len(found.batch.trials)
    if not as_json:
        say(f"{found.plan.name}: {n_missing} of {n_trials} utterances to speak.")
    with output.bar(not as_json, found.n_steps()) as advance:
        document = found.run(how, on_done=advance)
    if as_json:
        print_json(document | {"out": str(found.folder)})
    else:
        _show(document, found)
    if document["n_failed"]:
        raise typer.Exit(1)


def _tell(lines: list[str], what: str = "measures are missing") -> None:
    """Print the first ``lines`` on standard error."""
    for line in lines[:_HEAD]:
        say(f"Warning: {line}", stderr=True)
    if len(lines) > _HEAD:
        say(f"Warning: {len(lines) - _HEAD} more {what}; the report names them.", stderr=True)


def _show(document: dict[str, Any], found: evaluation.Evaluation) -> None:
    title = f"{document['name']}: {document['n_spoken']} of {document['n_utterances']} utterances"
    console().print(table(title, words.SUMMARY, words.summary_rows(document), right=words.SUMMARY[1:7]))
    say(f"{words.POOLED} {words.INTERVALS}")
    if len(document["weights"]) > 1:
        _tell(["the weights have changed between the runs; evaluate again with another --out"])
    failed = [f"{row['id']} failed: {row['error']}" for row in document["utterances"] if row["error"]]
    _tell(failed, "utterances failed")
    _tell([f"not measured: {line}" for line in document["lacking"] if line not in found.wanted.lacking])
    say(f"wrote {found.folder / 'report.html'}")


def _compare(a: str, b: str, out: Path | None, as_json: bool) -> None:
    found = evaluation.compare(a, b)
    if out is not None:
        try:
            write_comparison(out, found)
        except (OSError, ValueError) as error:
            raise OutputError(f"Cannot write to {out}: {reason_of(error)}.", remedy=remedy_for(error)) from error
    if as_json:
        print_json(found | {"out": str(out or "")})
        return
    for label in ("a", "b"):
        say(f"{label.upper()}: {found[label]['name']} ({found[label]['folder']})")
    for line in words.differing(found):
        say(line)
    title = f"{found['n_common']} common utterances, {len(found['left_out'])} left out"
    console().print(table(title, words.COMPARED, words.compared_rows(found), right=words.COMPARED[1:6]))
    for note in [*found["notes"], words.INTERVALS]:
        say(note)
    if out is not None:
        say(f"wrote {out / 'comparison.html'}")


def _list(as_json: bool) -> None:
    found, broken = [], []
    for name in evaluation.list_evaluations():
        folder = evaluation.folder_of(evaluations_root() / name)
        try:
            document = read_results(folder)
        except WorkbenchError as error:
            broken.append(f"{name}: {error}")
            continue
        counts = {key: document.get(key) for key in ("n_utterances", "n_spoken", "n_failed")}
        found.append({"name": name, "model": document["model"], "folder": str(folder), **counts})
    if as_json:
        print_json({"root": str(evaluations_root()), "evaluations": found, "broken": broken})
        return
    rows = [(e["name"], e["model"], f"{e['n_spoken']} of {e['n_utterances']}") for e in found]
    title = f"{len(rows)} evaluations in {evaluations_root()}"
    console().print(table(title, ("name", "model", "spoken"), rows, whole=("name",)))
    for line in broken:
        say(line)
