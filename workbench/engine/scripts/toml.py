"""Read a script in TOML, as upstream's command line takes it (f5_tts/infer/infer_cli.py, examples/multi/story.toml)."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.engine.catalog import upstream_folder
from workbench.engine.errors import AudioError, SettingsError, TextError, VoiceError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.text import speakers

KNOBS = tuple(field.name for field in dataclasses.fields(SynthesisSettings))
_VOICE = ("voice", "ref_audio", "ref_text", "language")
_OWN = ("model", "gen_text", "gen_file", "text", "output_file", "gap_seconds", "voices", *_VOICE)
# of upstream, with the values that change nothing
_IDLE: dict[str, tuple[Any, ...]] = {
    "remove_silence": (False,), "output_dir": (), "save_chunk": (False,), "no_legacy_text": (True, False),
    "load_vocoder_from_local": (False,), "vocoder_name": ("vocos",), "ckpt_file": ("",), "vocab_file": ("",),
    "model_cfg": ("",), "device": (),
}  # fmt: skip
_INSTEAD = {
    "remove_silence": "silence is kept", "output_dir": "--out names the place", "save_chunk": "--files chunk does it",
    "ckpt_file": "import the model and name it", "vocab_file": "import the model and name it",
    "model_cfg": "import the model and name it", "vocoder_name": "the model names its vocoder",
    "device": "--device names it",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Declared:
    """A voice as a file declares it: the name of one, or a recording and its words (None: unknown)."""

    voice: str = ""
    recording: Path | bytes | None = None
    file_name: str = ""
    ref_text: str | None = None
    language: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Table:
    """The content of a TOML file; ``main`` is the voice of what no tag names, or None."""

    text: str
    main: Declared | None
    voices: dict[str, Declared]
    settings: dict[str, Any]
    model: str
    out: str
    gap_seconds: float
    remarks: list[str]


class Files:
    """Finds the files that a script names: beside it on this disk, or among files that were given with it."""

    def __init__(self, folder: Path | None, given: Mapping[str, bytes]) -> None:
        self.folder, self.given = folder, given

    def find(self, name: str) -> Path | bytes:
        """Return the path or the content of a file. Raises TextError if it is not there."""
        if self.folder is None:
            content = self.given.get(Path(name.replace("\\", "/")).name)
            if content is None:
                raise TextError(f"The file {name!r} is not among those given.", remedy="Add it to them.")
            return content
        if name.startswith("infer/examples/"):  # in upstream's package
            return upstream_folder() / name
        places = [Path(name).expanduser(), self.folder / name]
        found = next((place for place in reversed(places) if place.exists()), None)
        if found is None:
            raise TextError(f"There is no file {name!r} beside the script.", remedy="Check the path.")
        return found

    def text(self, name: str, read: Any) -> str:
        """Return the words of a text file. Raises TextError."""
        found = self.find(name)
        content: str = read(found)
        return content


def read_toml(content: str, files: Files, read: Any) -> Table:
    """Return what a TOML file declares.

    Args:
        content: of the file.
        files: finds the files it names.
        read: returns the text of a path or of bytes.

    Raises:
        TextError, SettingsError, VoiceError: it is no TOML, or a name or value in it is wrong.
    """
    try:
        given = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # the paths of Windows between double quotes: \U and others begin an escape there
        escape = "escape" in str(error) or "hex value" in str(error)
        remedy = "Write paths with / or between single quotes." if escape else "Correct it there."
        raise TextError(f"The script is no valid TOML: {str(error)[:200]}.", remedy=remedy) from error
    remarks = _checked(given, (*_OWN, *KNOBS, *_IDLE, "seed"), "script")
    gen_file = _text(given, "gen_file")
    text = files.text(gen_file, read) if gen_file else _text(given, "text") or _text(given, "gen_text")
    if not text.strip():
        raise TextError("The script has no text.", remedy="Add gen_text, or gen_file with the name of a text file.")
    tables = given.get("voices", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingsError("voices is no table of tables.", remedy='Write [voices.town], then ref_audio = "...".')
    voices = {}
    for name, table in tables.items():
        _checked(table, (*_VOICE, *KNOBS), f"voice {name!r}")
        voices[name] = _declared(table, files, name)
    main = _declared(given, files, "main") if any(given.get(name) for name in ("voice", "ref_audio")) else None
    gap = given.get("gap_seconds", 0.0)
    if not isinstance(gap, (int, float)) or isinstance(gap, bool):
        raise SettingsError(f"gap_seconds is {gap!r}, not a number.", remedy="Give seconds.")
    settings = {name: given[name] for name in KNOBS if name in given}
    return Table(text, main, voices, settings, _text(given, "model"), _text(given, "output_file"), float(gap), remarks)


def _declared(table: Mapping[str, Any], files: Files, name: str) -> Declared:
    """Return the voice of a table. Raises VoiceError if it names none."""
    audio, voice = _text(table, "ref_audio"), _text(table, "voice")
    if bool(audio) == bool(voice):
        raise VoiceError(
            f"The voice {name!r} has {'both ' if audio else 'neither '}voice {'and' if audio else 'nor'} ref_audio.",
            remedy="Give ref_audio and ref_text, or the name of a voice.",
        )
    own = {} if name == "main" else {knob: table[knob] for knob in KNOBS if knob in table}
    try:
        SynthesisSettings().replace(**own)
    except SettingsError as error:
        raise SettingsError(f"The voice {name!r}: {error.what}", remedy=error.remedy) from error
    if voice:
        return Declared(voice, settings=own)
    try:
        recording = files.find(audio)
    except TextError as error:
        raise AudioError(f"The recording of {name!r}: {error.what}", remedy=error.remedy) from error
    words = _text(table, "ref_text")
    return Declared("", recording, Path(audio).name, words if words.strip() else None, _text(table, "language"), own)


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise SettingsError(f"{name} is {value!r}, not a text.", remedy="Put it between quotes.")
    return value


def _checked(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> list[str]:
    """Return remarks on what is not used. Raises SettingsError for a name that nobody knows."""
    remarks = []
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(speakers.key(name), known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "Leave it out."
            raise SettingsError(f"The {where} has {name!r}, which is unknown.", remedy=remedy)
        if name in _IDLE and value not in _IDLE[name]:
            instead = _INSTEAD.get(name, "")
            remarks.append(f"{name} is not used" + (f": {instead}" if instead else ""))
    return remarks
