"""Format the document of a benchmark as a table in Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_HEAD = ("what", "value")


def rows(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return (name, value) of every number; a spread is one row: median [first to third quartile]."""
    for name, value in document.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping) and {"median", "q1", "q3"} <= set(value):
            yield (
                title,
                f"{_number(value['median'])} [{_number(value['q1'])} to {_number(value['q3'])}], n = {value['n']}",
            )
        elif isinstance(value, Mapping):
            yield from rows(value, f"{title}: ")
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
            for item in value:
                first, *rest = item.items()
                yield from rows(dict(rest), f"{first[1]} {first[0]}: ")
        elif isinstance(value, (list, tuple)):
            yield title, ", ".join(_number(item) for item in value)
        else:
            yield title, _number(value)


def markdown(document: Mapping[str, Any]) -> str:
    """Return a Markdown table with one row per number."""
    lines = [f"| {_HEAD[0]} | {_HEAD[1]} |", "|---|---|"]
    lines += [f"| {_plain(name)} | {_plain(value)} |" for name, value in rows(document)]
    return "\n".join(lines) + "\n"


def html(document: Mapping[str, Any]) -> str:
    """Return the same table as a self-contained HTML page."""
    title = escape(f"bench {document['benchmark']}")
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>\n" for name, value in rows(document))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        "<style>body{font:15px system-ui;margin:2em}td,th{text-align:left;padding:2px 16px 2px 0}</style>\n"
        f"<h1>{title}</h1>\n<table><tr><th>{_HEAD[0]}</th><th>{_HEAD[1]}</th></tr>\n{cells}</table></html>\n"
    )


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
