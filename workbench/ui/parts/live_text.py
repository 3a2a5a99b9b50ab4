"""Send the content of a text area to the server during typing; Streamlit sends it only when the focus leaves."""

from __future__ import annotations

from streamlit.components.v2 import component

# React commits a text area's value on the event "focusout". Sending the event alone keeps the focus in the area.
_JS = """
export default function ({ data, parentElement }) {
  const find = () => document.querySelector(`.st-key-${CSS.escape(data.key)} textarea`)
  let timer = 0
  const onInput = (event) => {
    const area = find()
    if (!area || event.target !== area) return
    clearTimeout(timer)
    const wait = event.inputType === "insertFromPaste" ? 0 : data.milliseconds
    timer = setTimeout(() => find()?.dispatchEvent(new FocusEvent("focusout", { bubbles: true })), wait)
  }
  document.addEventListener("input", onInput)
  // a timer that runs goes on: the page may be drawn again between the last key and the sending
  return () => document.removeEventListener("input", onInput)
}
"""
_live = component("live_text", html="<span hidden></span>", js=_JS)


def live_text(key: str, milliseconds: int = 350) -> None:
    """Make the text area with widget key ``key`` live: it sends its value after ``milliseconds`` without typing.

    What is pasted is sent at once.
    """
    _live(key=f"live_{key}", data={"key": key, "milliseconds": milliseconds}, height=1)
