"""The recipe on the command line: `python -m training.demo_voice corpus | train-... | evaluate | export`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="demo-voice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Make the demo voice anew: corpus, training, evaluation, export.",
)

Work = Annotated[Path, typer.Option("--work", help="Folder for the corpus, the curves and the checkpoints.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps in all; a resumed training goes on to this.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda.")]


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("workbench.compat").setLevel(logging.WARNING)


@app.command()
def corpus(work: Work = Path("runs/demo-voice"), shards: int = 12, groups: int = 150, seed: int = 5) -> None:
    """Speak and cache the training corpus (12 shards of 150 groups: 15 hours of speech, 5 minutes on one core)."""
    from training.demo_voice import recipe

    _log()
    recipe.make_corpus(work, shards, groups, seed)


@app.command("train-acoustic")
def train_acoustic(
    work: Work = Path("runs/demo-voice"),
    steps: Steps = None,
    device: Device = "auto",
    processes: Annotated[int, typer.Option(min=1, help="Data-parallel processes; on a CPU, one per core.")] = 1,
    letters_steps: Annotated[int, typer.Option(help="Steps of the lesson on letters that comes first.")] = 400,
    critic_steps: Annotated[int | None, typer.Option(help="Steps of the critic, trained next.")] = None,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Compile the blocks.")] = True,
    onto: Annotated[Path | None, typer.Option(help="Start with the blocks of this exported voice.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="JSON with fields of AcousticPlan, instead of its defaults.")
    ] = None,
) -> None:
    """Teach the text layers to spell, train the critic, then the acoustic model; resumes where it stopped."""
    from training.demo_voice import acoustic, recipe

    _log()
    fields = acoustic.read_plan(plan) if plan else {}
    job = recipe.AcousticJob(work, steps, device, processes, letters_steps, critic_steps, compiled, onto, fields)
    recipe.train_acoustic(job)


@app.command("train-vocoder")
def train_vocoder(
    work: Work = Path("runs/demo-voice"),
    steps: Steps = None,
    onto: Annotated[Path | None, typer.Option(help="Start with the vocoder of this exported voice.")] = None,
    retraced: Annotated[
        int | None, typer.Option(min=0, help="Utterances said again by the acoustic model, for half of the rows.")
    ] = None,
) -> None:
    """Train the small Vocos, after the acoustic model, whose mels it learns to read; resumes where it stopped."""
    from training.demo_voice import recipe

    _log()
    recipe.train_vocoder(work, steps, onto, retraced)


@app.command("train-recogniser")
def train_recogniser(work: Work = Path("runs/demo-voice"), steps: Steps = None) -> None:
    """Train the phone recogniser that the evaluation listens with."""
    from training.demo_voice import recipe

    _log()
    recipe.train_recogniser(work, steps)


@app.command()
def evaluate(
    work: Work = Path("runs/demo-voice"),
    folder: Annotated[
        Path | None,
        typer.Option(help="Exported voice. Default: the newest checkpoints of --work, else the bundled voice."),
    ] = None,
    nfe_step: int = 32,
    cfg_strength: Annotated[float, typer.Option(help="Guidance; 2 is what everybody gets who sets nothing.")] = 2.0,
    limit: Annotated[int | None, typer.Option(help="Only so many sentences.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write evaluation.json and evaluation.png here too.")] = None,
    development: Annotated[
        bool, typer.Option("--development", help="The sentences and voices kept for choosing between weights.")
    ] = False,
) -> None:
    """Measure on held-out sentences and voices (ten minutes); prints one JSON document. Needs espeak-ng."""
    from training.demo_voice import held_out, recipe
    from training.demo_voice.speaking import SamplerSettings
    from workbench.engine.catalog import bundled_folder

    _log()
    if folder is None and not (work / "acoustic" / "acoustic.pt").exists():
        folder = bundled_folder()
    how, chosen = SamplerSettings(nfe_step, cfg_strength), held_out.DEVELOPMENT if development else held_out.EVALUATION
    typer.echo(json.dumps(recipe.evaluate(work, folder, how, limit, out, chosen), indent=1))


@app.command()
def export(
    work: Work = Path("runs/demo-voice"),
    folder: Annotated[Path, typer.Option(help="Where to; what is there is replaced.")] = Path("cache/demo-voice"),
    name: Annotated[str, typer.Option(help="model_<name>.safetensors")] = "demo",
    began_with: Annotated[
        Path | None,
        typer.Option(exists=True, help="Exported voice that the training began with: write weights between both."),
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="How far from those to the new ones.")] = 0.5,
) -> None:
    """Write the voice in the layout of the released models, and prove that it loads."""
    from training.demo_voice import recipe

    lock = recipe.export(work, folder, name, began_with, share)
    size = sum(f["size"] for f in lock["files"].values())
    typer.echo(f"{folder}: {len(lock['files'])} files, {size / 1e6:.1f} MB")
