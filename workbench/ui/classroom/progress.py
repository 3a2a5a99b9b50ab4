"""Where a visitor of the guided path stands and what was predicted, kept in the session and in the address."""

from __future__ import annotations

import math
from collections.abc import Mapping

import streamlit as st

from workbench.classroom.stops import STOPS, Stop

_SAID, _AT = "class_said", "class_stop"
_MAX = 1e6


def restore() -> None:
    """Begin with what the address says, once a session; later the session is what counts."""
    if _AT in st.session_state:
        return
    asked = str(st.query_params.get("stop", ""))
    at = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 1
    st.session_state[_AT] = min(max(at, 1), len(STOPS)) - 1
    st.session_state[_SAID] = decoded(str(st.query_params.get("said", "")))


def write() -> None:
    """Put stop and predictions into the address, so that it can be sent, and reloaded."""
    st.query_params["stop"] = str(at() + 1)
    text = encoded(predictions())
    if text:
        st.query_params["said"] = text
    elif "said" in st.query_params:
        del st.query_params["said"]


def encoded(said: Mapping[str, float]) -> str:
    """Return predictions as they stand in the address: one number a stop, separated by "_", such as "104__3"."""
    return "_".join(f"{said[stop.key]:g}" if stop.key in said else "" for stop in STOPS).rstrip("_")


def decoded(text: str) -> dict[str, float]:
    """Return the predictions in ``text``, by the key of their stop; what is no number is left out."""
    said = {}
    for stop, part in zip(STOPS, text[:400].split("_"), strict=False):
        try:
            value = float(part)
        except ValueError:
            continue
        if math.isfinite(value) and abs(value) <= _MAX:
            said[stop.key] = value
    return said


def at() -> int:
    """Return the index of the current stop."""
    return int(st.session_state.get(_AT, 0))


def go(index: int) -> None:
    """Make stop ``index`` the current one."""
    st.session_state[_AT] = min(max(index, 0), len(STOPS) - 1)


def predictions() -> dict[str, float]:
    """Return what was predicted, by the key of the stop."""
    said: dict[str, float] = st.session_state.setdefault(_SAID, {})
    return said


def predict(stop: Stop, value: float | None) -> None:
    """Keep a prediction; None takes it back."""
    if value is None:
        predictions().pop(stop.key, None)
    else:
        predictions()[stop.key] = value


def has_begun() -> bool:
    """Whether this session has been on the path."""
    return _AT in st.session_state
