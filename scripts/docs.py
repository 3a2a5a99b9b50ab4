"""Write the generated pages of the documentation from the code; with ``--check``, name those that are stale.

The command line comes from Typer, settings from their dataclasses, measures and exports from their registries, models
from the catalogue, documents and tables from their types, and the public interface from ``workbench``.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "docs" / "reference"
NOTE = "<!-- written by scripts/docs.py; do not edit -->\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; cells are escaped, and line breaks in them become spaces."""
    lines = [list(columns), ["---"] * len(columns), *[[cell(value) for value in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cell(value: object) -> str:
    """Return ``value`` as the text of a table cell."""
    text = "" if value is None else str(value)
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code(value: object) -> str:
    """Return ``value`` as inline code, "" for nothing."""
    return f"`{value}`" if value not in (None, "") else ""


# Command line --------------------------------------------------------------------------------------------------------


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (words, command) of ``command`` and of all below it that are not hidden."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from walk(child, (*path, name))


def plain(text: str) -> str:
    """Return a help text without the escapes for the terminal."""
    return text.replace("\\[", "[")


def _help(command: Any) -> str:
    """Return the help of a command as Markdown; indented lines become code."""
    return plain(command.help or "").strip() + "\n"


def _option(param: Any) -> tuple[str, str, str]:
    """(names, default, help) of an option or argument."""
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    if param.param_type_name == "argument":
        names = code(param.metavar or param.name.upper())
    default = param.default() if callable(param.default) else param.default
    shown = "" if default in (None, (), [], "") or isinstance(default, bool) else str(default)
    if isinstance(default, bool) and param.secondary_opts:
        shown = (param.opts if default else param.secondary_opts)[0]
    return names, code(shown), plain(getattr(param, "help", None) or "")


def command_line() -> str:
    """One section for each command, with its arguments and options."""
    from typer.main import get_command

    from workbench.cli.parts.commands import app

    parts = ["# Command line\n", "`workbench` is the command of an installed package; `python -m workbench` is the "
             "same in a checkout. Errors that you can correct are one line on standard error, with exit code 2. "
             "Flags of settings also accept upstream's underscores (`--nfe_step`).\n"]  # fmt: skip
    for words, command in walk(get_command(app), ("workbench",)):
        if getattr(command, "commands", None):
            if len(words) > 1:
                parts += [f"## {' '.join(words)}\n", _help(command)]
            continue
        parts += [f"{'##' if len(words) == 2 else '###'} {' '.join(words)}\n", _help(command)]
        options = [p for p in command.params if not getattr(p, "hidden", False)]
        if options:
            parts.append(table(("argument or option", "default", "what it does"), [_option(p) for p in options]))
    return "\n".join(parts)


# Settings, measures, exports, models ---------------------------------------------------------------------------------


def settings() -> str:
    """One table for each class of settings."""
    from workbench.engine.settings import LoadSettings, MelConfig, SynthesisSettings, allowed, describe

    parts = ["# Settings\n", "Each setting is one field of a dataclass. Flags, forms, grids of sweeps, columns of the "
             "index and this page are read from it. A value out of its range is refused with its range.\n"]  # fmt: skip
    for owner in (SynthesisSettings, LoadSettings):
        rows = [
            (
                code(r["name"]),
                code("--" + r["name"].replace("_", "-")),
                code(r["default"]) or "unset",
                allowed(r),
                r["help"],
            )
            for r in describe(owner)
        ]
        parts += [f"## {owner.__name__}\n", (owner.__doc__ or "") + "\n",
                  table(("setting", "flag", "default", "allowed", "what it does"), rows)]  # fmt: skip
    mel = MelConfig()
    rows = [(code(name), code(getattr(mel, name))) for name in MelConfig.__dataclass_fields__]
    parts += [
        "## MelConfig\n",
        (MelConfig.__doc__ or "") + "\n",
        table(("field", "value of the released models"), rows),
    ]
    return "\n".join(parts)


def measures() -> str:
    """One section for each measure."""
    from workbench.engine.measures import COSTS, INSTANT, SECONDS, every

    parts = ["# Measures\n", "Every measure is registered once; tables, CSV, the index and the pages show all of "
             "them. A measure whose package is missing has no value.\n"]  # fmt: skip
    for cost in (INSTANT, SECONDS):
        parts += [f"## {cost.capitalize()}\n", COSTS[cost] + "\n"]
        for m in every(cost=cost):
            needs = f" Needs {', '.join(m.needs)}." if m.needs else ""
            better = f"{m.better} is better" if m.better else "neither is better"
            facts = f"{m.label}; unit: {m.unit or 'none'}; of: {', '.join(m.of)}; {better}.{needs}\n"
            parts += [f"### {m.name}\n", facts, f"{m.about} It misleads {m.misleads}\n"]
    return "\n".join(parts)


def exports() -> str:
    """The formats of `runs export`."""
    from workbench.engine.runs.exports import every

    rows = [(code(e.name), code(e.suffix), e.mime, e.about, code(e.member) if e.name != "zip" else "") for e in every()]
    return "# Exports\n\nFormats of `workbench runs export` and of the page Runs.\n\n" + table(
        ("name", "suffix", "media type", "what it holds", "name in the zip"), rows
    )


def models() -> str:
    """The catalogue: a card for each model and recogniser."""
    from workbench.engine.catalog import ModelSpec, list_entries

    rows = [
        (code(s.name), s.title, " ".join(s.languages) or "many", s.license, code(s.repo) or "comes with the workbench",
         s.backbone if isinstance(s, ModelSpec) else "Whisper", s.note or s.not_runnable)
        for s in list_entries() if s.kind != "imported"
    ]  # fmt: skip
    return "# Models\n\nThe catalogue. `workbench models` shows it with the state on your machine. Read the licence " \
        "before you use a model; `workbench licences` lists them all.\n\n" + table(
            ("name", "title", "languages", "licence", "repository", "architecture", "remarks"), rows)  # fmt: skip


# Documents and tables ------------------------------------------------------------------------------------------------


def _kind(schema: dict[str, Any]) -> str:
    """The type in a JSON schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name.lstrip('_')}](#{name.lstrip('_').lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f'`"{value}"`' for value in schema["enum"])
    return str(schema.get("type", "any"))


def _fields(schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    rows = [(code(name), _kind(kind), "" if name in needed else "may be missing") for name, kind in
            schema["properties"].items()]  # fmt: skip
    return table(("field", "type", ""), rows)


def run_document() -> str:
    """Fields of run.json, and the columns of the index."""
    from pydantic import TypeAdapter

    from workbench.engine.runs.document import FORMAT_VERSION, RunDocument
    from workbench.engine.runs.tables import prepare

    schema = TypeAdapter(RunDocument).json_schema(mode="serialization")
    parts = ["# Documents and tables\n", "## run.json\n",
             f"Format {FORMAT_VERSION}; older formats are read too. Seconds count from the start of the run; loading "
             "is before 0. In this and every other JSON document, and in Python, chunks and passages count from "
             "0; in tables, CSV, SQL, TextGrid, names of files, on the command line and on the pages, from 1.\n",
             _fields(schema)]  # fmt: skip
    for name, inner in sorted(schema.get("$defs", {}).items()):
        parts += [f"### {name.lstrip('_')}\n", (inner.get("description") or "").strip() + "\n", _fields(inner)]
    parts += ["## Index of runs\n", "`runs/index.sqlite` is made from the folders; it may be deleted. Query it with "
              "`workbench runs sql`. Every setting is a column.\n"]  # fmt: skip
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as index:
        prepare(index)
        for name in ("runs", "chunks"):
            columns = index.execute(f"PRAGMA table_xinfo({name})").fetchall()
            rows = [(code(column[1]), column[2].removesuffix(" GENERATED ALWAYS")) for column in columns]
            parts += [f"### Table {name}\n", table(("column", "type"), rows)]
    return "\n".join(parts)


def api() -> str:
    """One entry for each public name, rendered from its docstring."""
    import workbench

    parts = ["# Python interface\n", "`import workbench` gives these names; everything else may move between releases. "
             "They are imported on first use, so `import workbench` stays fast.\n"]  # fmt: skip
    parts += [f"::: workbench.engine.{workbench._HOMES[name]}.{name}\n" for name in sorted(workbench.__all__)]
    return "\n".join(parts)


PAGES = {
    "command-line": command_line,
    "settings": settings,
    "measures": measures,
    "exports": exports,
    "models": models,
    "documents": run_document,
    "api": api,
}


def written() -> dict[Path, str]:
    """Path to content of each generated page."""
    return {PLACE / f"{name}.md": NOTE + "\n" + make().rstrip() + "\n" for name, make in PAGES.items()}


def main() -> int:
    """Write the pages, or with --check name the stale ones and return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 if a page is stale.")
    check = parser.parse_args().check
    stale = [path for path, text in written().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make docs`\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written()[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
