"""HTML that Streamlit has no widget for: coloured text of a plan, tables with aligned numbers, lines of facts."""

from __future__ import annotations

import re

import streamlit as st

_CSS = """
<style>
.wb-text,.wb-facts,.wb-empty{font-size:.95rem}
.wb-text{white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.85;max-height:19rem;overflow:auto;
 padding:.55rem .8rem;border:1px solid color-mix(in srgb,currentColor 16%,transparent);border-radius:4px}
.wb-chunk{background:color-mix(in srgb,var(--c) 17%,transparent);box-shadow:inset 0 -2px 0 var(--c);
 padding:.12em .1em;border-radius:2px;-webkit-box-decoration-break:clone;box-decoration-break:clone}
.wb-tag{font-size:.74em;font-weight:600;color:color-mix(in srgb,var(--c) 72%,currentColor);
 margin:0 .25em 0 .1em;white-space:nowrap;
 font-variant-numeric:tabular-nums;user-select:none}
.wb-lacking{background:color-mix(in srgb,#c0392b 24%,transparent);box-shadow:inset 0 -2px 0 #c0392b}
.wb-offer{text-decoration:line-through;text-decoration-color:#b4560e;
 background:color-mix(in srgb,#b4560e 14%,transparent)}
.wb-changed,.wb-said{text-decoration:underline dotted;text-underline-offset:.2em}
.wb-words,.wb-pause{font-size:.82em;font-style:italic;opacity:.75;user-select:none}
.wb-pause{border:1px solid color-mix(in srgb,currentColor 30%,transparent);border-radius:2px;padding:0 .35em}
.wb-remark{overflow-wrap:anywhere}
.wb-warn{color:#b4560e;font-weight:600}
.wb-scroll{overflow-x:auto;max-width:100%}
.wb-table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums;line-height:1.35}
.wb-table th{font-weight:500;opacity:.72;text-align:right;padding:.28rem .6rem;vertical-align:bottom;white-space:nowrap;
 border-bottom:1px solid color-mix(in srgb,currentColor 30%,transparent)}
.wb-table td{text-align:right;padding:.3rem .6rem;white-space:nowrap;
 border-bottom:1px solid color-mix(in srgb,currentColor 12%,transparent)}
.wb-table .l{text-align:left}
.wb-table td.w{white-space:normal;min-width:14rem;max-width:34rem}
.wb-table td.clip{max-width:24rem;min-width:9rem;overflow:hidden;text-overflow:ellipsis}
.wb-table tfoot td{font-weight:600;border-bottom:none}
.wb-table tr.now td{background:color-mix(in srgb,currentColor 5%,transparent)}
.wb-swatch{display:inline-block;width:.7em;height:.7em;border-radius:2px;background:var(--c);margin-right:.45em}
.wb-dim{opacity:.5}
.wb-facts{display:flex;flex-wrap:wrap;gap:.35rem 1.6rem;font-variant-numeric:tabular-nums;margin:.1rem 0}
.wb-facts b{font-weight:600}
.wb-facts span span{opacity:.68}
.wb-empty{border:1px dashed color-mix(in srgb,currentColor 28%,transparent);border-radius:4px;padding:1.4rem 1.2rem;
 text-align:center;opacity:.8}
.wb-state{display:flex;align-items:center;gap:.5rem;min-height:1.6rem;font-size:.93em}
.wb-dot{width:.55rem;height:.55rem;border-radius:50%;background:var(--c);flex:none}
</style>
"""


def apply() -> None:
    """Put the style sheet on the page; it takes no space."""
    st.html(_CSS)


def empty(message: str) -> None:
    """Draw a box that says what to do on an empty page. ``message`` is HTML from the code, never from the user."""
    st.html(f'<div class="wb-empty">{message}</div>')


def facts(values: dict[str, str]) -> None:
    """Draw names and values in one line that wraps. Both are HTML from the code, never from the user."""
    cells = "".join(f"<span><span>{name}</span> <b>{value}</b></span>" for name, value in values.items())
    st.html(f'<div class="wb-facts">{cells}</div>')


def plain(text: str) -> str:
    """Return ``text`` for Markdown, so that none of its characters is markup."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|$:~-])", r"\\\1", " ".join(text.split()))
