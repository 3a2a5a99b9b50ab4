"""HTML of the Loading lab's results: tables, and the code of a strategy with marks on its faulty lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from workbench.lab.strategies import STRATEGIES, Strategy

_CSS = """<style>
.lab-code{font-family:var(--st-code-font,'IBM Plex Mono',ui-monospace,monospace);font-size:.8rem;line-height:1.55;
 margin:0;padding:.5rem 0;overflow-x:auto;border:1px solid color-mix(in srgb,currentColor 16%,transparent);
 border-radius:4px}
.lab-code div{padding:0 .8rem;white-space:pre;min-width:max-content}
.lab-code .guilty{background:color-mix(in srgb,#d1434b 16%,transparent);box-shadow:inset 3px 0 0 #d1434b}
.lab-code .why{color:color-mix(in srgb,#d1434b 72%,currentColor);font-weight:500;white-space:normal;min-width:0}
</style>"""
_HEAD = ("strategy", "network", "total (s)", "import (s)", "Hub (s)", "load (s)", "speech (s)", "other (s)", "loads",
         "requests", "in server's log", "time-outs", "idle")  # fmt: skip
_PARTS = ("import_seconds", "network_wait_seconds", "load_seconds", "synthesis_seconds")  # with the rest, the total


def network_title(network: str) -> str:
    """Return the words for a state of the network, which the command line writes with a hyphen."""
    return network.replace("-", " ")


def cell_title(cell: Mapping[str, Any]) -> str:
    """Return strategy and network of ``cell`` in words."""
    return f"{STRATEGIES[cell['strategy']].title}, {network_title(cell['network'])}"


def titled(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``cell`` with the title of its network, for a figure."""
    return {**cell, "network": network_title(cell["network"])}


def code_html(strategy: Strategy) -> str:
    """Return the code of ``strategy``; lines that ask the Hub are marked with the reason."""
    guilty, rows = strategy.guilty_lines, []
    for number, line in enumerate(strategy.code.splitlines(), start=1):
        mark = ' class="guilty"' if number in guilty else ""
        rows.append(f"<div{mark}>{escape(line) or ' '}</div>")
        # one remark for consecutive lines with the same fault
        if number in guilty and guilty.get(number + 1) != guilty[number]:
            indent = len(line) - len(line.lstrip())
            style = f"padding-left:calc(.8rem + {indent}ch)"
            rows.append(f'<div class="guilty why" style="{style}">↑ {escape(guilty[number])}</div>')
    return (
        f'{_CSS}<div class="lab-code" role="group" aria-label="Code of {escape(strategy.title)}">{"".join(rows)}</div>'
    )


def table_html(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of all cells, whose parts add up to the total.

    A cell that did not finish shows the reason instead of numbers.
    """
    head = "".join(f'<th class="{"l" if name in _HEAD[:2] else ""}">{name}</th>' for name in _HEAD)
    rows = []
    for cell in cells:
        strategy, network = escape(STRATEGIES[cell["strategy"]].title), escape(network_title(cell["network"]))
        named = f'<td class="l">{strategy}</td><td class="l">{network}</td>'
        if cell["state"] != "finished":
            rows.append(f'<tr>{named}<td class="l w" colspan="{len(_HEAD) - 2}">{escape(cell["state"])}</td></tr>')
            continue
        parts = [float(cell[name]) for name in _PARTS]
        seconds = [cell["total_seconds"], *parts, max(0.0, cell["total_seconds"] - sum(parts))]
        numbers = [*(f"{s:.2f}" for s in seconds), cell["loads"], cell["requests"], cell["server_requests"]]
        numbers += [cell["timeouts"], f"{cell['idle_share']:.0%}"]
        rows.append(f"<tr>{named}{''.join(f'<td>{n}</td>' for n in numbers)}</tr>")
    return (f'<div class="wb-scroll"><table class="wb-table" aria-label="Measured"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>")  # fmt: skip


def cases_html(cases: Sequence[Any]) -> str:
    """Return a table with the result of both threads in each case."""
    rows = []
    for case in cases:
        fates = "".join(f'<td class="l w {"" if f == "right" else "wb-warn"}">{escape(f)}</td>'
                        for f in (case.first, case.second))  # fmt: skip
        rows.append(f'<tr><td class="l w">{escape(case.title)}</td>{fates}</tr>')
    head = "".join(f'<th class="l">{name}</th>' for name in ("case", "first thread spoke", "second thread spoke"))
    return (f'<div class="wb-scroll"><table class="wb-table" aria-label="Two threads"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>")  # fmt: skip
