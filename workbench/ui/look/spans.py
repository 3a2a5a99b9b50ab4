"""What is shown of the time axis, the selected span and the moment of the slice: all belong to what is looked at."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

Span = tuple[float, float]
SHORTEST = 0.004  # seconds; less is a slip of the hand
_LEAST_BAND = 0.02


@dataclass(frozen=True)
class Spans:
    """View and selected span of the sources ``name``, ``seconds`` long, in the session of the visitor."""

    name: str
    seconds: float

    @property
    def key(self) -> str:
        """A short name for widget keys, equal for equal sources."""
        return f"{zlib.crc32(self.name.encode()):08x}"

    @property
    def view(self) -> Span | None:
        """What is shown; None for all."""
        found: Span | None = st.session_state.get(f"view_{self.key}")
        return found

    @property
    def band(self) -> Span | None:
        """Part of the frequency axis that is shown, from 0 to 1; None for all."""
        found: Span | None = st.session_state.get(f"band_{self.key}")
        return found

    @property
    def selected(self) -> Span | None:
        """What is selected; None for nothing."""
        found: Span | None = st.session_state.get(f"span_{self.key}")
        return found

    def show(self, view: list[float] | Span | None) -> None:
        """Show ``view`` from now on; all of it for None, [] or nearly all. A slip of the hand changes nothing.

        Two further numbers of a list are the part of the frequency axis, from 0 to 1.
        """
        band = tuple(sorted(min(max(0.0, at), 1.0) for at in view[2:4])) if view else ()
        if not view:
            st.session_state[f"band_{self.key}"] = None
        elif len(band) == 2 and band[1] - band[0] >= _LEAST_BAND:
            st.session_state[f"band_{self.key}"] = band
        span = self._within(view[:2] if view else None)
        if view and span is None:
            return
        if span is not None and span[1] - span[0] > 0.98 * self.seconds:
            span = None
        st.session_state[f"view_{self.key}"] = span

    def select(self, span: list[float] | Span | None) -> None:
        """Select ``span``, or nothing."""
        st.session_state[f"span_{self.key}"] = self._within(span)

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much, about the middle of what is selected, else of what is shown."""
        low, high = self.view or (0.0, self.seconds)
        chosen = self.selected
        about = chosen if chosen is not None and low <= sum(chosen) / 2 <= high else (low, high)
        middle, half = sum(about) / 2, factor * (high - low) / 2
        low = min(max(0.0, middle - half), max(0.0, self.seconds - 2 * half))
        self.show((low, low + 2 * half))

    def move(self, share: float) -> None:
        """Show a part later by ``share`` of what is shown; earlier if that is negative."""
        low, high = self.view or (0.0, self.seconds)
        by = min(max(share * (high - low), -low), self.seconds - high)
        self.show((low + by, high + by))

    def _within(self, span: list[float] | Span | None) -> Span | None:
        if not span:
            return None
        low, high = sorted(min(max(0.0, float(at)), self.seconds) for at in span)
        return (low, high) if high - low >= SHORTEST else None


class Moment:
    """The second of the slice, in the session of the visitor.

    The box that shows it is another widget after each click: what the browser says of the box meanwhile, with
    anything else that is pressed, is the second before the click, and must not undo it.

    Args:
        spans: what is looked at.
        first: the second to begin with.
    """

    def __init__(self, spans: Spans, first: Callable[[], float]) -> None:
        self.seconds = spans.seconds
        self._name, self._clicks = f"moment_{spans.key}", f"clicks_{spans.key}"
        if self._name not in st.session_state:
            self._set(first())

    @property
    def second(self) -> float:
        """Where the slice is taken."""
        return float(st.session_state[self._name])

    @property
    def key(self) -> str:
        """The key of the box."""
        return f"at_{self._name}_{st.session_state.get(self._clicks, 0)}"

    def take(self, second: float) -> None:
        """Take the slice at ``second``, or at the end that is nearest to it."""
        self._set(second)
        st.session_state[self._clicks] = st.session_state.get(self._clicks, 0) + 1

    def typed(self) -> None:
        """Take the slice at the second in the box."""
        self._set(st.session_state[self.key])

    def _set(self, second: float) -> None:
        st.session_state[self._name] = round(min(max(0.0, second), self.seconds), 3)
