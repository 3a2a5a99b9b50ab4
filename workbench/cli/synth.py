"""``workbench synth`` and ``workbench plan``: speak a text, or show its chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts import output, show, speaking
from workbench.cli.parts.options import settings_flags
from workbench.cli.parts.scripts import (
    DEFAULT_LIMITS,
    CastNames,
    Gap,
    Limits,
    ScriptFile,
    Speech,
    merged,
    planned_document,
    sheet_of,
)
from workbench.cli.parts.workers import Address, ExecutorName, WorkerCount
from workbench.engine.catalog import DEMO_VOICE, get_model
from workbench.engine.errors import VoiceError
from workbench.engine.files import outputs
from workbench.engine.ids import new_id
from workbench.engine.runs.exports.pieces import KINDS
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech import text
from workbench.engine.speech.voices import Voice, load_voice, make_voice

TextArgument = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Text to speak; - reads standard input.")]
TextFile = Annotated[Path | None, typer.Option("--text-file", help="Read the text from a UTF-8 file.")]
ModelOrScripts = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Model of the catalogue, see `workbench models`. Default: the script's, else demo-voice."
    ),
]
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
    typer.Option("--files", metavar="|".join(KINDS), help="A file for each of these, in a folder named as --out."),
]
Folder = Annotated[Path | None, typer.Option("--folder", help="Look for the model's files here first.")]


def choose_voice(
    name: str | None, ref_audio: Path | None, ref_text: str | None, model: str, shorten_pauses: bool = False
) -> Voice | None:
    """Return the voice of the options, bundled, saved or made from a recording; None if they name none.

    Raises:
        VoiceError: the options exclude each other, or the voice is unknown or unusable.
    """
    mel = get_model(model).mel
    if ref_audio is None:
        if ref_text is not None:
            raise VoiceError("--ref-text needs --ref-audio.", remedy="Name the recording it belongs to.")
        return None if name is None else load_voice(name, mel)
    if name is not None:
        raise VoiceError("--voice and --ref-audio exclude each other.", remedy="Give one of them.")
    return make_voice(ref_audio, ref_text, mel_config=mel, shorten_pauses=shorten_pauses)


@settings_flags(settings=SynthesisSettings, load=LoadSettings)
def synth(
    *,
    words: TextArgument = None,
    text_file: TextFile = None,
    script: ScriptFile = None,
    cast: CastNames = None,
    gap: Gap = None,
    fit: Limits = DEFAULT_LIMITS,
    model: ModelOrScripts = None,
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
    skip_failed: Annotated[
        bool, typer.Option("--skip-failed", help="Leave out a chunk that cannot be made: silence is in its place.")
    ] = False,
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
    flags: dict[str, Any],
) -> None:
    """Speak a text into a sound file, save the run, and show the time of each stage."""
    output.log_to_stderr(verbose)
    sheet = sheet_of(words, text_file, script, cast)
    text.check_text(sheet.text)
    target, spread = speaking.Target(out, files), speaking.Workers(executor, workers, address)
    spread.check(skip_failed)
    if profile is not None:
        outputs.check_place(profile)
    model = model or sheet.model or DEMO_VOICE
    speech = Speech(
        sheet, choose_voice(voice, ref_audio, ref_text, model, shorten_pauses), merged(settings, flags, sheet),
        model=model,
        folder=folder, cast=cast, gap=gap, limits=fit, clean=clean, random_weights=random_weights, load=load,
        reuse=reuse, profile=profile is not None,
    )  # fmt: skip
    rows = speech.rows(speech.plan())  # checked before the model is loaded
    speaking.warn(sheet.remarks, sheet.name)
    for name, speaker in speech.speakers.items():
        speaking.warn((*speaker.warnings, *speech.unread(speaker)), f"voice {name}")
    speaking.warn(speech.remarks, "text")

    from workbench.engine.jobs.pool import EnginePool

    pool, request = EnginePool(), speech.request
    for speaker in speech.speakers.values():
        pool.remember(speaker)
    speaking.warn(show.misfits(rows), "times")
    pool.engine_for(request)  # load before the progress bar starts
    run = speaking.speak(pool, request, new_id(), target, bar=not as_json, spread=spread, skip_failed=skip_failed)
    speaking.finish(run, target, save=save, as_json=as_json, profile=profile)


@settings_flags(settings=SynthesisSettings)
def plan(
    *,
    words: TextArgument = None,
    text_file: TextFile = None,
    script: ScriptFile = None,
    cast: CastNames = None,
    gap: Gap = None,
    fit: Limits = DEFAULT_LIMITS,
    model: ModelOrScripts = None,
    voice: VoiceName = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    shorten_pauses: ShortenPauses = False,
    clean: Clean = False,
    as_json: Json = False,
    settings: SynthesisSettings,
    flags: dict[str, Any],
) -> None:
    """Show the chunks of a text, their bytes, predicted seconds and warnings, without loading a model."""
    output.log_to_stderr(False)
    sheet = sheet_of(words, text_file, script, cast)
    text.check_text(sheet.text)
    model = model or sheet.model or DEMO_VOICE
    speech = Speech(
        sheet, choose_voice(voice, ref_audio, ref_text, model, shorten_pauses), merged(settings, flags, sheet),
        model=model,
        cast=cast, gap=gap, limits=fit, clean=clean,
    )  # fmt: skip
    chunks = speech.plan(check=False)
    document = planned_document(speech, chunks, sheet.remarks)
    if as_json:
        output.print_json(document)
    else:
        show.plan(document)
