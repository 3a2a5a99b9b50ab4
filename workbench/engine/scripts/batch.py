"""A run for each row of a CSV: checked before the first is spoken, resumable, with a report of a row each.

FOLDER/ID.wav        the speech of a row
FOLDER/batch.jsonl   a line for each row that was finished, written when it was
FOLDER/report.csv    the same as a table
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engine.errors import (
    Cancelled,
    OutputError,
    SettingsError,
    TextError,
    WorkbenchError,
    reason_of,
    remedy_for,
)
from workbench.engine.files.alone import alone_in
from workbench.engine.files.writing import write_whole
from workbench.engine.ids import new_id
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs.store import save_run
from workbench.engine.scripts.casting import Cast, compose
from workbench.engine.scripts.toml import KNOBS
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import check_output
from workbench.engine.signal.joining import write_sound
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.text import check_text
from workbench.engine.speech.voices import Voice
from workbench.engine.text import speakers
from workbench.engine.visible import quoted

if TYPE_CHECKING:
    from workbench.engine.timing import Progress

MAX_ROWS = 100_000
JOURNAL, REPORT = "batch.jsonl", "report.csv"
_COLUMNS = ("id", "text", "voice")
_RESULT = ("id", "status", "run", "file", "voice", "seconds", "total_seconds", "rtf", "chunks", "error", "finished_at")


@dataclass(frozen=True)
class Line:
    """A row of the CSV: what is to be spoken, or why it cannot be."""

    id: str
    request: SpeechRequest | None = None
    voices: Mapping[str, Voice] = field(default_factory=dict)
    error: str = ""

    @property
    def key(self) -> str:
        """Equal for rows that ask for the same speech."""
        assert self.request is not None
        plain = self.request.with_voices(lambda voice: voice.replace(recording="")).as_dict()
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(frozen=True)
class Done:
    """What came of a row: ``status`` is "done" or "failed"."""

    id: str
    status: str
    key: str = ""
    run: str = ""
    file: str = ""
    voice: str = ""
    seconds: float = 0.0
    total_seconds: float = 0.0
    rtf: float | None = None
    chunks: int = 0
    error: str = ""
    finished_at: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of the report."""
        return {name: value for name, value in asdict(self).items() if name in _RESULT}


def read_lines(content: str, cast: Cast, settings: SynthesisSettings = SynthesisSettings(), **rest: Any) -> list[Line]:
    """Return the rows of a CSV with the columns text, and any of id, voice and the settings of synthesis.

    A row that cannot be spoken has an ``error``. A text may be a script.

    Args:
        content: with a heading; the fields are parted by commas, semicolons or tabs.
        cast: the voices; ``cast.main`` speaks rows that name none.
        settings: of all rows that have no others.
        rest: other fields of ``SpeechRequest``.

    Raises:
        TextError: it has no heading, no text, no rows, or too many.
        SettingsError: a column is unknown, or two rows have one id.
    """
    found, ids = [], set()
    for number, row in enumerate(_table(content), 1):
        name = (row.get("id") or "").strip() or f"{number:04d}"
        if name.casefold() in ids:
            raise SettingsError(f"Row {number} has the id {quoted(name)} of another one.", remedy="Give each its own.")
        ids.add(name.casefold())
        try:
            found.append(_line(name, row, cast, settings, rest))
        except WorkbenchError as error:
            found.append(Line(name, error=str(error)))
    if not found:
        raise TextError("The CSV has no rows.", remedy="Add a row for each text, below the heading.")
    return found


def _table(content: str) -> Iterator[dict[str, str]]:
    """Yield the rows by column, with the names of settings in full. Raises TextError or SettingsError."""
    heading = content.split("\n", 1)[0]
    mark = max(",;\t", key=heading.count)
    csv.field_size_limit(2**24)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=mark, strict=True)
    try:
        columns = [speakers.setting(name.strip().lower(), "")[0] for name in next(reader, [])]
        unknown = [name for name in columns if name not in (*_COLUMNS, *KNOBS)]
        if "text" not in columns:
            raise TextError("The CSV has no column text.", remedy="Begin it with a heading: id,text,voice,speed.")
        if unknown or len(set(columns)) < len(columns):
            raise SettingsError(
                f"The CSV has the column {quoted(unknown[0])}, which is unknown." if unknown
                else "The CSV has one column twice.",
                remedy=f"Known: {', '.join((*_COLUMNS, *KNOBS))}.",
            )  # fmt: skip
        for number, fields in enumerate(reader, 1):
            if number > MAX_ROWS:
                raise TextError(f"The CSV has more than {MAX_ROWS:,} rows.", remedy="Split it.")
            if any(field.strip() for field in fields):
                padded = [*fields, *[""] * (len(columns) - len(fields))]
                yield dict(zip(columns, padded, strict=False)) | ({"": "more"} if len(fields) > len(columns) else {})
    except csv.Error as error:
        raise TextError(
            f"The CSV cannot be read after line {reader.line_num - 1}: {error}.",
            remedy='A field in quotes ends with one, and has "" for each quote in it.',
        ) from error


def _line(name: str, row: Mapping[str, str], cast: Cast, settings: SynthesisSettings, rest: Mapping[str, Any]) -> Line:
    if "" in row:
        raise TextError("The row has more fields than the heading.", remedy="Put texts with commas between quotes.")
    check_text(row["text"])
    own = dict(speakers.setting(knob, row[knob]) for knob in KNOBS if row.get(knob, "").strip())
    chosen, voice = settings.replace(**own), (row.get("voice") or "").strip()
    told = Cast(cast.voice(voice), cast.own, cast.settings, cast.aliases, cast.load) if voice else cast
    request, voices = compose(row["text"], told, chosen, **rest)
    return Line(name, request, voices or {told.main.name: told.main})


class Batch:
    """Rows and the folder of what comes of them.

    Args:
        lines: from ``read_lines``.
        folder: of the results; it is made.
        suffix: of the sound files.

    Raises:
        OutputError: the folder or a file of this type cannot be written.
    """

    def __init__(self, lines: Sequence[Line], folder: Path, suffix: str = ".wav") -> None:
        check_output(folder.parent / f"{folder.name}{suffix}")
        self.lines, self.folder, self.suffix = lines, folder, suffix

    def done(self) -> dict[str, Done]:
        """Return id to result of the rows that were spoken as they are now, and whose file is there."""
        known = {one.id: one for one in _journal(self.folder / JOURNAL)}
        return {
            line.id: known[line.id] for line in self.lines
            if line.request is not None and line.id in known and known[line.id].status == "done"
            and known[line.id].key == line.key and (self.folder / known[line.id].file).is_file()
        }  # fmt: skip

    def speak(
        self,
        pool: EnginePool,
        *,
        on_done: Callable[[Done], None] = lambda done: None,
        on_step: Callable[[Progress], None] | None = None,
        save: bool = True,
    ) -> list[Done]:
        """Speak the rows that are not done; return the result of every row, in order.

        A row that fails is reported, and the others go on. What was finished stays after any end of the program.

        Args:
            pool: engines and voices.
            on_done: called with the result of each row that is finished now.
            on_step: as in ``Engine.fulfil``; raise Cancelled from it to stop.
            save: keep each run in runs/ as well.

        Raises:
            OutputError: the folder cannot be written.
            SettingsError: another process speaks into this folder.
        """
        try:
            with alone_in(self.folder):
                found = self.done()
                for line in self.lines:
                    if line.id not in found:
                        found[line.id] = self._kept(line, pool, on_step, save)
                        on_done(found[line.id])
                results = [found[line.id] for line in self.lines]
                write_whole(self.folder / REPORT, report(results).encode("utf-8", "replace"))
        except OSError as error:
            raise OutputError(
                f"The batch cannot be written to {self.folder}: {reason_of(error)}.",
                remedy=f"{remedy_for(error)} Then run it again; what is finished stays.",
            ) from error
        return results

    def _kept(self, line: Line, pool: EnginePool, on_step: Callable[[Progress], None] | None, save: bool) -> Done:
        """Speak one row, write its files, and note it. Raises OSError."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            made = self._spoken(line, pool, on_step, save)
        except (Cancelled, OutputError):
            raise
        except WorkbenchError as error:
            made = Done(line.id, "failed", error=str(error), finished_at=now)
        with (self.folder / JOURNAL).open("ab") as file:
            file.write(b"\n" + json.dumps(asdict(made), ensure_ascii=False).encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        return made

    def _spoken(self, line: Line, pool: EnginePool, on_step: Callable[[Progress], None] | None, save: bool) -> Done:
        if line.request is None:
            raise TextError(line.error)
        for voice in line.voices.values():
            pool.remember(voice)
        run = pool.speak(line.request, on_step=on_step, run_id=new_id())
        if save:
            save_run(run)
        path = self.folder / f"{_file_name(line.id)}{self.suffix}"
        write_whole(path, lambda draft: write_sound(draft, run.blocks(), run.n_samples, run.sample_rate, self.suffix))
        return Done(
            line.id, "done", line.key, run.id if save else "", path.name, ", ".join(line.voices),
            run.audio_seconds, run.total_seconds, run.rtf, len(run.chunks), "",
            datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip


def report(results: Sequence[Done]) -> str:
    """Return the table of all rows as CSV."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, _RESULT, lineterminator="\n")
    writer.writeheader()
    for one in results:
        writer.writerow({k: round(v, 6) if isinstance(v, float) else v for k, v in one.as_dict().items()})
    return sheet.getvalue()


def _file_name(name: str) -> str:
    """The id as a name that every file system takes; ids that differ keep different names."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:80].strip(".") or "_"
    odd = plain != name
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}" if odd else plain


def _journal(path: Path) -> Iterator[Done]:
    """Yield the noted results; a line that a crash cut short is not one."""
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError:
        return
    for line in lines:
        try:
            yield Done(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
