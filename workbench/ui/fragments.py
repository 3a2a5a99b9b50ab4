"""Parts of pages that are drawn alone, and what is said in the place of a part that cannot be drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

import streamlit as st

from workbench.engine.errors import MissingRunError, WorkbenchError

log = logging.getLogger("workbench.ui")
P = ParamSpec("P")
T = TypeVar("T")


def in_words(draw: Callable[P, T]) -> Callable[P, T | None]:
    """Return ``draw``, which says an error that users can correct in its place, and in one line of the log.

    Anything that is no ``WorkbenchError`` keeps its traceback.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return draw(*args, **kwargs)
        except MissingRunError as error:
            log.warning("not drawn: %s", error)
            st.warning(f"This run is no longer there. {error.remedy}", icon=":material/delete:")
        except WorkbenchError as error:
            log.warning("not drawn: %s", error)
            st.error(str(error))
        return None

    return drawn


@overload
def fragment(draw: Callable[P, T]) -> Callable[P, T | None]: ...
@overload
def fragment(*, run_every: float | None) -> Callable[[Callable[P, T]], Callable[P, T | None]]: ...
def fragment(draw: Any = None, *, run_every: float | None = None) -> Any:
    """Return ``draw`` as a part of the page that is drawn again alone: when its widgets are used, or every few seconds.

    That may be long after the page was drawn, with what the page had found then, such as a run that is deleted now.

    Args:
        draw: draws the part; None to decorate with ``run_every``.
        run_every: seconds between drawings; None for none.
    """
    if draw is None:
        return lambda decorated: st.fragment(in_words(decorated), run_every=run_every)
    return st.fragment(in_words(draw))
