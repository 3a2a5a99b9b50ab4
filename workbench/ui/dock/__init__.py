"""The player at the foot of every page: the only thing that sounds. Pages say what it holds and draw its buttons."""

from workbench.ui.dock.figures import bind
from workbench.ui.dock.place import button, html_button, place, play, show
from workbench.ui.dock.sounds import Sound, of_bytes, of_chunk, of_job, of_run, of_voice, shortened

__all__ = [
    "Sound",
    "bind",
    "button",
    "html_button",
    "of_bytes",
    "of_chunk",
    "of_job",
    "of_run",
    "of_voice",
    "place",
    "play",
    "shortened",
    "show",
]
