"""Read test sets in the layouts of upstream's evaluation (Seed-TTS, LibriSpeech-PC) and as CSV."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from workbench.engine.errors import SettingsError, TextError, reason_of
from workbench.engine.files.places import user_path
from workbench.engine.files.reading import encoding_of
from workbench.engine.speech.text import check_text
from workbench.engine.visible import quoted, visible

SEED_TTS, LIBRISPEECH_PC, CSV = "seed-tts", "librispeech-pc", "csv"
LAYOUTS = {
    SEED_TTS: "id|prompt text|prompt recording|text[|true recording]",
    LIBRISPEECH_PC: "prompt id, seconds, prompt text, id, seconds, text, between tabs; recordings below --root",
    CSV: "a heading with id, text, and voice or ref_audio and ref_text; also language and truth",
}
BUNDLED = {"demo": Path(__file__).with_name("demo.csv")}  # name to list that comes with the workbench
LIST_MAX_BYTES = 32 * 2**20
UTTERANCES_MAX = 100_000
_ID_MAX_CHARACTERS = 200
_COLUMNS = ("id", "text", "voice", "ref_audio", "ref_text", "language", "truth")
_SPEAKER = re.compile(r"\w+-\w+-\w+")  # LibriSpeech: speaker-chapter-utterance


@dataclass(frozen=True)
class Utterance:
    """One line of a test set.

    Attributes:
        id: its name in the set.
        text: text to speak.
        line: its line in the file, from 1.
        voice: name of a bundled voice; "" if the voice comes from ``ref_audio``, or is the default voice.
        ref_audio: absolute path of the reference recording, or "".
        ref_text: words of the reference recording.
        language: ISO 639-1 code, or "".
        truth: absolute path of a recording of a person who says ``text``, or "".
    """

    id: str
    text: str
    line: int
    voice: str = ""
    ref_audio: str = ""
    ref_text: str = ""
    language: str = ""
    truth: str = ""


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be used: its number from 1, its id if it has one, and why."""

    line: int
    id: str
    why: str


@dataclass(frozen=True)
class TestSet:
    """A list of utterances that was read: ``skipped`` holds the lines that cannot be used."""

    __test__ = False  # not a test of pytest

    path: Path
    layout: str
    utterances: tuple[Utterance, ...]
    skipped: tuple[Skipped, ...]


class _BadLine(Exception):
    """Why a line cannot be used."""


def read_list(named: str | Path, *, layout: str = "", root: Path | None = None) -> TestSet:
    """Return the test set in a file, or a bundled one by its name.

    Args:
        named: path, or a key of ``BUNDLED``.
        layout: a key of ``LAYOUTS``; "" finds it by the content.
        root: folder of the recordings of LibriSpeech.

    Raises:
        SettingsError: the file cannot be read or is not UTF-8, its layout is unknown, or no line can be used.
    """
    path = Path(named)
    if str(named) in BUNDLED and not path.exists():
        path = BUNDLED[str(named)]
    text = _read(path)
    layout = layout or _layout_of(path, text)
    if layout not in LAYOUTS:
        raise SettingsError(f"There is no layout {quoted(layout)}.", remedy=f"Choose one of {', '.join(LAYOUTS)}.")
    if layout == LIBRISPEECH_PC and (root is None or not root.is_dir()):
        raise SettingsError(
            f"The recordings of {path.name} are not found.", remedy="Name the folder of LibriSpeech's test set: --root."
        )
    readers = {SEED_TTS: _seed_tts, LIBRISPEECH_PC: _librispeech_pc, CSV: _csv}
    used, skipped = _checked(readers[layout](text, path.absolute().parent, root or Path()))
    if not used:
        why = f"line {skipped[0].line}: {skipped[0].why}" if skipped else "it is empty"
        raise SettingsError(
            f"No line of {path} can be used as {layout}: {why}.", remedy=f"A line holds {LAYOUTS[layout]}."
        )
    return TestSet(path.absolute(), layout, tuple(used), tuple(skipped))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LIST_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The list {path} cannot be read: {reason_of(error)}.",
            remedy=f"Name a file, or {' or '.join(BUNDLED)} for a bundled one.",
        ) from error
    if len(content) > LIST_MAX_BYTES:
        raise SettingsError(f"{path} has more than {LIST_MAX_BYTES:,} bytes.", remedy="Divide it.")
    if not content.strip():
        raise SettingsError(f"The list {path} is empty.", remedy="Name another file.")
    try:
        return content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"Line {line} of {path} is not UTF-8.", remedy="Save the list as UTF-8.") from error


def _layout_of(path: Path, text: str) -> str:
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    if first.count("\t") == 5:
        return LIBRISPEECH_PC
    if "text" in _heading(first)[0]:
        return CSV
    if first.count("|") in (3, 4):
        return SEED_TTS
    known = "; ".join(f"{name}: {about}" for name, about in LAYOUTS.items())
    raise SettingsError(f"The layout of {path} is not known.", remedy=f"Use one of these. {known}.")


def _heading(line: str) -> tuple[list[str], str]:
    """Return the names of the columns in lower case and the delimiter of the heading ``line``."""
    delimiter = max(",;\t", key=line.count)
    names = next(csv.reader([line.strip("\r\n")], delimiter=delimiter), [])
    return [re.sub(r"[ -]+", "_", name.strip().lower()) for name in names], delimiter


_Read = Iterator[tuple[int, str, Callable[[], Utterance]]]


def _checked(lines: _Read) -> tuple[list[Utterance], list[Skipped]]:
    used: dict[str, Utterance] = {}
    skipped = []
    for line, name, read in lines:
        try:
            found = read()
            if not found.id:
                raise _BadLine("it has no id")
            if len(found.id) > _ID_MAX_CHARACTERS or visible(found.id) != found.id:
                raise _BadLine(f"its id {quoted(found.id)} is too long, or has control characters")
            if found.id in used:
                raise _BadLine(f"the id {quoted(found.id)} is also that of line {used[found.id].line}")
            if len(used) == UTTERANCES_MAX:
                raise _BadLine(f"it is beyond {UTTERANCES_MAX:,} utterances")
            used[found.id] = replace(found, text=check_text(found.text))
        except (_BadLine, TextError) as error:
            skipped.append(Skipped(line, name, str(error).rstrip(".")))
    return list(used.values()), skipped


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and content of every line that is not blank."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            yield number, line.strip("\r\n")


def _seed_tts(text: str, folder: Path, root: Path) -> _Read:
    for number, line in _numbered(text):
        parts = [part.strip() for part in line.split("|")]
        yield number, parts[0], partial(_seed_line, number, parts, folder)


def _seed_line(number: int, parts: list[str], folder: Path) -> Utterance:
    if len(parts) not in (4, 5):
        raise _BadLine(f"it has {len(parts)} parts between |, not 4 or 5")
    name, words, recording, text = parts[:4]
    truth = _found(folder, parts[4]) if len(parts) == 5 and parts[4] else ""
    beside = folder / "wavs" / f"{name}.wav"  # upstream's place where the list names none
    if not truth and _is_file(beside):
        truth = str(beside)
    return Utterance(name, text, number, ref_audio=_found(folder, recording), ref_text=words, truth=truth)


def _librispeech_pc(text: str, folder: Path, root: Path) -> _Read:
    for number, line in _numbered(text):
        parts = [part.strip() for part in line.split("\t")]
        name = parts[3] if len(parts) > 3 else ""
        yield number, name, partial(_libri_line, number, parts, root)


def _libri_line(number: int, parts: list[str], root: Path) -> Utterance:
    if len(parts) != 6:
        raise _BadLine(f"it has {len(parts)} parts between tabs, not 6")
    ref, _, words, name, _, text = parts
    recordings = []
    for utterance in (ref, name):
        if not _SPEAKER.fullmatch(utterance):
            raise _BadLine(f"{quoted(utterance)} is not speaker-chapter-number")
        speaker, chapter, _ = utterance.split("-")
        recordings.append(root.absolute() / speaker / chapter / f"{utterance}.flac")
    if not _is_file(recordings[0]):
        raise _BadLine(f"there is no recording {quoted(str(recordings[0]), 200)}")
    truth = str(recordings[1]) if _is_file(recordings[1]) else ""
    return Utterance(name, text, number, ref_audio=str(recordings[0]), ref_text=words, language="en", truth=truth)


def _csv(text: str, folder: Path, root: Path) -> _Read:
    blank = len(text) - len(text.lstrip("\r\n"))
    rows = io.StringIO(text[blank:], newline="")
    offset = text[:blank].count("\n")
    columns, delimiter = _heading(rows.readline())
    twice = next((name for name in _COLUMNS if columns.count(name) > 1), "")
    if twice or not {"id", "text"} <= set(columns):
        what = f"two columns {twice}" if twice else "no column " + ("id" if "id" not in columns else "text")
        raise SettingsError(f"The heading of the list has {what}.", remedy=f"A CSV list has {LAYOUTS[CSV]}.")
    reader = csv.reader(rows, delimiter=delimiter, strict=True)
    before = 1  # the heading
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            number, why = before + offset + 1, f"{error}, up to line {reader.line_num + offset + 1}"
            yield number, "", partial(_refuse, why)
            before = reader.line_num + 1
            continue
        if row is None:
            return
        number, before = before + offset + 1, reader.line_num + 1
        if any(cell.strip() for cell in row):
            cells = [cell.strip() for cell in row]
            name = dict(zip(columns, cells, strict=False)).get("id", "")
            yield number, name, partial(_csv_line, number, columns, cells, folder)


def _refuse(why: str) -> Utterance:
    raise _BadLine(why)


def _csv_line(number: int, columns: list[str], cells: list[str], folder: Path) -> Utterance:
    if len(cells) > len(columns):
        raise _BadLine(f"it has {len(cells)} columns, not {len(columns)}: quote texts that contain the delimiter")
    given = {name: value for name, value in zip(columns, cells, strict=False) if name in _COLUMNS}
    if given.get("voice") and given.get("ref_audio"):
        raise _BadLine("it has a voice and a ref_audio, which exclude each other")
    if given.get("ref_text") and not given.get("ref_audio"):
        raise _BadLine("it has a ref_text without a ref_audio")
    for place in ("ref_audio", "truth"):
        if given.get(place):
            given[place] = _found(folder, given[place])
    return Utterance(**{"id": "", "text": ""} | given, line=number)


def _found(folder: Path, path: str) -> str:
    """Return the absolute path of a recording of the list in ``folder``. Raises _BadLine if there is none."""
    # a list may come from a system with other separators, or with another form of letters that have marks
    written = (path, path.replace("\\", "/"))
    forms = [unicodedata.normalize(form, one) for one in written for form in ("NFC", "NFD")]
    for one in dict.fromkeys((*written, *forms)):
        try:
            place = folder / user_path(one)
        except SettingsError as error:
            raise _BadLine(str(error).rstrip(".")) from error
        if _is_file(place):
            return str(place)
    raise _BadLine(f"there is no recording {quoted(path, 200)}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that the system does not allow
        return False
