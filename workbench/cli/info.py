"""``voices``, ``models``, ``doctor`` and ``bench``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.options import settings_flags
from workbench.cli.output import console, log_to_stderr, print_json, say, table
from workbench.engine.errors import SettingsError
from workbench.engine.settings import BenchLoadSettings
from workbench.engine.visible import quoted

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def voices(as_json: Json = False) -> None:
    """List the bundled voices."""
    from workbench.engine.speech.bundled import list_voices

    rows = [{"name": v.name, "language": v.language, "source": v.source, "ref_text": v.ref_text, "path": str(v.path)}
            for v in list_voices()]  # fmt: skip
    if as_json:
        print_json({"voices": rows})
        return
    columns = ("name", "language", "source", "text of the reference")
    console().print(table("Voices", columns, [[r["name"], r["language"], r["source"], r["ref_text"]] for r in rows]))


def models(as_json: Json = False) -> None:
    """List the models of the catalogue and whether they are on this machine."""
    from workbench.engine.cache import inventory
    from workbench.engine.catalog import list_models

    state = {stock.model: stock for stock in inventory()}
    rows: list[dict[str, Any]] = []
    for spec in list_models():
        stock = state[spec.name]
        rows.append({
            "name": spec.name, "title": spec.title, "languages": list(spec.languages), "license": spec.license,
            "license_note": spec.license_note, "repo": spec.repo, "files": list(spec.repo_files), "kind": spec.kind,
            "backbone": spec.backbone, "arch": dict(spec.arch), "vocab": spec.vocab or "packaged with f5-tts",
            "state": stock.state, "source": stock.source, "revision": stock.revision, "bytes": stock.bytes,
            "not_runnable": spec.not_runnable,
        })  # fmt: skip
    if as_json:
        print_json({"models": rows})
        return
    columns = ("name", "state", "languages", "licence", "from")
    cells = [[r["name"], "cannot run" if r["not_runnable"] else r["state"], " ".join(r["languages"]), r["license"],
              r["repo"] or "this project"] for r in rows]  # fmt: skip
    console().print(table("Models", columns, cells))


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Skip the run that measures network use.")] = False,
    as_json: Json = False,
) -> None:
    """Check packages, device, memory, cached models, and whether a run uses the network."""
    from workbench.engine.checks.doctor import examine

    checks = examine(run=not quick)
    if as_json:
        print_json({"checks": [{"name": c.name, "state": c.state, "detail": c.detail} for c in checks],
                    "ok": all(c.state != "bad" for c in checks)})  # fmt: skip
    else:
        console().print(table("Doctor", ("", "what", "found"), [[c.state, c.name, c.detail] for c in checks]))
    if any(c.state == "bad" for c in checks):
        raise typer.Exit(1)


bench_app = typer.Typer(no_args_is_help=True, help="Measure on this machine; the last line is one JSON document.")


@bench_app.callback()
def _bench() -> None:
    """Measure on this machine; the last line is one JSON document."""


@bench_app.command("engine")
@settings_flags(load=BenchLoadSettings)
def bench_engine(
    *,
    against: Annotated[str, typer.Option("--against", help="What to compare with: upstream.")] = "upstream",
    model: Annotated[str, typer.Option("--model", "-m", help="Model of the catalogue.")] = "demo-voice",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Use the model's architecture with random weights.")
    ] = False,
    chunks: Annotated[
        int, typer.Option("--chunks", min=1, max=1000, help="Number of sentences of about 80 bytes, one per chunk.")
    ] = 5,
    nfe_step: Annotated[int, typer.Option("--nfe-step", help="ODE steps of both.")] = 7,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=1000, help="Pairs of timings after the warm-up.")] = 3,
    as_json: Json = False,
    load: BenchLoadSettings,
) -> None:
    """Compare the engine with upstream's infer_batch_process: same weights, text and settings, in turn, one process."""
    log_to_stderr(False)
    if against != "upstream":
        raise SettingsError(f"Cannot compare with {quoted(against)}.", remedy="Use --against upstream.")
    from workbench.engine.checks.bench import against_upstream

    def tell(index: int, upstream: float, ours: float) -> None:
        print(f"round {index + 1}/{rounds}: upstream {upstream:.2f} s, ours {ours:.2f} s, "
              f"ratio {upstream / ours:.2f}", file=sys.stderr)  # fmt: skip

    document = against_upstream(model, random_weights=random_weights, load=load, n_chunks=chunks, nfe_step=nfe_step,
                                rounds=rounds, on_round=tell)  # fmt: skip
    if not as_json:
        memory = {name: f"{n / 2**30:.2f} GiB" for name, n in document["peak_memory_bytes"].items()}
        say(f"upstream / ours = {document['ratio']:.2f} "
            f"({document['ratio_low']:.2f} to {document['ratio_high']:.2f}); peak memory {memory}")  # fmt: skip
    print_json(document)


def random_model(
    model: Annotated[str, typer.Argument(help="Model of the catalogue whose architecture to fill.")],
    hub: Annotated[Path | None, typer.Option("--hub", help="Hugging Face cache folder. Default: cache/hub.")] = None,
    as_json: Json = False,
) -> None:
    """Write a model with random weights and a released architecture into a Hub cache, to measure loading."""
    from workbench.engine.cache.paths import hub_root
    from workbench.engine.model.random_weights import add_random_model

    place = hub or hub_root()
    commits = add_random_model(model, place)
    if as_json:
        print_json({"hub": str(place), "revisions": commits})
    else:
        for repo, commit in commits.items():
            say(f"{repo} at {commit} in {place}")
