"""The commands and the modules that hold them. A module is imported when its command is run or shown.

So ``workbench app`` need not import what ``workbench synth`` needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from workbench import __version__
from workbench.engine import collecting
from workbench.engine.files import places

# name of a command to module and name in it, in the order of the help
_HOMES = {
    "synth": "synth.synth",
    "plan": "synth.plan",
    "models": "info.models",
    "licences": "info.licences",
    "doctor": "info.doctor",
    "app": "serve.serve",
    "sweep": "sweep.sweep",
    "evaluate": "evaluate.evaluate",
    "listen": "listen.listen",
    "batch": "batch.batch",
    "runs": "takes.runs_app",  # with the commands of takes
    "voices": "voices.voices_app",
    "cache": "cache.cache_app",
    "bench": "bench.bench_app",
    "lab": "lab.lab_app",
}


@cache
def _command(name: str) -> Any:
    """Return the command ``name`` of Typer, or its group of commands, made from a function or a ``typer.Typer``."""
    module, attribute = _HOMES[name].split(".")
    with collecting.paused():
        found = getattr(import_module(f"..{module}", __package__), attribute)
    holder = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    holder.callback()(lambda: None)  # otherwise a Typer with one command is that command
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    return typer.main.get_group(holder).commands[name]


class _Commands(Mapping[str, Any]):
    """The commands by name; each is imported when it is taken out."""

    def __getitem__(self, name: str) -> Any:
        return _command(name)

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


class _Workbench(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to it


app = typer.Typer(
    name="workbench",
    cls=_Workbench,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # accept underscores too, as in upstream's flags
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: name.replace("_", "-"),
    },
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from workbench.cli.parts import output

        output.say(f"workbench {__version__} in {places.PACKAGE}")
        raise typer.Exit


@app.callback()
def _workbench(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and its folder."),
    ] = False,
) -> None:
    """F5-TTS research workbench: speech, spectrograms and the time of every stage, offline."""
