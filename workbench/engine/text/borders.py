"""Find the places where a text may be cut.

A cut is an index of the text: the left piece ends before it, the right piece begins with it. ``glue`` marks the indices
where no cut is allowed: inside a number with its unit, a URL, an e-mail address or a version; before a closing quote or
bracket; after an opening one; after an abbreviation or an initial; after dots in the middle of a sentence. ``ends``
lists the remaining ends of sentences and clauses, ``partings`` the cuts within a sentence that is too long.

The rules are our own, because existing libraries solve another problem: ``pysbd`` and ``blingfire`` find the sentences
of one known language, but not its clauses, and not the parts that must stay whole under a byte budget; ICU needs a
compiler if there is no wheel. ``regex`` provides grapheme clusters (``\\X``) and the scripts of Unicode.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import regex

from workbench.engine.text.abbreviations import BEFORE_NUMBERS, CHAINS, WORDS

# Signs ----------------------------------------------------------------------------------------------------------------

_OPENERS = r"(\[{¿¡「『（【〈《〔［｛｢〝"
_CLOSERS = r")\]}」』）】〉》〕］｝｣〟"
# no piece begins with one of these characters: they belong to the text before them
_TRAILING = r"!?:;,.…‥%‰،؛؟۔।॥、。！？：；，．｡､։՝՜՞።፣፤፥፦፧၊။៖។៕ฯๆ་།"
_NOT_FIRST = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々〻ゝゞヽヾะาำๅ\u0eb0\u0eb2\u0eb3"
_NOT_LAST = frozenset("เแโใไ\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")  # vowels of Thai and Lao, written before their consonant

OTHER_ENDS = "؟۔،؛।॥։።፣፤፥፦፧။၊។៕།"  # sentence and clause ends of scripts that upstream does not handle
# upstream's sentence and clause ends (f5_tts/infer/utils_infer.py, chunk_text), and those of other scripts
_END = regex.compile(
    rf"(?<=[;:,.!?])\s+|(?<=[；：，。！？])|(?<=[{OTHER_ENDS}])\s*"
    r"|(?<=[\p{Thai}\p{Lao}\p{Khmer}])\s+(?=[\p{Thai}\p{Lao}\p{Khmer}])"  # in these scripts a space ends a clause
)
_BLANK_LINES = regex.compile(r"\n[^\S\n]*\n\s*")
# inside a sentence: after a closing quote or bracket, a dash, a Chinese comma, an Ethiopic word space
_CLAUSE = regex.compile(r"""[.!?…]['"”’»)\]]+\s+|[)\]}»”…]\s+|\s[-–—]\s+|[—–…、」』፡་](?=\S)|[,;!?)\]»”](?=\p{L}{2})""")
_SPACES = regex.compile(r"\s+")
_CLUSTER = regex.compile(r"\X")
# scripts without spaces between words: a cut between two characters does not always split a word
_SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}ー々、。，！？；：「」『』（）]"
)

# Parts that stay whole -----------------------------------------------------------------------------------------------

# a sign, Chinese and Japanese counters, and, after a space, any word as short as a unit
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
# "3. Mai", "26. 11. 2026", and the number of a list item
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
# a heading also where it ends with a mark: "CHAPTER I.", "Kapitel 3: Heim!", "第三章。", "XIV."
_CHAPTER = regex.compile(
    r"(?i)(?:chapter|part|book|volume|canto|act|scene|kapitel|teil|buch|band|chapitre|partie|livre|tome|cap[ií]tulo|parte|"
    r"libro|capitolo|luku|osa|nodaļa|daļa|глава|часть|книга|том|الفصل|الباب|अध्याय|भाग)\s+"
    r"(?:(?:\d+|[ivxlcdm]+)\b[^.!?]*[.!?:]?|\p{L}+[.:](?:\s[^.!?]*[.!?]?)?)|第.{1,6}[章回节節部卷][^。]*。?|(?:[ivxlc]{1,7}|\d{1,3})\."
)


def atoms(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every number, with sign, currency and unit, and of every address in ``text``, unsorted."""
    for found in _NUMBER.finditer(text):
        yield found.span()
    if _MAY_HOLD_ADDRESS.search(text):
        for found in _ADDRESS.finditer(text):
            yield found.start(), found.start() + len(found.group().rstrip(".,;:!?…)]'’"))


def glue(text: str) -> bytearray:
    """Return one byte per index of ``text``, including its end: 1 if the text must not be cut there."""
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
    """Yield (index, whether it closes) of every quotation mark; each paragraph starts without open marks.

    Open marks and spaces decide between German („ “ and » «), French, Finnish (” ”) and English pairs. Straight marks
    open and close in turn.
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
    """Whether the mark at index ``at`` is at the end of a word, not at the start of one."""
    spaced_left = at == 0 or text[at - 1].isspace()
    spaced_right = at + 1 == len(text) or text[at + 1].isspace()
    if spaced_left == spaced_right:
        return text[at] in "”»›’" and spaced_left
    return spaced_right


def ends(text: str, glued: bytearray) -> list[int]:
    """Return the cuts at the ends of sentences and clauses, in order; the last is ``len(text)``.

    They are upstream's without those that ``glued`` forbids, and those of other scripts. Closing quotes after an end
    belong to the left piece.
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
    """Return the UTF-8 bytes of the longest part of ``text`` without a sentence end, a clause end or a line end."""
    stretches = sorted((part for line in text.splitlines() for part in _END.split(line)), key=len, reverse=True)
    return max((len(part.encode("utf-8")) for part in stretches[:50]), default=0)


def partings(text: str, glued: bytearray, low: int, high: int) -> Iterator[list[int]]:
    """Yield lists of cuts between ``low`` and ``high`` for a sentence that is too long, the best kind first.

    The kinds are: at clauses, at spaces, between characters of scripts without spaces.
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
    """Return every cut of ``text`` at a clause, a space, or between characters of a script without spaces."""
    found = partings(text, glue(text), 0, len(text))
    return sorted(set().union(*found))


def clusters(text: str, glued: bytearray, low: int, high: int) -> list[int]:
    """Return the cuts between two grapheme clusters from ``low`` to ``high``."""
    return [m.end() for m in _CLUSTER.finditer(text, low, high) if m.end() < high and not glued[m.end()]]


def blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it is a heading) of every paragraph. Blank lines separate paragraphs.

    A heading is a paragraph of one short line that has no punctuation at its end, starts with "#", or names a chapter.
    """
    spans = list(_paragraphs(text))
    for low, high in spans:
        line = text[low:high].strip()
        alone = len(spans) > 1 and "\n" not in line and len(line) <= HEADING_MAX_CHARACTERS
        yield (
            low,
            high,
            alone
            and bool(line)
            and (line[-1].isalnum() or line.startswith("#") or _CHAPTER.fullmatch(line) is not None),
        )


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    low = 0
    for found in _BLANK_LINES.finditer(text):
        yield low, found.end()
        low = found.end()
    if low < len(text):
        yield low, len(text)


def _next(text: str, at: int) -> int:
    """Return the first index from ``at`` that is not a space; ``len(text)`` if there is none."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at
