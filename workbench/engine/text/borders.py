"""Where a text may be cut, and where never.

A cut is an index of the text: the piece on the left ends before it, the piece on the right begins with it. ``glue``
marks the indices that are no cut: inside a number with its unit, a URL, an e-mail address, a version; before a closing
quote or bracket; after an opening one; after an abbreviation or an initial; after dots that trail off. ``ends`` lists
the ends of sentences and clauses that remain, ``partings`` where a sentence may be parted that is too long.

Own rules, because what exists answers another question: ``pysbd`` and ``blingfire`` find the sentences of one known
language, not its clauses, and not what must stay whole under a budget of bytes; ICU needs a compiler where no wheel
fits. ``regex`` brings grapheme clusters (``\\X``) and the scripts of Unicode.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import regex

from workbench.engine.text.abbreviations import BEFORE_NUMBERS, CHAINS, WORDS

# Signs ----------------------------------------------------------------------------------------------------------------

_OPENERS = r"(\[{¿¡「『（【〈《〔［｛｢〝"
_CLOSERS = r")\]}」』）】〉》〕］｝｣〟"
# no piece begins with one of these: they belong to what stands before them
_TRAILING = r"!?:;,.…‥%‰،؛؟۔।॥、。！？：；，．｡､։՝՜՞።፣፤፥፦፧၊။៖។៕ฯๆ་།"
_NOT_FIRST = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々〻ゝゞヽヾะาำๅ\u0eb0\u0eb2\u0eb3"
_NOT_LAST = frozenset("เแโใไ\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")  # vowels of Thai and Lao, written before their consonant

OTHER_ENDS = "؟۔،؛।॥։።፣፤፥፦፧။၊។៕།"  # sentence and clause ends of scripts that upstream does not know
# upstream's sentence and clause ends (f5_tts/infer/utils_infer.py, chunk_text), and those of other scripts
_END = regex.compile(
    rf"(?<=[;:,.!?])\s+|(?<=[；：，。！？])|(?<=[{OTHER_ENDS}])\s*"
    r"|(?<=[\p{Thai}\p{Lao}\p{Khmer}])\s+(?=[\p{Thai}\p{Lao}\p{Khmer}])"  # a space is their clause end
)
_BLANK_LINES = regex.compile(r"\n[^\S\n]*\n\s*")
# inside a sentence: after a closed quote or bracket, a dash, the comma of Chinese, an Ethiopic space
_CLAUSE = regex.compile(r"""[.!?…]['"”’»)\]]+\s+|[)\]}»”…]\s+|\s[-–—]\s+|[—–…、」』፡་](?=\S)|[,;!?)\]»”](?=\p{L}{2})""")
_SPACES = regex.compile(r"\s+")
_CLUSTER = regex.compile(r"\X")
# scripts written without spaces between words: a cut between two of their characters need not part a word
_SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}ー々、。，！？；：「」『』（）]"
)

# What stays whole ----------------------------------------------------------------------------------------------------

# a sign, the counters of Chinese and Japanese, and, after a space, any word as short as a unit
_UNITS = (
    r"[%‰٪℃℉€$£¥₹₽¢]|°(?:\s?[CFK](?!\p{L}))?|[aApP]\.\s?[mM]\.|[年月日時时点點分秒个個人円元块度回歳岁号號]|[万亿億][円元人个個]?|"
    r"公里|公斤|分钟|小时|[\p{Latin}\p{Greek}\p{Cyrillic}µ][\p{Latin}\p{Greek}\p{Cyrillic}/²³^23]{0,3}(?![\p{L}\p{N}--\p{Han}])|"
    r"(?:(?![\p{Han}\p{Hiragana}\p{Katakana}])\p{L}\p{M}*){1,3}(?![\p{L}\p{M}])|million\b|billion\b|trillion\b|[Gg]rad\b"
)
_TELEPHONE = r"\+?\d*(?:[\s\-./]?\(\d{1,5}\)[\s\-./]?)?\d{2,}(?:[ \u00a0\-./]\d{2,}){1,7}|\+\d{1,3}(?:[ \-]\d+){1,7}"
_GROUPED = r"\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+(?![ \d]*\d)|\d+ \d+[/⁄]\d+"
_INNER = r"[.,:/٫٬،'’·×x\-‐‑–—⁄，．：年月日時时点點]|\.\s?[–-]\s?"
_NUMBER = regex.compile(
    r"(?V1)(?:[$€£¥₹₽#№§]\s?|[-−+±~≈]|\b(?:CHF|EUR|USD|GBP|INR|JPY|RUB|Rs\.?|Fr\.)\s)?"
    rf"(?:{_TELEPHONE}|{_GROUPED}|\d+)(?:(?:{_INNER})\d+){{0,8}}(?:[eE][-−+]?\d+)?(?:[-+.][a-z]+\d*(?:\.\d+)*)?"
    rf"(?:[ \u00a0\u202f\u2009]?(?:{_UNITS}))?"
    r"|[〇零一二三四五六七八九十百千万亿億兆]{2,}"
)
_IN_URL = r"[^\s<>\"“”„«»\u3000-\u9fff\uff00-\uffef]"
_NAME = r"[A-Za-z0-9._%+\-]"
_ADDRESS = regex.compile(
    rf"(?:(?:https?|ftp|file)://|www\.|mailto:){_IN_URL}+"
    rf"|(?<!{_NAME}){_NAME}{{1,64}}+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+"
    rf"|(?<!{_NAME})(?:[A-Za-z0-9\-]{{1,63}}+\.){{1,8}}"
    rf"(?:com|org|net|edu|gov|io|de|fr|it|es|fi|lv|ru|uk|eu|in|cn|jp|dev|ai|info)\b(?:/{_IN_URL}*)?"
)
_MAY_HOLD_ADDRESS = regex.compile(r"@|://|www\.|mailto:|[\w\-]\.\p{Ll}{2}")
_GAP = r"(?:[^\S\n]|\n(?![^\S\n]*\n))*"  # spaces, and a line end that is not a blank line


def _any_of(words: Iterable[str]) -> str:
    return "|".join(regex.escape(word).replace("\\ ", r"\s?") for word in sorted(words, key=len, reverse=True))


_ABBREVIATION = regex.compile(
    r"(?<![\p{L}\p{N}])(?=[\p{L}\p{M}]{1,7}\.)(?:"
    rf"(?:{_any_of(CHAINS)})"
    r"|(?:\p{L}\.){2,}"  # U.S., e.g., z.B.
    r"|(?:\p{Lu}|[\p{Arabic}\p{Hebrew}\p{Devanagari}])\p{M}*\."  # an initial
    rf"|(?i:{_any_of(WORDS)})\."
    rf"|(?:{_any_of(BEFORE_NUMBERS)})\.(?=\s*[\d#IVX])"
    rf"|(?:डॉ|श्री|प्रो|रु)\.){_GAP}"
)
# "3. Mai", "26. 11. 2026", and the number of a list's item
_ORDINAL = regex.compile(
    rf"\b\d{{1,2}}\.{_GAP}(?=\p{{Ll}}|\d{{1,2}}\.|\d{{4}}\b|Jan|Jän|Feb|März|April|Mai|Juni|Juli|Aug|Sep|Okt|Nov|Dez)"
    rf"|^[ \t]*\(?\d{{1,3}}[.)]{_GAP}",
    regex.MULTILINE,
)
_TRAILS_OFF = regex.compile(rf"(?:[…‥]|(?<!\.)\.{{2,}}+){_GAP}(?=\p{{Ll}})")
_NO_BREAK = regex.compile(r"[\u00a0\u202f\u2007\u2060]+")
_BEFORE = regex.compile(
    rf"[{_CLOSERS}{_NOT_FIRST}]|(?<=\s|[^\x00-\x7f])[{_TRAILING}]|[\p{{M}}\u200d\ufe0f\U0001F3FB-\U0001F3FF]"
)
_AFTER = regex.compile(rf"[{_OPENERS}]\s*|\u200d")
_QUOTE = regex.compile(r"""["“”„‟«»‹›]|(?<![\p{L}\p{N}])['’‘‚]|['’](?!\p{L})""")
_PAIRS = {"“": "„‟", "”": "“”„‟", "«": "»", "»": "«", "‹": "›", "›": "‹", '"': '"', "'": "'‘", "’": "‘‚'", "‘": "‚"}
_CLOSING = frozenset(")]}」』）】〉》〕］｝｣〟\"“”’'»«›‹")
HEADING_MAX_CHARACTERS = 100


def atoms(text: str) -> Iterator[tuple[int, int]]:
    """(from, to) of every number, with sign, currency and unit, and of every address in ``text``, in no order."""
    for found in _NUMBER.finditer(text):
        yield found.span()
    if _MAY_HOLD_ADDRESS.search(text):
        for found in _ADDRESS.finditer(text):
            yield found.start(), found.start() + len(found.group().rstrip(".,;:!?…)]'’"))


def glue(text: str) -> bytearray:
    """One byte for each index of ``text`` and for its end: 1 where it must not be cut."""
    glued = bytearray(len(text) + 1)
    for low, high in atoms(text):
        glued[low + 1 : high] = b"\x01" * (high - low - 1)
    for pattern in (_ABBREVIATION, _ORDINAL, _TRAILS_OFF, _NO_BREAK):
        for found in pattern.finditer(text):
            low, high = found.span()
            glued[low + 1 : high + 1] = b"\x01" * (high - low)
    for found in _BEFORE.finditer(text):
        glued[found.start()] = 1
    for found in _AFTER.finditer(text):
        glued[found.end()] = 1
    for at, closes in quotes(text):
        glued[at if closes else _next(text, at + 1)] = 1
    glued[0] = glued[len(text)] = 0
    return glued


def quotes(text: str) -> Iterator[tuple[int, bool]]:
    """(index, whether it closes) of every quotation mark: by pairs, straight ones by parity, anew in each paragraph.

    German („ “ and » «), French, Finnish (” ”) and English pairs are told apart by what is open and by the spaces.
    """
    for low, high in _paragraphs(text):
        open_marks: list[str] = []
        for found in _QUOTE.finditer(text, low, high):
            at, mark = found.start(), found.group()
            partner = next((m for m in reversed(open_marks) if m in _PAIRS.get(mark, "")), None)
            closes = partner is not None or (mark not in '"„‚‟' and _leans_left(text, at))
            if partner is not None:
                open_marks.remove(partner)
            elif not closes:
                open_marks = [*open_marks[-7:], mark]
            yield at, closes


def _leans_left(text: str, at: int) -> bool:
    """Whether the mark at ``at`` stands at the end of a word and not at the beginning of one."""
    spaced_left = at == 0 or text[at - 1].isspace()
    spaced_right = at + 1 == len(text) or text[at + 1].isspace()
    if spaced_left == spaced_right:
        return text[at] in "”»›’" and spaced_left
    return spaced_right


def ends(text: str, glued: bytearray) -> list[int]:
    """Cuts at the ends of sentences and clauses, in order, ``len(text)`` the last.

    Upstream's, less those that are glued, and those of other scripts. Closing quotes that follow an end go with it.
    """
    found: list[int] = []
    last = len(text)
    for end in _END.finditer(text):
        at = end.end()
        while at < last and glued[at] and (text[at] in _CLOSING):
            at = _next(text, at + 1)
        if at < last and not glued[at] and (not found or at > found[-1]):
            found.append(at)
    return [*found, last]


def longest_sentence_bytes(text: str) -> int:
    """UTF-8 bytes of the longest stretch of ``text`` without a sentence end, a clause end or a line end."""
    stretches = sorted((part for line in text.splitlines() for part in _END.split(line)), key=len, reverse=True)
    return max((len(part.encode("utf-8")) for part in stretches[:50]), default=0)


def partings(text: str, glued: bytearray, low: int, high: int) -> Iterator[list[int]]:
    """Cuts between ``low`` and ``high`` for a sentence that is too long: at clauses, at spaces, between the characters
    of scripts without spaces; the best kind first.
    """
    for pattern in (_CLAUSE, _SPACES):
        yield [m.end() for m in pattern.finditer(text, low, high) if low < m.end() < high and not glued[m.end()]]
    if _SPACELESS.search(text, low, high):
        yield [at for at in clusters(text, glued, low, high) if _is_spaceless(text, at)]


def _is_spaceless(text: str, at: int) -> bool:
    if text[at - 1] in _NOT_LAST:
        return False
    base = at - 1
    while base and unicodedata.category(text[base]).startswith("M"):
        base -= 1
    return bool(_SPACELESS.match(text, at) or _SPACELESS.match(text, base))


def cuts(text: str) -> list[int]:
    """Every cut of ``text`` at a clause, a space or between characters of a script without spaces."""
    found = partings(text, glue(text), 0, len(text))
    return sorted(set().union(*found))


def clusters(text: str, glued: bytearray, low: int, high: int) -> list[int]:
    """Cuts between any two grapheme clusters from ``low`` to ``high``."""
    return [m.end() for m in _CLUSTER.finditer(text, low, high) if m.end() < high and not glued[m.end()]]


def blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """(from, to, whether it is a heading) of every paragraph: blank lines part them.

    A heading is a single short line that stands alone and ends without a mark.
    """
    spans = list(_paragraphs(text))
    for low, high in spans:
        line = text[low:high].strip()
        alone = len(spans) > 1 and "\n" not in line and len(line) <= HEADING_MAX_CHARACTERS
        yield low, high, alone and bool(line) and (line[-1].isalnum() or line.startswith("#"))


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    low = 0
    for found in _BLANK_LINES.finditer(text):
        yield low, found.end()
        low = found.end()
    if low < len(text):
        yield low, len(text)


def _next(text: str, at: int) -> int:
    """The first index from ``at`` that is no space; ``len(text)`` if there is none."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
