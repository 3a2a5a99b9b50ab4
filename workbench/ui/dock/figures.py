"""Bind figures with a time axis to a sound: the player draws its cursor over them, and a click plays from there."""

from __future__ import annotations

from workbench.figures import Figure
from workbench.ui.dock.sounds import Sound


def bind(figure: Figure, sound: Sound, starts_at: float = 0.0) -> Figure:
    """Return ``figure``, bound to ``sound``: the x axes of all its subplots are in seconds.

    Args:
        figure: is changed: its ``layout.meta`` takes the sound.
        sound: what a click plays, and whose cursor is drawn.
        starts_at: second of the sound's timeline at x = 0.
    """
    meta = figure.layout.meta if isinstance(figure.layout.meta, dict) else {}
    figure.update_layout(meta={**meta, "sound": sound.as_dict() | {"figure_starts_at": round(starts_at, 6)}})
    return figure
