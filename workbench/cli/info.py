"""``models``, ``licences`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts.output import console, print_json, say, table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def models(as_json: Json = False) -> None:
    """List the models and recognisers of the catalogue and whether they are on this machine."""
    from workbench.engine.cache import inventory
    from workbench.engine.catalog import ModelSpec, list_entries

    state = {stock.model: stock for stock in inventory()}
    rows: list[dict[str, Any]] = []
    for spec in list_entries():
        stock = state[spec.name]
        rows.append({
            "name": spec.name, "title": spec.title, "languages": list(spec.languages), "license": spec.license,
            "license_note": spec.license_note, "repo": spec.repo, "files": list(spec.repo_files), "kind": spec.kind,
            **({"task": "speech", "backbone": spec.backbone, "arch": dict(spec.arch),
                "vocab": spec.vocab or "packaged with f5-tts"} if isinstance(spec, ModelSpec) else
               {"task": "recognition", "backbone": "Whisper", "arch": {}, "vocab": ""}),
            "state": stock.state, "source": stock.source, "revision": stock.revision, "bytes": stock.bytes,
            "not_runnable": spec.not_runnable,
        })  # fmt: skip
    if as_json:
        print_json({"models": rows})
        return
    columns = ("name", "state", "languages", "licence", "from")
    cells = [[r["name"], "cannot run" if r["not_runnable"] else r["state"],
              " ".join(r["languages"]) or ("many" if r["task"] == "recognition" else ""), r["license"],
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


def licences(as_json: Json = False) -> None:
    """List the licences of the workbench, of every model, and of packages with narrower terms than its own."""
    from workbench.engine.checks.licences import listed

    rows = listed()
    if as_json:
        print_json({"licences": [row.as_dict() for row in rows]})
        return
    columns = ("what", "kind", "licence", "here", "what to know")
    cells = [[row.name, row.kind, row.licence, "yes" if row.here else "no", row.note] for row in rows]
    console().print(table("Licences", columns, cells))
    say("Read the licences of what is here before you use speech commercially or distribute any of it.")


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
