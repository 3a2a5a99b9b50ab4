"""Play the chunks of a run as they are finished, without gaps and with the cross-fades of the saved audio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamlit.components.v2 import component

from workbench.figures.theme import CHUNK_COLOURS

_HTML = """
<div class="player" role="group" aria-label="Player of the chunks">
  <button type="button" aria-label="Play" disabled>
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M4 2.5v11l9-5.5z"/></svg>
  </button>
  <div class="bar" role="slider" tabindex="0" aria-label="Position" aria-valuemin="0"><div class="head"></div></div>
  <div class="meter" aria-hidden="true"><div></div></div>
  <output></output>
</div>
"""
_STATIC = Path(__file__).parents[1] / "static"
_player = component(
    "chunk_player",
    html=_HTML,
    css=(_STATIC / "player.css").read_text("utf-8"),
    js=(_STATIC / "player.js").read_text("utf-8"),
)


def chunk_player(
    run_id: str,
    urls: Sequence[str],
    seconds: Sequence[float],
    *,
    fade_seconds: float,
    active: bool = False,
    autoplay: bool = False,
    key: str = "player",
) -> None:
    """Draw a player of the chunks at ``urls``; more may arrive while it plays.

    Args:
        run_id: a new id resets the player.
        urls: addresses of the finished chunks on this server, in order.
        seconds: length of every chunk, planned or real; drawn as coloured parts of the bar.
        fade_seconds: cross-fade between neighbouring chunks.
        active: whether more chunks will arrive.
        autoplay: start with the first chunk, if the browser allows it.
        key: widget key.
    """
    _player(
        key=key,
        data={
            "id": run_id,
            "urls": list(urls),
            "seconds": [round(s, 3) for s in seconds],
            "colours": list(CHUNK_COLOURS),
            "fade": fade_seconds,
            "active": active,
            "autoplay": autoplay,
        },
    )
