"""``workbench runs takes``, ``take``, ``choose``, ``undo``, ``redo``, ``save-take``: chunks made again and chosen."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench.cli.parts import output
from workbench.cli.parts.output import console, print_json, say, table
from workbench.cli.runs import Json, RunId, runs_app
from workbench.engine import measures
from workbench.engine.errors import SettingsError
from workbench.engine.files import outputs
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.values import Take, Takes

ChunkNumber = Annotated[int, typer.Argument(metavar="CHUNK", help="Number of the chunk, from 1.")]
TakeNumber = Annotated[int, typer.Argument(metavar="TAKE", help="Number of the take; 1 is the first.")]


@runs_app.command("takes")
def takes(
    run_id: RunId,
    chunk: Annotated[int | None, typer.Option("--chunk", help="Of this chunk only, from 1.")] = None,
    as_json: Json = False,
) -> None:
    """List the takes of a run: of every chunk that was made again, with the one that is chosen."""
    found = choosing.takes_of(run_id)
    shown = found.chunks if chunk is None else [chunk - 1]
    rows = [take for k in shown for take in found.of(k)]
    if as_json:
        print_json(_document(found, rows))
        return
    if not rows:
        say(f"Every chunk of {run_id} has one take. Make another one with `workbench runs take {run_id} CHUNK`.")
        return
    _print(run_id, found, rows)


@runs_app.command("take")
def take(
    run_id: RunId,
    chunk: ChunkNumber,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**31 - 1, help="Default: one that nothing in the run has.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Other words, as one chunk.")] = None,
    speed: Annotated[float | None, typer.Option("--speed", help="Another speed, which decides the length.")] = None,
    parent: Annotated[int | None, typer.Option("--from", help="Take to start from. Default: the chosen one.")] = None,
    choose: Annotated[bool, typer.Option("--choose", help="Let the run sound with it.")] = False,
    as_json: Json = False,
) -> None:
    """Make a chunk of a run again and keep it in the run, beside its other takes. The other chunks stay."""
    output.log_to_stderr(False)
    choosing.takes_of(run_id).of(chunk - 1)  # before the model is loaded
    from workbench.engine.jobs.takes import make_take

    with output.step_bar(not as_json) as on_step:
        made = make_take(
            run_id, chunk - 1, seed=seed, words=text, speed=speed, parent=parent, choose=choose, on_step=on_step
        )
    if as_json:
        print_json({"id": run_id, **made.as_dict()})
        return
    say(f"take {made.number} of chunk {chunk}: seed {made.seed}, {made.audio_seconds:.2f} s, "
        f"made in {made.timing.total_seconds:.2f} s" + (", chosen" if made.is_chosen else ""))  # fmt: skip
    if not made.is_chosen:
        say(f"Choose it with `workbench runs choose {run_id} {chunk} {made.number}`.")


@runs_app.command("choose")
def choose(run_id: RunId, chunk: ChunkNumber, number: TakeNumber, as_json: Json = False) -> None:
    """Let a run sound with another take of a chunk. `runs undo` takes it back; no take is lost."""
    _changed(run_id, choosing.choose(run_id, {chunk - 1: number}), as_json)


@runs_app.command("undo")
def undo(run_id: RunId, as_json: Json = False) -> None:
    """Take the last choice of a take back."""
    _changed(run_id, choosing.undo(run_id), as_json)


@runs_app.command("redo")
def redo(run_id: RunId, as_json: Json = False) -> None:
    """Make the choice again that was undone last."""
    _changed(run_id, choosing.redo(run_id), as_json)


@runs_app.command("save-take")
def save_take(
    run_id: RunId,
    chunk: ChunkNumber,
    number: TakeNumber,
    out: Annotated[str, typer.Option("--out", "-o", help="WAV, FLAC or OGG.")],
    as_json: Json = False,
) -> None:
    """Write the sound of one take to a file, chosen or not."""
    from workbench.engine.signal import audio

    path = audio.check_output(out)
    found = choosing.read_take(run_id, chunk - 1, number)
    if found.is_failed:
        raise SettingsError(f"Take {number} of chunk {chunk} could not be made.", remedy="Choose another one.")
    written = audio.save_audio(path, lambda: [found.wave], found.n_samples, found.sample_rate, outputs.stamp(path))
    if as_json:
        print_json({"id": run_id, "chunk": chunk - 1, "take": number, "out": str(written)})
    else:
        say(f"wrote {written}")


def _changed(run_id: str, found: Takes, as_json: bool) -> None:
    rows = [take for k in found.chunks for take in found.of(k)]
    if as_json:
        print_json(_document(found, rows))
    else:
        _print(run_id, found, rows)


def _document(found: Takes, rows: list[Take]) -> dict[str, Any]:
    chosen = [found.ledger.number(k) for k in range(found.n_chunks)]
    return {"id": found.run_id, "chosen": chosen, "can_undo": found.can_undo, "can_redo": found.can_redo,
            "takes": [take.as_dict() for take in rows]}  # fmt: skip


def _print(run_id: str, found: Takes, rows: list[Take]) -> None:
    columns = ("chunk", "take", "", "seed", "speed", "audio s", "total s", "RTF", "made from", "measured", "text")
    lines = [
        (take.chunk.index + 1, take.number, "*" if take.is_chosen else "", take.seed, take.speed, take.audio_seconds,
         take.timing.total_seconds, take.rtf, take.parent or None, _measured(take), take.error or take.chunk.text)
        for take in rows
    ]  # fmt: skip
    console().print(table(f"Takes of {run_id}", columns, lines, right=columns[:9]))
    able = [name for name, can in (("undo", found.can_undo), ("redo", found.can_redo)) if can]
    say("* is chosen" + (f"; `workbench runs {able[0]} {run_id}` is possible" if able else ""))


def _measured(take: Take) -> str:
    known = {m.name: m for m in measures.of_every_cost(measures.SOUND)}
    shown = [
        f"{known[name].label} {known[name].shown(value)}" for name, value in take.measured.items() if name in known
    ]
    return ", ".join(shown[:2])
