"""Read a script from a file: text with tags, TOML, or subtitles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.engine.errors import TextError, reason_of
from workbench.engine.files.reading import encoding_of, text_of
from workbench.engine.rules import TEXT_MAX_BYTES
from workbench.engine.scripts import subtitles
from workbench.engine.scripts.casting import Cast
from workbench.engine.scripts.toml import Declared, Files, read_toml
from workbench.engine.settings import MelConfig
from workbench.engine.speech.recordings.library import list_voices
from workbench.engine.speech.voices import Voice, load_voice, make_voice

SUFFIXES = (".txt", ".md", ".toml", *subtitles.KINDS)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A script as its file has it, before anybody is cast.

    Attributes:
        name: of the file.
        text: with tags.
        main: voice of what no tag names; None if the file names none.
        voices: name to the voice that the file declares.
        settings: of all passages.
        model: that it asks for, or "".
        out: sound file that it asks for, or "".
        gap_seconds: silence between two passages without a pause or a time.
        remarks: what of the file is not used, or was changed.
        is_timed: its passages have times.
    """

    name: str
    text: str
    main: Declared | None = None
    voices: Mapping[str, Declared] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: str = ""
    out: str = ""
    gap_seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    is_timed: bool = False

    def cast(
        self,
        main: Voice | None,
        mel_config: MelConfig = MelConfig(),
        *,
        aliases: Mapping[str, str] | None = None,
        load: Callable[[str], Voice] | None = None,
    ) -> Cast:
        """Return the voices of the script, with the recordings that it declares prepared.

        Args:
            main: of what no tag names, instead of the file's own; None: the file's, else the default voice.
            mel_config: of the model.
            aliases: name in the script to the name of a voice.
            load: returns a voice by its name.

        Raises:
            VoiceError, AudioError: a voice does not exist, or its recording cannot be used.
        """
        load = load or (lambda name: load_voice(name, mel_config))
        declared = {name: _made(name, voice, mel_config) for name, voice in self.voices.items() if not voice.voice}
        named = {name: voice.voice for name, voice in self.voices.items() if voice.voice}
        if main is None and self.main is not None:
            main = load(self.main.voice) if self.main.voice else _made("main", self.main, mel_config)
        return Cast(
            main or load(list_voices()[0].name), declared,
            {name: voice.settings for name, voice in self.voices.items()}, {**named, **(aliases or {})}, load,
        )  # fmt: skip


def _made(name: str, declared: Declared, mel_config: MelConfig) -> Voice:
    """Prepare a declared recording; the words of one that came with the project, as upstream's examples, are known."""
    source, words = declared.recording, declared.ref_text
    assert source is not None
    if words is None and isinstance(source, Path):
        own = (voice for voice in list_voices() if voice.path.exists() and source.samefile(voice.path))
        words = next((voice.ref_text for voice in own), None)
    return make_voice(source, words, name=name, language=declared.language, mel_config=mel_config)


def read_sheet(path: Path, names: tuple[str, ...] = ()) -> Sheet:
    """Return the script in the file ``path``.

    Args:
        path: .txt, .md, .toml, .srt, .vtt, .ass or .ssa.
        names: that may stand before the words of a subtitle, besides those of the library.

    Raises:
        WorkbenchError: it cannot be read, or is not what its suffix says.
    """
    return sheet_of(path.name, _read(path), names, Files(path.absolute().parent, {}))


def sheet_of(
    name: str, content: bytes | str, names: tuple[str, ...] = (), files: Files | Mapping[str, bytes] | None = None
) -> Sheet:
    """Return the script ``content`` of a file called ``name``. Raises as ``read_sheet``.

    Args:
        name: of the file; its suffix says what it is.
        content: bytes or text.
        names: as in ``read_sheet``.
        files: name to content of the files given with it, which a TOML names. None of this disk is read.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise TextError(f"{name!r} is no script.", remedy=f"Give one of {', '.join(SUFFIXES)}.")
    text = content if isinstance(content, str) else _decoded(content, name, lenient=suffix in subtitles.KINDS)
    if suffix == ".toml":
        files = files if isinstance(files, Files) else Files(None, files or {})
        table = read_toml(text, files, _words)
        return Sheet(name, table.text, table.main, table.voices, table.settings, table.model, table.out,
                     table.gap_seconds, tuple(table.remarks))  # fmt: skip
    if suffix in subtitles.KINDS:
        known = (*names, *(voice.name for voice in list_voices()))
        words, remarks = subtitles.as_text(text, suffix, known)
        return Sheet(name, words, remarks=tuple(remarks), is_timed=True)
    return Sheet(name, text)


def _words(found: Path | bytes) -> str:
    """The text of the file that a TOML names."""
    return _decoded(found if isinstance(found, bytes) else _read(found), "gen_file")


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # reading a pipe or a device might never end
            raise TextError(f"There is no file {path}.", remedy="Check the path.")
        with path.open("rb") as file:
            return file.read(TEXT_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TextError(f"Cannot read {path}: {reason_of(error)}.", remedy="Check the path.") from error


def _decoded(content: bytes, name: str, *, lenient: bool = False) -> str:
    """Return the text of a file; of subtitles also in the old encoding of Windows, which many of them have."""
    if len(content) > TEXT_MAX_BYTES:
        raise TextError(f"{name} has more than {TEXT_MAX_BYTES:,} bytes.", remedy="Split it.")
    if encoding_of(content) == "utf-16":
        return content.decode("utf-16", "replace")
    try:
        return text_of(content, name)
    except TextError:
        if lenient and b"\0" not in content:
            return content.decode("cp1252", "replace")
        raise
