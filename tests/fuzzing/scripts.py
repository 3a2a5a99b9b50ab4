"""Scripts: tags, TOML, subtitles and tables, odd or damaged, through the plan, the times and the command line."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import strategies as st

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, command, demand, json_command, no_leftovers, refusable
from workbench.engine.scripts import Cast, compose, fit, rows_of_plan, sheet_of
from workbench.engine.scripts.batch import read_lines
from workbench.engine.speech.passages.planning import plan_script
from workbench.engine.speech.passages.writing import resolved
from workbench.engine.text.preparing import prepare

_TAGS = (
    *("[Nora]", "[main]", "[Clara speed=0.9]", "[nora, nfe=4 seed=7]", "[Nora at=1 until=2.5]", "[Bob]", "[Norra]"),
    *('{"name": "Nora", "seed": -1}', "{Clara}", "{Regular}", "[pause 1s]", "[pause 61s]", "[Nora at=1e9]", "\\[Nora]"),
    *("[Nora speed=nan]", "[Nora speed=1e999]", "[Nora seed=" + "9" * 300 + "]", "[Nora at=0:0:0.0001]", "[", "{"),
    *("[Nora fix_duration=4]", "[Nora keep_trajectory=true]", "[Nora until=3]", '{"name": 5}', '{"name": "\\ud800"}'),
)  # fmt: skip
_WORDS = ("One boat is here.", "two", "", "☃", "\u202e", "3.14", "# One\n\n", "Ho!", "\x1b[2J", "a" * 400, "\n\n", "é")
_TOML = """model = "demo-voice"
gen_text = "Hello. [town] Oh. [Mary speed=0.8] Yes."
speed = 0.9
gap_seconds = 0.5
[voices.town]
ref_audio = "town.wav"
ref_text = "Some words are here."
[voices.Mary]
voice = "Clara"
"""
_SRT = """1
00:00:01,000 --> 00:00:02,500
[Nora] Come and see it.

2
00:00:03,000 --> 00:00:03,100
MARY: <i>Never</i>.
"""
_VTT = """WEBVTT

00:01.000 --> 00:03.000
<v Nora>Hello.</v>
<v Clara>Hi!</v>

NOTE x

00:04.000 --> 00:05.000
Bye.
"""
_ASS = (
    "[Script Info]\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,Nora,0,0,0,,{\\pos(1,2)}Hello\\Nthere.\n"
)
_CSV = 'id,text,voice,speed\na,"Hello, you.",Nora,0.9\nb,[Clara] Oh.,,\n'
_GOOD = {"a.toml": _TOML, "a.srt": _SRT, "a.vtt": _VTT, "a.ass": _ASS, "a.txt": "[Nora] Hi. [Clara] Ho."}


def _tagged(source: Source) -> str:
    random = source.random
    parts = [random.choice(_TAGS if random.random() < 0.5 else _WORDS) for _ in range(random.choice((1, 3, 8, 40)))]
    if random.random() < 0.2:
        parts.append(source.draw(st.text(st.characters(), max_size=60)))
    return random.choice((" ", "\n", "")).join(parts)


def _spoilt(source: Source, good: str) -> bytes:
    """A good file, with bytes or lines changed, or with odd tags in place of its words."""
    random = source.random
    how = random.choice(("as it is", "bytes", "lines", "words", "junk"))
    source.note(how)
    if how == "bytes":
        return damage.in_bytes(random, good.encode())
    if how == "junk":
        return random.choice(damage.JUNK)
    if how == "lines":
        lines = good.split("\n")
        for _ in range(random.choice((1, 3))):
            lines.insert(random.randrange(len(lines)), random.choice([*lines, *_WORDS, *_TAGS]))
        return "\n".join(lines).encode("utf-8", "surrogatepass")
    if how == "words":
        good = good.replace(random.choice(("Hello", "Oh", "00", "Nora", "0")), _number_or_tag(random))
    return good.encode("utf-8", "surrogatepass")


def _number_or_tag(random: Random) -> str:
    return random.choice((*_TAGS, "99", "999999", "-1", "1e999", "00:00", ""))


class Scripts(Kind):
    """Odd scripts and tables."""

    name = "scripts"
    about = "tags, TOML, SRT, VTT, ASS and CSV, odd or damaged: read, planned, fitted, spoken by the command line"

    def prepare(self, folder: Path) -> None:
        seeds.home()
        self.cast = Cast(seeds.voice())
        self.cast.load("Clara")

    def check(self, source: Source, place: Path) -> None:
        home = seeds.copy_home(place)
        way = source.random.choice(
            (self._planned, self._planned, self._read, self._read, self._table, self._by_command)
        )
        source.note(way.__name__)
        way(source, place)
        no_leftovers(home)

    def _planned(self, source: Source, place: Path) -> None:
        self._plan(_tagged(source), source.random.random() < 0.5)

    def _read(self, source: Source, place: Path) -> None:
        name = source.random.choice(list(_GOOD))
        source.note(name)
        sheet = sheet_of(name, _spoilt(source, _GOOD[name]), ("Mary",), {"town.wav": b"RIFF"})
        demand(all(remark.strip() for remark in sheet.remarks), "an empty remark")
        self._plan(sheet.text, True)

    def _plan(self, text: str, strict: bool) -> None:
        """Passages follow each other in the text and in time, and what is written of them is read as the same."""
        request, voices = compose(text, self.cast, strict=strict)
        script = request.script
        if script is None:
            return
        places = [(p.start, p.end) for p in script.passages]
        demand(all(low < high for low, high in places) and places == sorted(places), "passages out of order")
        fitted = fit(request, voices, _prepared)
        chunks = plan_script(fitted, voices, _prepared, check=False)
        rows = rows_of_plan(fitted, chunks)
        demand([c.index for c in chunks] == list(range(len(chunks))), "chunks are misnumbered")
        demand(all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(rows)), "passages overlap")
        demand(all(row.start >= (row.wanted_start or 0) - 1e-4 for row in rows), "a passage begins too early")
        again, _ = compose(resolved(fitted), self.cast, strict=True)
        demand(again.script is not None, "the resolved text is no script")
        demand(again.script and len(again.script.passages) == len(script.passages), "the resolved text lost a passage")

    def _table(self, source: Source, place: Path) -> None:
        content = _spoilt(source, _CSV).decode("utf-8", "replace")
        lines = read_lines(content, self.cast)
        demand(all(bool(line.error) != (line.request is not None) for line in lines), "a row that is neither")
        demand(len({line.id.casefold() for line in lines}) == len(lines), "two rows of one id")

    def _by_command(self, source: Source, place: Path) -> None:
        random = source.random
        if random.random() < 0.3:
            (place / "a.csv").write_bytes(_spoilt(source, _CSV))
            with refusable():
                command(["batch", str(place / "a.csv"), *seeds_flags(), "--no-save"])
            return
        name = random.choice(list(_GOOD))
        (place / name).write_bytes(_spoilt(source, _GOOD[name]))
        document = json_command(["plan", "--script", str(place / name), "--cast", "Mary=Nora"])
        for row in (document or {}).get("passages", ()):
            demand(np.isfinite(row["start"]) and row["end"] > row["start"], f"a passage of no length: {row}")


def _prepared(words: str, voice: object, settings: object) -> object:
    return prepare(words)


def seeds_flags() -> list[str]:
    """Flags for the tiny model, few steps."""
    return ["--model", "tiny", "--nfe-step", "1", "--dtype", "fp32"]
