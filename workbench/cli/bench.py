"""``workbench bench``: measure speed, scaling, and the cost of observation, editing and starting."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.output import log_to_stderr, print_json, say
from workbench.engine.errors import SettingsError
from workbench.engine.files import outputs
from workbench.engine.settings import BenchLoadSettings, LoadSettings
from workbench.engine.visible import quoted

if TYPE_CHECKING:  # they import torch
    from workbench.engine.speech.synthesis import Engine
    from workbench.engine.speech.voices import Voice

bench_app = typer.Typer(no_args_is_help=True, help="Measure on this machine; the last line is one JSON document.")

Model = Annotated[str, typer.Option("--model", "-m", help="Model of the catalogue.")]
Random = Annotated[bool, typer.Option("--random-weights", help="Use the model's architecture with random weights.")]
Chunks = Annotated[int, typer.Option("--chunks", min=1, max=1000, help="Sentences of about 80 bytes, one per chunk.")]
Steps = Annotated[int, typer.Option("--nfe-step", help="ODE steps.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=1000, help="Measured rounds, after the warm-up.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write the numbers to this HTML file.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the figures as a Markdown table before the JSON.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@bench_app.callback()
def _bench() -> None:
    """Measure on this machine; the last line is one JSON document."""


@bench_app.command("engine")
@settings_flags(load=BenchLoadSettings)
def bench_engine(
    *,
    against: Annotated[str, typer.Option("--against", help="What to compare with: upstream.")] = "upstream",
    model: Model = "demo-voice",
    random_weights: Random = False,
    chunks: Annotated[int, typer.Option("--chunks", min=1, max=1000, help="Chunks of the text.")] = 5,
    sentences: Annotated[int, typer.Option("--sentences", min=1, max=10, help="Of about 80 bytes each, a chunk.")] = 1,
    nfe_step: Steps = 7,
    rounds: Rounds = 3,
    closely: Annotated[
        bool | None,
        typer.Option(
            "--closely/--no-closely",
            help="Also measure a step of 1000 frames, the mel's nearness to fp32, and 50 texts of random length. "
            "(default: on a GPU only; minutes on a CPU)",
            show_default=False,
        ),
    ] = None,
    markdown: Markdown = False,
    html: Html = None,
    as_json: Json = False,
    load: BenchLoadSettings,
) -> None:
    """Compare the engine with upstream's infer_batch_process: same weights, text and settings, in turn, one process."""
    if against != "upstream":
        raise SettingsError(f"Cannot compare with {quoted(against)}.", remedy="Use --against upstream.")
    _begin(html)
    from workbench.engine.checks.bench.against import against_upstream

    found = against_upstream(model, random_weights=random_weights, load=load, n_chunks=chunks,
                             sentences=sentences, nfe_step=nfe_step, rounds=rounds, closely=closely,
                             on_round=_tell)  # fmt: skip
    memory = {name: f"{n / 2**30:.2f} GiB" for name, n in found["peak_memory_bytes"].items()}
    _end(found, f"upstream / ours = {found['ratio']:.2f} ({found['ratio_low']:.2f} to {found['ratio_high']:.2f}); "
         f"a step takes {found['step_milliseconds']['median']:.1f} ms, {found['ceiling_share']:.0%} of what the device "
         f"multiplies; peak memory {memory}", markdown, html, as_json)  # fmt: skip


@bench_app.command("scale")
@settings_flags(load=LoadSettings)
def bench_scale(
    *,
    model: Model = "demo-voice",
    random_weights: Random = False,
    largest: Annotated[int, typer.Option("--largest", min=1, max=5000, help="Chunks of the longest run.")] = 300,
    nfe_step: Steps = 7,
    rounds: Rounds = 3,
    markdown: Markdown = False,
    html: Html = None,
    as_json: Json = False,
    load: LoadSettings,
) -> None:
    """Measure time and memory per chunk in runs of 1 to 300 chunks."""
    _begin(html)
    from workbench.engine.checks.bench.scale import scale
    from workbench.engine.runs.parts.making import begin_aside

    engine, voice = _subject(model, random_weights, load)
    found = scale(
        engine, voice, nfe_step=nfe_step, largest=largest, rounds=rounds, begin_long=begin_aside, on_round=_tell
    )
    beside = max(row["beside_bytes"] for row in found["sizes"]) / 2**20
    _end(found, f"a chunk costs the same within {found['largest_deviation']:.1%} from 1 to {largest} chunks; memory "
         f"beyond the run grows by {beside:.0f} MiB at most", markdown, html, as_json)  # fmt: skip


@bench_app.command("observe")
@settings_flags(load=LoadSettings)
def bench_observe(
    *,
    model: Model = "demo-voice",
    random_weights: Random = False,
    chunks: Chunks = 1,
    nfe_step: Steps = 7,
    rounds: Rounds = 15,
    markdown: Markdown = False,
    html: Html = None,
    as_json: Json = False,
    load: LoadSettings,
) -> None:
    """Measure the cost of spans, progress and monitor against the bare computation."""
    _begin(html)
    from workbench.engine.checks.bench.observe import observe

    engine, voice = _subject(model, random_weights, load)
    found = observe(engine, voice, nfe_step=nfe_step, n_chunks=chunks, rounds=rounds, on_round=_tell)
    cost = found["cost"]
    _end(found, f"being watched costs {cost['median']:.2%} ({cost['q1']:.2%} to {cost['q3']:.2%})",
         markdown, html, as_json)  # fmt: skip


@bench_app.command("edit")
@settings_flags(load=LoadSettings)
def bench_edit(
    *,
    model: Model = "demo-voice",
    random_weights: Random = False,
    chunks: Chunks = 10,
    nfe_step: Steps = 7,
    rounds: Rounds = 3,
    markdown: Markdown = False,
    html: Html = None,
    as_json: Json = False,
    load: LoadSettings,
) -> None:
    """Measure a run after editing one sentence of ten, with reuse of unchanged chunks."""
    _begin(html)
    from workbench.engine.checks.bench.edit import edit

    engine, voice = _subject(model, random_weights, load)
    found = edit(engine, voice, nfe_step=nfe_step, n_chunks=chunks, rounds=rounds, on_round=_tell)
    same = "the same" if found["same_samples"] else "NOT the same"
    _end(found, f"editing one of {chunks} chunks costs {found['edited_over_whole']['median']:.1%} of the whole; "
         f"the samples are {same}", markdown, html, as_json)  # fmt: skip


@bench_app.command("app")
def bench_app_(
    sessions: Annotated[int, typer.Option("--sessions", min=1, max=500, help="Opened beside the first.")] = 10,
    rounds: Rounds = 3,
    markdown: Markdown = False,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Measure the time from the start of the app to a usable page and a loaded model, and the memory of a session."""
    _begin(html)
    from workbench.engine.checks.bench.app import app

    found = app(rounds=rounds, sessions=sessions, on_round=_tell)
    _end(found, f"usable after {found['usable_seconds']['median']:.2f} s, model loaded after "
         f"{found['preload_seconds']['median']:.2f} s, {found['session_bytes']['median'] / 1e6:.1f} MB a session",
         markdown, html, as_json)  # fmt: skip


def _begin(html: Path | None) -> None:
    """Check before the measurement that the HTML page can be written."""
    log_to_stderr(False)
    if html is not None:
        outputs.check_place(html)


def _subject(model: str, random_weights: bool, load: LoadSettings) -> tuple[Engine, Voice]:
    """Return engine and voice to measure; runs are not saved, and no chunk is reused."""
    from workbench.engine.speech.synthesis import load_engine
    from workbench.engine.speech.voices import load_voice

    engine = load_engine(model, load=load, random_weights=random_weights)
    return engine, load_voice(mel_config=engine.loaded.spec.mel)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _end(found: dict[str, Any], summary: str, markdown: bool, html: Path | None, as_json: bool) -> None:
    """Write the HTML page and print table and summary as requested; print the JSON document last."""
    from workbench.engine.checks.bench import report

    if html is not None:
        outputs.write_over(html, report.html(found).encode())
    if not as_json:
        if markdown:
            print(report.markdown(found))
        say(summary)
    print_json(found)
