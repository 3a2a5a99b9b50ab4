"""Tells the server what is typed into a text area while it is typed; by itself it does so when the area is left."""

from __future__ import annotations

from streamlit.components.v2 import component

# React commits a text area's value when the focus leaves it. The event alone does that too; the focus stays.
_JS = """
export default function ({ data, parentElement }) {
  const find = () => document.querySelector(`.st-key-${CSS.escape(data.key)} textarea`)
  let timer = 0
  const onInput = (event) => {
    const area = find()
    if (!area || event.target !== area) return
    clearTimeout(timer)
    timer = setTimeout(() => area.dispatchEvent(new FocusEvent("focusout", { bubbles: true })), data.milliseconds)
  }
  document.addEventListener("input", onInput)
  return () => { clearTimeout(timer); document.removeEventListener("input", onInput) }
}
"""
_live = component("live_text", html="<span hidden></span>", js=_JS)


def live_text(key: str, milliseconds: int = 350) -> None:
    """Make the text area with widget key ``key`` live: its value arrives when typing pauses for ``milliseconds``."""
    _live(key=f"live_{key}", data={"key": key, "milliseconds": milliseconds}, height=1)
