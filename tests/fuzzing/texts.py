"""Texts: typed, piped and read from files, through the planner and the command line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tests.fuzzing import seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, command, demand, json_command, no_leftovers, refusable
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import check_text, chunk_text, n_bytes, plan_chunks
from workbench.engine.text import borders
from workbench.engine.text.preparing import prepare

_WORDS = (
    "One boat is here.",
    "and then,",
    "a",
    "I",
    "Straße",
    "naïve",
    "3.14",
    "U.S.A.",
    "e.g. this",
    "(so)",
    "— no —",
)
_ODD = (
    *("[/b] \\[x] [bold]", "<script>alert(1)</script>", "$x$ **b** `c`", "{0} %s %(x)s", "--seed", "-", "\\", '"', "'"),
    *(
        "\x1b[2J\x1b]0;title\x07",
        "\x00",
        "\x07\x08",
        "\x85\u2028\u2029",
        "\r\r\n",
        "\t\v\f",
        "\x9b31m",
        "\ufeff",
        "\u00ad",
    ),
    *("\u202eright to left\u202c", "مرحبا بالعالم", "שלום", "e" + "\u0301" * 300, "\u0301\u0302", "नमस्ते", "ｆｕｌｌ"),
    *(
        "👩‍👩‍👧‍👦",
        "🏳️‍🌈",
        "𝕿𝖊𝖘𝖙",
        "对，这就是我。",
        "これは。ペン",
        "가나다",
        "\U0010ffff",
        "\ufffe",
        "\ue000",
        "\ud800",
        "\udcff",
    ),
    *(
        "9" * 400,
        "x" * 300,
        "…" * 50,
        "!?" * 40,
        "...",
        "。" * 30,
        " " * 500,
        "\u00a0\u3000\u200b",
        "https://a.b/c?d=e#f",
    ),
)
_BYTES = (b"\xff\xfe", b"caf\xe9", b"\xc3", b"\xed\xa0\x80", b"\x00\x01\x02", "One boat.".encode("utf-16"), b"\x80" * 9)
_SPOKEN_BYTES = 300  # more takes the tiny model seconds


def _text(source: Source) -> str:
    """Words and oddities in any order, now and then by the hundred kilobyte."""
    random = source.random
    parts = []
    for _ in range(random.choice((0, 1, 2, 5, 20))):
        part = random.choice(_WORDS) if random.random() < 0.6 else random.choice(_ODD)
        if random.random() < 0.15:
            part = source.draw(st.text(st.characters(), max_size=60))
        parts.append(part * random.choice((1, 1, 1, 1, 2, 30)))
    text = random.choice((" ", " ", "", "\n", ". ")).join(parts)
    if text and random.random() < 0.08:
        wanted = random.choice((5_000, 100_000, 199_999, 250_000))
        text = (text + " ") * (wanted // (len(text) + 1) + 1)
    return text


def _flags(source: Source) -> list[str]:
    """Odd values for the flags that a plan depends on."""
    random = source.random
    flags = []
    for name, values in (
        ("--max-chunk-bytes", ("1", "0", "10", "40", "135", "-3", "1e3", "9" * 30, "x", "")),
        ("--speed", ("0.3", "1", "2", "0", "nan", "inf", "-1", "1e-300")),
        ("--fix-duration", ("1", "10", "30", "1e9", "nan")),
        ("--seed", ("0", "-1", str(2**31 - 1), str(2**64))),
    ):
        if random.random() < 0.25:
            flags += [name, random.choice(values)]
    return flags


class Texts(Kind):
    """Odd texts, budgets and reference texts."""

    name = "texts"
    about = "plan and synth with odd texts, files and flags"

    def prepare(self, folder: Path) -> None:
        seeds.home()
        seeds.voice()

    def check(self, source: Source, place: Path) -> None:
        text = _text(source)
        source.note(f"{len(text)} characters: {text[:60]!r}")
        way = source.random.choice((_planned, _planned, _by_argument, _by_file, _spoken, _spoken))
        source.note(way.__name__)
        way(source, text, seeds.copy_home(place))
        no_leftovers(place / "home")


def _planned(source: Source, text: str, home: Path) -> None:
    """Chunks hold every character but spaces, in order, and keep to the budget."""
    random = source.random
    budget = random.choice((10, 40, 135, 1000, 10**6))
    words = prepare(check_text(text)).check().text
    chunks = chunk_text(words, budget)
    demand("".join("".join(chunks).split()) == "".join(words.split()), "the chunks are not the text")
    # a chunk is over its budget only where it has no place to be cut: without spaces that may part it
    over = [c for c in chunks if n_bytes(c) > budget and len(borders.cuts(c)) > 0]
    demand(all(len(c.strip()) > 0 for c in chunks), "an empty chunk")
    demand(not over, f"a chunk over {budget} bytes: {over[:1]}")
    ref_text = check_text(_text(source))
    chosen = SynthesisSettings(
        max_chunk_bytes=random.choice((None, 10, 40, 135)),
        speed=random.choice((0.3, 0.7, 1.0, 2.0)),
        fix_duration=random.choice((None, None, 5.0, 30.0)),
    )
    planned = plan_chunks(words, ref_text, random.choice((7_200, 24_000, 120_000, 290_000)), chosen)
    shown = prepare(words)
    left = shown.written(0, len(shown.text))
    demand("".join("".join(c.text for c in planned).split()) == "".join(left.split()), "the plan is not the text")
    demand(all(0 < c.new_frames < c.duration_frames <= 8192 for c in planned), "a chunk of no or too many frames")


def _argument(text: str) -> str:
    """``text`` as the system would hand it over: no NUL, and undecodable bytes as surrogates."""
    raw = text.replace("\0", "").encode("utf-8", "surrogatepass")
    return raw[:100_000].decode("utf-8", "surrogateescape")


def _by_argument(source: Source, text: str, home: Path) -> None:
    """``plan`` as table and as JSON."""
    flags, words = _flags(source), ["--", _argument(text)]
    command(["plan", *flags, *words])
    json_command(["plan", *flags], words)


def _by_file(source: Source, text: str, home: Path) -> None:
    """``plan`` of a file or of standard input, whose bytes may be no UTF-8."""
    raw = text.encode("utf-8", "surrogatepass")
    if source.random.random() < 0.5:
        at = source.random.randrange(len(raw) + 1)
        raw = raw[:at] + source.random.choice(_BYTES) + raw[at:]
    source.note(f"bytes {raw[:40]!r}")
    if source.random.random() < 0.5:
        command(["plan", "-"], raw)
        return
    name = source.random.choice(("text.txt", "a b.txt", "caf\udce9.txt", "[b].txt", "-x.txt", "x" * 300 + ".txt"))
    with refusable():
        _write(home.parent / name, raw)
    json_command(["plan", "--text-file", name])


def _write(path: Path, raw: bytes) -> None:
    try:
        path.write_bytes(raw)
    except OSError:
        return  # a name that the file system refuses: then the file is missing


def _spoken(source: Source, text: str, home: Path) -> None:
    """``synth`` on the tiny model, of the start of the text."""
    words = _argument(text)[:_SPOKEN_BYTES]
    arguments = ["synth", "--model", "tiny", "--device", "cpu", "--dtype", "fp32", "--nfe-step", "1", "-o", "said.wav"]
    document = json_command([*arguments, *_flags(source)], ["--", words])
    if document is not None:
        said = "".join("".join(c["text"] for c in document["chunks"]).split())
        demand(said == "".join(words.split()), "what was said is not the text")
        demand(Path("said.wav").stat().st_size > 44, "an empty sound file")
        return
    demand(not Path("said.wav").exists(), "refused, but a sound file was written")
