"""Normalise a text: find the changes to make and the changes to offer.

A change keeps the words: it composes letters (NFC), removes invisible characters, and replaces characters outside the
model's vocabulary (NFKC; dashes, quotes and marks of other scripts). An offer would remove something: Markdown marks,
emoji, accents, tags. Offers are shown and made on request. Both state their place in the typed text.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex

from workbench.engine.text import tags

# characters upstream replaces before it looks them up (f5_tts/model/utils.py, convert_char_to_pinyin)
_UPSTREAM_REPLACES = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
_JOINED_SCRIPTS = "".join(
    rf"\p{{{script}}}"
    for script in (
        *("Arabic", "Syriac", "Devanagari", "Bengali", "Gujarati", "Gurmukhi", "Kannada", "Malayalam", "Oriya"),
        *("Sinhala", "Tamil", "Telugu", "Khmer"),
    )
)
_INVISIBLE = (
    r"[[\p{Cf}\p{Cc}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\ufe00-\ufe0e]"
    r"--[\n\r\t\x00\x0b\x0c\x85\u200c\u200d]]"
)
_HIDDEN_PARTS = (
    rf"(?V1)(?P<line>\r\n?|[\x0b\x0c\x85\u2028\u2029])|(?P<invisible>{_INVISIBLE}+)"
    rf"|(?P<joiner>(?<![{_JOINED_SCRIPTS}]\p{{M}}?)[\u200c\u200d](?!\p{{ExtPict}})"
    rf"|[\u200c\u200d](?![{_JOINED_SCRIPTS}\p{{ExtPict}}]))"
    r"|(?P<spaces>(?<=\S)[ \t\u00a0]{2,}(?=\S))"
)
_INVISIBLE_ONLY = regex.compile(_HIDDEN_PARTS)
_SUSPECT = regex.compile(
    _HIDDEN_PARTS
    + r"|(?P<cluster>[\u1100-\u115e][\u1161-\u11a7][\u11a8-\u11ff]?|[^\x00-\x7f\s\u200c\u200d\ufe0f]\p{M}*|[!-~]\p{M}+)"
)
_EMOJI = regex.compile(
    r"(?:\p{RI}{2}|[0-9#*]\ufe0f?\u20e3|\p{ExtPict})(?:\ufe0f|\p{EMod}|\u200d\p{ExtPict}\ufe0f?)*|\p{EMod}|[\u20e3\ufe0f\ufffc\ufffd]"
)
_MARKDOWN = (
    ("heading", r"^[ ]{0,3}#{1,6}\s+"),
    ("rule", r"^[ ]{0,3}(?:(?:-[ ]*){3,}|(?:\*[ ]*){3,}|(?:_[ ]*){3,}|={3,})$"),
    ("list mark", r"^[ \t]*[*+\-•▪◦‣●][ \t]+(?=\S)"),
    ("quotation", r"^[ ]{0,3}>+[ ]?"),
    ("code", r"^```.*$|`+"),
    ("link", r"!?\[(?=[^\[\]\n]{0,300}\]\([^()\s]*\))|\](?<=\[[^\[\]\n]{0,300}\])\([^()\s]*\)"),
    ("reference", r"\[\d{1,3}\]"),
    ("emphasis", r"(?<![\w*])\*{1,3}(?=[^\s*][^*\n]{0,300}\*)|\*{1,3}(?<=\*[^*\n]{0,300}[^\s*]\*{1,3})(?![\w*])"),
    ("emphasis", r"(?<!\w)_{1,3}(?=[^\s_][^_\n]{0,300}_)|_{1,3}(?<=_[^_\n]{0,300}[^\s_]_{1,3})(?!\w)|~~"),
    ("table", r"^[ \t]*\|?[ \t]*:?-{3,}:?[ \t|:\-]*$|[ \t]{0,4}\|"),
    ("entity", r"&(?:[a-zA-Z]{2,8}|#\d{2,6}|#x[0-9a-fA-F]{2,6});"),
)
_MARKS = regex.compile(
    "|".join(f"(?P<{kind.replace(' ', '_')}{i}>{p})" for i, (kind, p) in enumerate(_MARKDOWN)), regex.M
)
_MARKED = regex.compile(r"(?V1)\p{Latin}\p{M}+|[\p{Latin}--[a-zA-Z]]")
_DASHES, _SINGLE, _DOUBLE = "‐‑‒–—―−﹘﹣－", "‘’‚‛′´ʼ＇", "“”„‟«»‹›″〝〞「」『』＂"
_STAND_INS = {
    **dict.fromkeys(_DASHES, ("–", "—", "-")),
    **dict.fromkeys(_SINGLE, ("’", "'")),
    **dict.fromkeys(_DOUBLE, ('"',)),
    **dict.fromkeys("。۔।॥።", (".",)),
    **dict.fromkeys("、،，", (",",)),
    **dict.fromkeys("¿¡·", ("",)),
    "…": ("...",),
    "‥": ("..",),
    "؛": (";", ","),
    "؟": ("?",),
    "⁄": ("/",),
}
_WITHOUT_SPACE = frozenset("。、，！？：；")  # their replacement needs a space after it
_PLAIN = {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th",
          "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ı": "i", "ħ": "h"}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A change of ``before``, at index ``start`` of the typed text, into ``after``. ``what`` names the kind."""

    what: str
    start: int
    before: str
    after: str

    @property
    def end(self) -> int:
        return self.start + len(self.before)

    def as_dict(self) -> dict[str, str | int]:
        """Return the fields, ready for JSON."""
        return {"what": self.what, "start": self.start, "before": self.before, "after": self.after}


def replaced(text: str) -> str:
    """Return ``text`` after upstream's replacements: typographic quotes by straight ones, ``;`` by a comma."""
    return text.translate(_UPSTREAM_REPLACES)


def becomes_pinyin(character: str) -> bool:
    """Whether upstream looks up the pinyin of ``character`` instead of the character (f5_tts/model/utils.py)."""
    return "\u3100" <= character <= "\u9fff" or character == "〇"


def _canonical(vocabulary: Collection[str] | None) -> frozenset[str] | None:
    return None if vocabulary is None else _one(frozenset(vocabulary))


@lru_cache(maxsize=32)
def _one(vocabulary: frozenset[str]) -> frozenset[str]:
    return vocabulary  # the same object for equal vocabularies, so that comparing it as a cache key is fast


@lru_cache(maxsize=32)
def _speaks_pinyin(vocabulary: frozenset[str]) -> bool:
    return any(len(token) > 1 and token[-1] in "1234" and token[:-1].isalpha() for token in vocabulary)


def knows(vocabulary: frozenset[str], character: str) -> bool:
    """Whether a model with ``vocabulary`` can speak ``character``; for Chinese, whether it has any pinyin."""
    if character in vocabulary or character.isspace() or replaced(character) in vocabulary:
        return True
    return becomes_pinyin(character) and _speaks_pinyin(vocabulary)


def changes(text: str, vocabulary: Collection[str] | None) -> list[Change]:
    """Return the changes to make in ``text``, in order. Characters in ``vocabulary`` stay; None: it is unknown."""
    known = _canonical(vocabulary)
    clean = unicodedata.is_normalized("NFC", text) and (known is None or all(knows(known, c) for c in set(text)))
    found = []
    for suspect in (_INVISIBLE_ONLY if clean else _SUSPECT).finditer(text):
        kind, before = suspect.lastgroup, suspect.group()
        if kind == "cluster":
            what, after = _corrected(before, known)
            if before in _WITHOUT_SPACE and after != before and text[suspect.end() : suspect.end() + 1].strip():
                after += " "
            if before in "—―" and after == "-":
                after = " - "
        else:
            what, after = {
                "line": ("line end", "\n"), "spaces": ("spaces", " "),
                "invisible": ("invisible", ""), "joiner": ("invisible", ""),
            }[str(kind)]  # fmt: skip
        if after != before:
            found.append(Change(what, suspect.start(), before, after))
    return found


@lru_cache(maxsize=4096)
def _corrected(cluster: str, known: frozenset[str] | None) -> tuple[str, str]:
    """Return the kind of the change of a letter with its marks, and the letter after it."""
    composed = unicodedata.normalize("NFC", cluster)
    if known is None or all(knows(known, c) for c in composed):
        return "composed", composed
    fitting = "".join(c if knows(known, c) else _stand_in(c, known) for c in composed)
    return ("stand-in" if fitting != composed else "composed"), fitting


def _stand_in(character: str, known: frozenset[str]) -> str:
    """Return a replacement of ``character`` that is in ``known``; the character itself if there is none."""
    candidates = [*_STAND_INS.get(character, ()), unicodedata.normalize("NFKC", character)]
    if (digit := unicodedata.digit(character, None)) is not None:
        candidates.append(str(digit))
    return next((c for c in candidates if all(knows(known, part) for part in c)), character)


def offers(text: str, vocabulary: Collection[str] | None) -> list[Change]:
    """Return the changes to offer for ``text``, in order and without overlap: removals and plainer letters."""
    known = _canonical(vocabulary)
    found = [Change("tag", low, text[low:high], after) for low, high, after in tags.others(text)]
    for mark in _MARKS.finditer(text):
        kind = str(mark.lastgroup).rstrip("0123456789").replace("_", " ")
        after = html.unescape(mark.group()) if kind == "entity" else ""
        if (
            kind == "table"
            and text[mark.end() : mark.end() + 1].strip() != text[mark.start() - 1 : mark.start()].strip()
        ):
            after = ","  # between two cells
        if after != mark.group():
            found.append(Change(kind, mark.start(), mark.group(), after))
    if not text.isascii():
        found += [
            Change("emoji", e.start(), e.group(), "")
            for e in _EMOJI.finditer(text)
            if known is None or len(e.group()) > 1 or not knows(known, e.group())
        ]
        found += _plainer(text, known) if known is not None else []
    return list(_apart(sorted(found, key=lambda change: (change.start, -len(change.before)))))


def _plainer(text: str, known: frozenset[str]) -> Iterator[Change]:
    """Yield changes of Latin letters with marks that are not in ``known`` to letters without marks."""
    for letter in _MARKED.finditer(text):
        composed = unicodedata.normalize("NFC", letter.group())
        if all(knows(known, c) for c in composed) or _corrected(letter.group(), known)[1] != composed:
            continue
        plain = _PLAIN.get(composed) or "".join(
            c for c in unicodedata.normalize("NFD", composed) if not unicodedata.combining(c)
        )
        if plain and all(knows(known, c) for c in plain):
            yield Change("plain letter", letter.start(), letter.group(), plain)


def _apart(found: Sequence[Change]) -> Iterator[Change]:
    end = 0
    for change in found:
        if change.start >= end:
            yield change
            end = change.end


def applied(text: str, made: Sequence[Change]) -> str:
    """Return ``text`` after the changes ``made``, which are in order and do not overlap."""
    parts, end = [], 0
    for change in made:
        parts += [text[end : change.start], change.after]
        end = change.end
    return "".join([*parts, text[end:]])


def summary(made: Sequence[Change], limit: int = 6) -> str:
    """Return one line that lists the changes with their counts; empty if there are none."""
    counts: dict[tuple[str, str, str], int] = {}
    for change in made:
        key = (change.what, change.before, change.after)
        counts[key] = counts.get(key, 0) + 1
    shown = [_shown(*key) + (f" ({n} times)" if n > 1 else "") for key, n in list(counts.items())[:limit]]
    more = sum(list(counts.values())[limit:])
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _shown(what: str, before: str, after: str) -> str:
    if what == "invisible":
        return f"{' '.join(f'U+{ord(c):04X}' for c in before[:4])} left out"
    if what == "line end":
        return "line end"
    return f"{_quoted(before)} left out" if not after else f"{_quoted(before)} as {_quoted(after)}"


def _quoted(text: str) -> str:
    short = text if len(text) <= 40 else text[:39] + "…"
    return repr(unicodedata.normalize("NFC", short)) if short == unicodedata.normalize("NFC", short) else ascii(short)
