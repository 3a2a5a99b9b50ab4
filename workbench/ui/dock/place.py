"""Put the player on a page, say what it holds, and draw buttons that play."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from html import escape

import streamlit as st
from streamlit.components.v2 import component
from streamlit.errors import StreamlitDuplicateElementKey

from workbench.figures.theme import CHUNK_COLOURS
from workbench.ui import static
from workbench.ui.dock.sounds import Sound

# The scripts are modules of this server. They keep one player for the whole visit, outside of the page's elements.
_JS = """
const player = () => import(new URL("/dock/dock.js", location.href).href)
let ready = player()
export default function ({ data, parentElement }) {
  const receive = ({ dock }) => dock.receive(data, parentElement)
  // a server that is gone for a moment is asked again
  ready.then(receive, () => { ready = player(); return ready.then(receive) }).catch(() => {})
}
ready.catch(() => {})
"""
_dock = component("dock", html="<span></span>", js=_JS)
_SHOWN_MAX = 8  # parts of one page that show the same sound
_CSS = static.sheet("dock-page.css")


def place() -> None:
    """Put the player at the foot of the page, once a page, before anything else is drawn."""
    with st.container(key="hidden_dock"):
        st.html(_CSS)
        _dock(key="dock", data={"colours": tuple(CHUNK_COLOURS)})


def show(sound: Sound, second: Sound | None = None, *, active: bool = False, autoplay: bool = False) -> None:
    """Make ``sound`` what the player holds, if it was not the one last shown: it takes no space on the page.

    A sound that a visitor chose by a button stays until another one is shown.

    Args:
        sound: slot A. More parts of it may come with later calls.
        second: slot B, for comparison.
        active: whether more parts will come.
        autoplay: play it as soon as its first part is there, once.
    """
    data = {
        "show": sound.as_dict(),
        "second": second.as_dict() if second else None,
        "active": active,
        "autoplay": autoplay,
        "page": st.context.url,  # another page says again what it shows, although the element stays
    }
    for count in range(_SHOWN_MAX):
        key = f"hidden_dock_show_{sound.key}" + (f"_{count}" if count else "")
        with suppress(StreamlitDuplicateElementKey), st.container(key=key):
            _dock(key=f"{key}_held", data=data | {"by": key})
            return


def play(sound: Sound, *, second: bool = False) -> None:
    """Play ``sound`` now, once: for a script run that answers a click, or that has just made the sound.

    Args:
        sound: what to play.
        second: in slot B.
    """
    order = secrets.token_hex(8)
    with st.container(key=f"hidden_dock_order_{order}"):
        _dock(
            key=f"dock_play_{order}",
            data={"play": sound.as_dict(), "order": order, "slot": "B" if second else "A"},
        )


def html_button(sound: Sound, label: str = "Play", *, second: bool = False, is_small: bool = False) -> str:
    """Return a button that plays ``sound``, as HTML for ``st.html``: for tables with many of them.

    Args:
        sound: what it plays.
        label: its words; with the title of the sound they are its name for screen readers.
        second: fill slot B instead, and switch to it.
        is_small: show the symbol only.
    """
    name = escape(f"{label}: {sound.title}", quote=True)
    held = escape(json.dumps(sound.as_dict(), ensure_ascii=False, separators=(",", ":")), quote=True)
    words = "" if is_small else f"<span>{escape(label)}</span>"
    return (
        f'<button type="button" class="wb-play" aria-label="{name}" title="{name}" '
        f'data-dock-key="{escape(sound.key, quote=True)}" data-dock-slot="{"B" if second else "A"}" '
        f'data-dock="{held}"><i aria-hidden="true"></i>{words}</button>'
    )


def button(sound: Sound, label: str = "Play", *, key: str, second: bool = False, help: str = "") -> None:
    """Draw a small button that loads ``sound`` into the player and plays it, or pauses it. It runs no script.

    Args:
        sound: what it plays.
        label: its words.
        key: unique on the page.
        second: fill slot B instead, and switch to it.
        help: one sentence below it.
    """
    with st.container(key=key, width="content"):
        st.html(html_button(sound, label, second=second), width="content")
        if help:
            st.caption(help)
