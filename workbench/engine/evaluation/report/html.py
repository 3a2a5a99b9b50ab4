"""A report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from workbench.engine.evaluation.report import words
from workbench.engine.evaluation.report.drawing import differences, histogram
from workbench.engine.evaluation.report.examples import SOUND_BYTES_MAX, Example, sound_of
from workbench.engine.visible import visible

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --bar: #3b76c4; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
td:first-child { overflow-wrap: break-word; }
figure { display: inline-block; margin: 0 1rem 1rem 0; }
figcaption { font-size: 0.85rem; }
audio { width: 15rem; height: 2rem; }
svg text { fill: currentColor; font-size: 11px; }
"""
# the page may load nothing at all; its sounds are data URLs
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:"


def _text(value: str) -> str:
    return escape(visible(" ".join(value.split())))


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are HTML."""
    head = f"<thead><tr>{''.join(f'<th>{cell}</th>' for cell in heading)}</tr></thead>" if any(heading) else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _page(title: str, parts: Iterable[str]) -> str:
    head = (f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            f'<meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
            f"<style>{_STYLE}</style>")  # fmt: skip
    body = "\n".join([f"<h1>{_text(title)}</h1>", *parts])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def page(document: Mapping[str, Any], examples: Sequence[Example]) -> str:
    """Return the report of the results ``document``."""
    parts = [_table(("", ""), [(_text(a), _text(b)) for a, b in words.facts(document)])]
    if problems := words.problems(document):
        parts += ["<h2>Missing</h2>", _list(problems)]
    rows = [[_text(cell) for cell in row] for row in words.summary_rows(document)]
    parts += ["<h2>Measures</h2>", _table(words.SUMMARY, rows), f"<p>{words.POOLED} {words.INTERVALS}</p>"]
    for name, m in document["measures"].items():
        values = [v for row in document["utterances"] if (v := row["values"].get(name)) is not None]
        drawn = histogram(values, m["digits"])
        parts.append(f"<figure>{drawn}<figcaption>{_text(words.title(m))}, utterances</figcaption></figure>")
    parts += _worst(document, examples)
    parts += ["<h2>What the measures mean</h2>",
              _list(f"{words.title(m)}: {m['about']}" for m in document["measures"].values())]  # fmt: skip
    return _page(f"Evaluation {document['name']}", parts)


def _worst(document: Mapping[str, Any], examples: Sequence[Example]) -> list[str]:
    parts, players = [], _players(examples)
    for name in dict.fromkeys(example.measure for example in examples):
        m = document["measures"][name]
        rows = [
            (_text(e.row["id"]), words.number(e.value, m["digits"]), _text(e.row["text"]),
             _text(e.row["heard"] or "-"), players[e.row["run"]])
            for e in examples if e.measure == name
        ]  # fmt: skip
        title = _text(words.title(m))
        parts += [f"<h2>Worst: {title}</h2>", _table(("utterance", title, "text", "heard", "listen"), rows)]
    return parts


def _players(examples: Sequence[Example]) -> dict[str, str]:
    """Return id of each run to its player: sounds up to ``SOUND_BYTES_MAX`` together, else the id of the run."""
    players, left = {}, SOUND_BYTES_MAX
    for run in dict.fromkeys(example.row["run"] for example in examples):
        sound = sound_of(run)
        fits = bool(sound) and len(sound) <= left
        left -= len(sound) if fits else 0
        players[run] = f'<audio controls preload="none" src="{sound}"></audio>' if fits else f"run {_text(run)}"
    return players


def comparison_page(found: Mapping[str, Any]) -> str:
    """Return the report of a comparison."""
    rows = [[_text(cell) for cell in row] for row in words.compared_rows(found)]
    counted = f"{found['n_common']} common utterances, {len(found['left_out'])} left out."
    parts = [_list(words.differing(found)), f"<p>{counted}</p>", _table(words.COMPARED, rows)]
    for m in found["measures"].values():
        if m["interval"]:
            drawn = differences(m["difference"], m["interval"], m["digits"] + 1)
            parts.append(f"<figure>{drawn}<figcaption>{_text(words.title(m))}, B - A</figcaption></figure>")
    parts.append(_list([*found["notes"], words.INTERVALS]))
    return _page(f"A: {found['a']['name']}, B: {found['b']['name']}", parts)
