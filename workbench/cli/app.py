"""The Typer app, with the commands ``synth`` and ``plan``. Other modules hold the other commands."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output, show, speaking
from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.reading import read_text
from workbench.cli.parts.workers import Address, ExecutorName, WorkerCount
from workbench.engine.catalog import get_model
from workbench.engine.errors import VoiceError
from workbench.engine.files import outputs
from workbench.engine.ids import new_id
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech import text
from workbench.engine.speech.recordings.reading import told_of_unread, vocabulary_of
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, load_voice, make_voice
from workbench.engine.text.normalise import summary
from workbench.engine.text.preparing import Prepared, prepare

app = typer.Typer(
    name="workbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # accept underscores too, as in upstream's flags
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: name.replace("_", "-"),
    },
    help="F5-TTS research workbench: speech, spectrograms and the time of every stage, offline.",
)

TextArgument = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Text to speak; - reads standard input.")]
TextFile = Annotated[Path | None, typer.Option("--text-file", help="Read the text from a UTF-8 file.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Model of the catalogue, see `workbench models`.")]
VoiceName = Annotated[str | None, typer.Option("--voice", "-v", help="Bundled or saved voice, see `workbench voices`.")]
RefAudio = Annotated[Path | None, typer.Option("--ref-audio", help="Reference recording (WAV, FLAC, OGG, MP3, m4a).")]
RefText = Annotated[str | None, typer.Option("--ref-text", help="The words of --ref-audio; default: a recogniser's.")]
ShortenPauses = Annotated[bool, typer.Option("--shorten-pauses", help="Shorten each silence over 1 s in --ref-audio.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the log on standard error.")]
Clean = Annotated[
    bool,
    typer.Option(
        "--clean", help="Make the changes that `plan` offers: remove Markdown marks, emoji and tags; replace letters."
    ),
]
Files = Annotated[
    str,
    typer.Option(
        "--files", metavar="chapter|chunk", help="A file for each chapter (or chunk), in a folder named as --out."
    ),
]
Folder = Annotated[Path | None, typer.Option("--folder", help="Look for the model's files here first.")]


def choose_voice(
    name: str | None, ref_audio: Path | None, ref_text: str | None, model: str, shorten_pauses: bool = False
) -> Voice:
    """Return the voice of the options: a bundled or saved one, or one made from a recording and its words.

    Raises:
        VoiceError: the options exclude each other, or the voice is unknown or unusable.
    """
    mel = get_model(model).mel
    if ref_audio is None:
        if ref_text is not None:
            raise VoiceError("--ref-text needs --ref-audio.", remedy="Name the recording it belongs to.")
        return load_voice(name, mel)
    if name is not None:
        raise VoiceError("--voice and --ref-audio exclude each other.", remedy="Give one of them.")
    return make_voice(ref_audio, ref_text, mel_config=mel, shorten_pauses=shorten_pauses)


@app.command("synth")
@settings_flags(settings=SynthesisSettings, load=LoadSettings)
def synth(
    *,
    words: TextArgument = None,
    text_file: TextFile = None,
    model: ModelName = "demo-voice",
    folder: Folder = None,
    voice: VoiceName = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    shorten_pauses: ShortenPauses = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="WAV, FLAC or OGG. Default: speech.wav, speech-2.wav, ...")
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights", help="Use random weights, to measure the speed of a model. The result is noise."
        ),
    ] = False,
    clean: Clean = False,
    files: Files = "",
    save: Annotated[bool, typer.Option("--save/--no-save", help="Save the run in runs/, as the pages do.")] = True,
    reuse: Annotated[
        bool,
        typer.Option("--reuse/--no-reuse", help="Read unchanged chunks from earlier runs; off makes every chunk."),
    ] = True,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", help="Write every operation to this trace (trace.json.gz), for ui.perfetto.dev."),
    ] = None,
    executor: ExecutorName = "local",
    workers: WorkerCount = None,
    address: Address = "",
    as_json: Json = False,
    verbose: Verbose = False,
    settings: SynthesisSettings,
    load: LoadSettings,
) -> None:
    """Speak a text into a sound file, save the run, and show the time of each stage."""
    output.log_to_stderr(verbose)
    wanted = read_text(words, text_file)
    text.check_text(wanted)
    target = speaking.Target(out, files)
    if profile is not None:
        outputs.check_place(profile)
    speaker = choose_voice(voice, ref_audio, ref_text, model, shorten_pauses)
    speaking.warn(speaker.warnings, f"voice {speaker.name}")
    prepared = _prepared(model, wanted, speaker, settings, folder)
    if clean:
        wanted = prepared.cleaned
        prepared = _prepared(model, wanted, speaker, settings, folder)
    prepared.check()  # before the model is loaded
    speaking.warn(_remarks(prepared), "text")
    speaking.warn(_unread(speaker, model, folder), f"voice {speaker.name}")
    speaker.plan(prepared, settings, _window(model))

    from workbench.engine.jobs.pool import EnginePool

    pool = EnginePool()
    pool.remember(speaker)
    place = str(folder.absolute()) if folder else ""
    request = SpeechRequest(wanted, speaker.ref, settings, model, place, random_weights, load, reuse=reuse)
    request = request.replace(profile=profile is not None)
    pool.engine_for(request)  # load before the progress bar starts
    spread = speaking.Workers(executor, workers, address)
    run = speaking.speak(pool, request, new_id(), target, bar=not as_json, spread=spread)
    speaking.finish(run, target, save=save, as_json=as_json, profile=profile)


@app.command("plan")
@settings_flags(settings=SynthesisSettings)
def plan(
    *,
    words: TextArgument = None,
    text_file: TextFile = None,
    model: ModelName = "demo-voice",
    voice: VoiceName = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    shorten_pauses: ShortenPauses = False,
    clean: Clean = False,
    as_json: Json = False,
    settings: SynthesisSettings,
) -> None:
    """Show the chunks of a text, their bytes, predicted seconds and warnings, without loading a model."""
    output.log_to_stderr(False)
    wanted = read_text(words, text_file)
    text.check_text(wanted)
    speaker = choose_voice(voice, ref_audio, ref_text, model, shorten_pauses)
    mel = get_model(model).mel
    prepared = _prepared(model, wanted, speaker, settings)
    if clean:
        prepared = _prepared(model, prepared.cleaned, speaker, settings)
    chunks = speaker.plan(prepared, settings, _window(model))
    rows: list[dict[str, Any]] = [
        {"index": c.index, "text": c.text, "written": c.written or c.text, "n_bytes": c.n_bytes,
         "planned_seconds": c.planned_seconds,
         "duration_frames": c.duration_frames, "seed": c.seed, "warnings": list(c.warnings), "start": c.start,
         "end": c.end, "lead_seconds": c.lead_seconds, "pause_seconds": c.pause_seconds}
        for c in chunks
    ]  # fmt: skip
    places = [change.start for change in prepared.lacking]
    for row in rows:
        inside = prepared.lacking[bisect_left(places, row["start"]) : bisect_left(places, row["end"])]
        found = dict.fromkeys(change.before for change in inside)
        row["warnings"] += [f"the vocabulary lacks {', '.join(map(repr, found))}"] if found else []
    pace = speaker.pace_samples / mel.target_sample_rate
    budget = text.byte_budget(speaker.ref_text, speaker.seconds, settings, pace)
    document = {"voice": speaker.name, "budget_bytes": budget,
                "voice_warnings": [*speaker.warnings, *_unread(speaker, model)],
                "reference_seconds": speaker.seconds, "chunks": rows, "remarks": list(_remarks(prepared)),
                "changes": [c.as_dict() for c in prepared.changes],
                "offers": [c.as_dict() for c in prepared.offers]}  # fmt: skip
    if as_json:
        output.print_json(document)
    else:
        show.plan(document)


def _window(model: str) -> int:
    return WINDOW_FRAMES[get_model(model).backbone]


def _prepared(
    model: str, words: str, speaker: Voice, settings: SynthesisSettings, folder: Path | None = None
) -> Prepared:
    """Prepare ``words`` for ``model``, with its vocabulary if that is on this machine."""
    spec = get_model(model)
    vocabulary = vocabulary_of(spec, folder)
    return prepare(words, vocabulary, text.number_languages(spec.languages, speaker.language, settings))


def _unread(speaker: Voice, model: str, folder: Path | None = None) -> tuple[str, ...]:
    """A warning if ``model`` cannot read all words of the voice."""
    return told_of_unread(speaker.ref_text, model, vocabulary_of(get_model(model), folder))


def _remarks(prepared: Prepared) -> tuple[str, ...]:
    """Return one line with the changes made and one with the changes offered."""
    changed, offered = summary(prepared.changes), summary(prepared.offers)
    return tuple(
        line
        for line in (f"changed: {changed}" if changed else "", f"offered by --clean: {offered}" if offered else "")
        if line
    )


def _mount() -> None:
    """Add the commands of the neighbouring modules."""
    from workbench.cli import bench, cache, evaluate, info, lab, runs, serve, sweep, voices

    for command in (info.models, info.licences, info.doctor):
        app.command(command.__name__)(command)
    app.command("app")(serve.serve)
    app.command("sweep")(sweep.sweep)
    app.command("evaluate")(evaluate.evaluate)
    app.add_typer(runs.runs_app, name="runs")
    app.add_typer(voices.voices_app, name="voices")
    app.add_typer(cache.cache_app, name="cache")
    app.add_typer(bench.bench_app, name="bench")
    app.add_typer(lab.lab_app, name="lab")


_mount()
