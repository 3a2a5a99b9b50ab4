"""Texts and scripts on the command line: from words or a file to one request, with its plan and remarks."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.parts.reading import read_text
from workbench.engine.catalog import get_model
from workbench.engine.errors import SettingsError, TextError
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.scripts import SUFFIXES, Fit, Row, Sheet, compose, fit, read_sheet, rows_of_plan
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech import text
from workbench.engine.speech.passages.planning import plan_script
from workbench.engine.speech.recordings.reading import told_of_unread, vocabulary_of
from workbench.engine.speech.text import Chunk
from workbench.engine.speech.voices import Voice
from workbench.engine.text import speakers as tags
from workbench.engine.text.normalise import Change, applied, summary
from workbench.engine.text.preparing import Prepared, prepare
from workbench.engine.visible import quoted

ScriptFile = Annotated[
    Path | None,
    typer.Option(
        "--script", help=f"Script of several voices: text with [Nora] tags, TOML, or subtitles ({', '.join(SUFFIXES)})."
    ),
]
CastNames = Annotated[
    list[str] | None,
    typer.Option("--cast", metavar="NAME=VOICE", help="Who speaks a name in the script; once for each name."),
]
Gap = Annotated[
    float | None,
    typer.Option("--gap", help="Seconds of silence between passages without a pause or a time. [0 to 600]"),
]
Limits = Annotated[
    str,
    typer.Option(
        "--fit",
        metavar="SLOWEST:FASTEST",
        help="Speeds within which passages are fitted into the times of subtitles; off keeps the speed.",
    ),
]
DEFAULT_LIMITS = f"{Fit().slowest:g}:{Fit().fastest:g}"


def sheet_of(words: str | None, text_file: Path | None, script: Path | None, cast: Sequence[str] | None) -> Sheet:
    """Return the text, or the script in a file. Raises TextError unless exactly one is given."""
    if script is None:
        return Sheet("", read_text(words, text_file))
    if words is not None or text_file is not None:
        raise TextError("--script holds the text.", remedy="Leave out the other text.")
    return read_sheet(script, tuple(aliases(cast)))


def aliases(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return name to voice of the options --cast. Raises SettingsError."""
    found = {}
    for pair in pairs or ():
        name, mark, voice = (part.strip() for part in pair.partition("="))
        if not (name and mark and voice):
            raise SettingsError(f"--cast {pair!r} casts nobody.", remedy='Write --cast "Mary=Nora".')
        found[name] = voice
    return found


def merged(given: SynthesisSettings, flags: Mapping[str, Any], sheet: Sheet) -> SynthesisSettings:
    """Return the settings of the file, and over them the ``given`` ones that ``flags`` names."""
    over = {name: value for name, value in given.as_dict().items() if name in flags}
    return SynthesisSettings().replace(**sheet.settings).replace(**over)


class Speech:
    """What is to be spoken: a request with its voices, before a model is loaded.

    Args:
        sheet: text or script.
        main: voice of what no tag names, or None for that of the sheet.
        model: name in the catalogue.
        folder: searched for its files first.
        cast, gap, limits: as the options.
        clean: make the changes that are offered.
        settings: of the request.
        rest: other fields of the request.

    Raises:
        WorkbenchError: a voice is unknown, or the text cannot be spoken.
    """

    def __init__(
        self,
        sheet: Sheet,
        main: Voice | None,
        settings: SynthesisSettings,
        *,
        model: str,
        folder: Path | None = None,
        cast: Sequence[str] | None = None,
        gap: float | None = None,
        limits: str = DEFAULT_LIMITS,
        clean: bool = False,
        **rest: Any,
    ) -> None:
        self.spec, self.folder = get_model(model), folder
        self._limits = Fit.of(limits)
        self._aliases = aliases(cast)
        self.cast = sheet.cast(main, self.spec.mel, aliases=self._aliases)
        rest |= {"model": model, "folder": str(folder.absolute()) if folder else ""}
        rest |= {"gap_seconds": sheet.gap_seconds if gap is None else gap, "strict": bool(sheet.name)}
        self.request, self.voices = compose(sheet.text, self.cast, settings, **rest)
        if clean:
            self.request, self.voices = compose(self._cleaned(), self.cast, settings, **rest)
        if self.request.script is not None:
            self.request = fit(self.request, self.voices, self.prepare, self.window, self._limits)

    @property
    def window(self) -> int:
        """Longest sequence of the model in mel frames."""
        return WINDOW_FRAMES[self.spec.backbone]

    @property
    def speakers(self) -> Mapping[str, Voice]:
        """Name to voice of all who speak."""
        return self.voices or {self.cast.main.name: self.cast.main}

    @cached_property
    def _vocabulary(self) -> frozenset[str] | None:
        return vocabulary_of(self.spec, self.folder)

    def prepare(self, words: str, voice: Voice, settings: SynthesisSettings) -> Prepared:
        """Prepare ``words`` for the model, with its vocabulary if that is on this machine."""
        languages = text.number_languages(self.spec.languages, voice.language, settings)
        return prepare(words, self._vocabulary, languages)

    @cached_property
    def prepared(self) -> list[tuple[int, Prepared]]:
        """The place of each passage in the text, and the passage prepared; of an ordinary text, all of it."""
        script, request = self.request.script, self.request
        if script is None:
            return [(0, self.prepare(request.text, self.cast.main, request.settings))]
        return [
            (p.start, self.prepare(request.text[p.start : p.end], self.voices[p.speaker], request.settings_of(k)))
            for k, p in enumerate(script.passages)
        ]

    def plan(self, *, check: bool = True) -> list[Chunk]:
        """Return the chunks; with ``check``, raise TextError where the model cannot speak the text."""
        if self.request.script is not None:
            return plan_script(self.request, self.voices, self.prepare, self.window, check=check)
        prepared = self.prepared[0][1]
        return self.cast.main.plan(prepared.check() if check else prepared, self.request.settings, self.window)

    def rows(self, chunks: Sequence[Chunk]) -> list[Row]:
        """Return the passages beside their times; [] for an ordinary text."""
        return rows_of_plan(self.request, chunks, self.spec.mel.target_sample_rate) if self.voices else []

    def found(self, kind: str) -> tuple[Change, ...]:
        """Return the "changes", "offers" or what is "lacking", with their places in the whole text."""
        return tuple(
            dataclasses.replace(change, start=change.start + start)
            for start, prepared in self.prepared
            for change in getattr(prepared, kind)
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line with the changes made and one with those offered."""
        changed, offered = summary(self.found("changes")), summary(self.found("offers"))
        speaking = [tags.key(name) for name in self.voices]
        idle = [name for name in self._aliases if tags.key(name) not in speaking]
        lines = (
            f"changed: {changed}" if changed else "",
            f"offered by --clean: {offered}" if offered else "",
            f"--cast names {', '.join(map(quoted, idle))}, who says nothing here" if idle else "",
        )
        return tuple(line for line in lines if line)

    def unread(self, voice: Voice) -> tuple[str, ...]:
        """A warning if the model cannot read all words of ``voice``."""
        return told_of_unread(voice.ref_text, self.spec.name, self._vocabulary)

    def _cleaned(self) -> str:
        cleaned = applied(self.request.text, self.found("offers"))
        del self.prepared
        return cleaned


def planned_document(speech: Speech, chunks: Sequence[Chunk], remarks: Sequence[str] = ()) -> dict[str, Any]:
    """Return the plan, ready for JSON: chunks, voices, changes, and the passages of a script."""
    rows: list[dict[str, Any]] = [
        {"index": c.index, "text": c.text, "written": c.written or c.text, "n_bytes": c.n_bytes,
         "planned_seconds": c.planned_seconds,
         "duration_frames": c.duration_frames, "seed": c.seed, "warnings": list(c.warnings), "start": c.start,
         "end": c.end, "lead_seconds": c.lead_seconds, "pause_seconds": c.pause_seconds, "passage": c.passage}
        for c in chunks
    ]  # fmt: skip
    lacking = speech.found("lacking")
    places = [change.start for change in lacking]
    for row in rows:
        inside = lacking[bisect_left(places, row["start"]) : bisect_left(places, row["end"])]
        found = dict.fromkeys(change.before for change in inside)
        row["warnings"] += [f"the vocabulary lacks {', '.join(map(repr, found))}"] if found else []
    main = next(iter(speech.speakers.values()))
    pace = main.pace_samples / main.mel_config.target_sample_rate
    budget = text.byte_budget(main.ref_text, main.seconds, speech.request.settings, pace)
    return {
        "voice": main.name, "budget_bytes": budget, "voice_warnings": [*main.warnings, *speech.unread(main)],
        "reference_seconds": main.seconds, "chunks": rows, "remarks": [*remarks, *speech.remarks],
        "changes": [c.as_dict() for c in speech.found("changes")],
        "offers": [c.as_dict() for c in speech.found("offers")],
        "speakers": [
            {"name": name, "voice": voice.name, "seconds": voice.seconds,
             "warnings": [*voice.warnings, *speech.unread(voice)]}
            for name, voice in speech.voices.items()
        ],
        "passages": [row.as_dict() for row in speech.rows(chunks)],
    }  # fmt: skip
