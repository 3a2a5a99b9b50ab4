"""Words for numbers, in the languages whose words are known. In other languages numbers stay digits.

The planned length of speech depends on the bytes of the text. "7314" has four bytes but takes as long to say as its
many words. So numbers are planned, shown and spoken as words. Upstream passes digits to the model and leaves this to
the user (SWivid/F5-TTS#1161: "normalise text"); ``numbers="off"`` does the same.

English has its own rules (``english``), Chinese those of ``cn2an``. The other languages use ``num2words`` for
cardinals, decimals and percentages, and single digits for numbers with leading zeros. Kinds that these languages
inflect, such as dates and ordinals, stay as written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import regex
from num2words import num2words

from workbench.engine.text import english

# decimal mark, its word, percent, minus
_OTHERS = {
    "de": (",", "Komma", "Prozent", "minus"),
    "fr": (",", "virgule", "pour cent", "moins"),
    "es": (",", "coma", "por ciento", "menos"),
    "it": (",", "virgola", "per cento", "meno"),
    "fi": (",", "pilkku", "prosenttia", "miinus"),
    "lv": (",", "komats", "procenti", "mīnus"),
    "ru": (",", "запятая", "процентов", "минус"),
    "ar": ("٫", "فاصلة", "في المئة", "ناقص"),
}
LANGUAGES = ("en", "zh", *_OTHERS)
_GROUPS = r"\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+"
# digits of a time, date, version, telephone number, ordinal or name are not a cardinal number
_FIGURE = regex.compile(
    r"(?<![\p{L}\d.,:/\-+(])(?<!\d[ \u00a0])(?P<minus>[-−](?=\d))?"
    rf"(?P<whole>{_GROUPS}|\d{{1,3}}(?:(?P<group>[.,٬])\d{{3}})(?:(?P=group)\d{{3}})*|\d+)(?:(?P<mark>[.,٫])(?P<part>\d+))?"
    r"(?P<percent>[ \u00a0\u202f]?[%٪])?(?![\d\p{L}]|[:/\-–.,٫٬]\d|\.\s+\p{Ll}|[ \u00a0]\d)"
    r"(?!\.\s(?:Jan|Feb|März|April|Mai|Juni|Juli|Aug|Sep|Okt|Nov|Dez))"
)
_CHINESE = regex.compile(
    r"\d+(?:\.\d+)?%|\d{4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月\d{1,2}[日号]|\d+(?:\.\d+)?℃|\d+(?:[.:/\-]\d+)*"
)

_LINE = regex.compile(r"[^\n]+")
_FIGURES = regex.compile(r"[\d½⅓⅔¼¾⅛⅜⅝⅞]")
_SCRIPTS = tuple(
    (language, regex.compile(script))
    for language, script in (
        ("ja", r"[\p{Hiragana}\p{Katakana}]"),
        ("zh", r"\p{Han}"),
        ("ar", r"\p{Arabic}"),
        ("ru", r"\p{Cyrillic}"),
        (None, r"[\p{Devanagari}\p{Thai}\p{Hangul}\p{Greek}\p{Hebrew}]"),
    )
)


def language_of(text: str, languages: Sequence[str]) -> str | None:
    """Return which of ``languages`` the paragraph ``text`` uses for its numbers; None if its words are unknown.

    If there are several languages, the script of the text decides; Latin letters mean the first language with them.
    """
    known = [language for language in languages if language in LANGUAGES]
    if len(languages) == 1:
        return known[0] if known else None
    for language, script in _SCRIPTS:
        if script.search(text):
            return language if language in known else None
    return next((language for language in known if language not in ("zh", "ar", "ru")), None)


def spoken(text: str, languages: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (start, end, words) of every number in ``text`` that is spoken as words, in order."""
    found = []
    for line in _LINE.finditer(text):
        if _FIGURES.search(line.group()):
            said = _of(line.group(), language_of(line.group(), languages))
            found += [(line.start() + low, line.start() + high, words) for low, high, words in said]
    return found


def _of(line: str, language: str | None) -> list[tuple[int, int, str]]:
    if language == "en":
        return english.spoken(line)
    if language == "zh":
        said = ((m.start(), m.end(), _chinese(m.group())) for m in _CHINESE.finditer(line))
    elif language in _OTHERS:
        said = ((m.start(), m.end(), _other(m, language)) for m in _FIGURE.finditer(line))
    else:
        return []
    return [(low, high, words) for low, high, words in said if words]


def _chinese(written: str) -> str | None:
    import cn2an

    if regex.fullmatch(r"\d{5,}", written) or (written.isdigit() and written[0] == "0"):
        return "".join("零一二三四五六七八九"[int(c)] for c in written)  # a code or a telephone number
    if regex.fullmatch(r"\d{1,2}:\d{2}", written):
        hour, minute = written.split(":")
        return f"{cn2an.an2cn(hour)}点" + (
            "" if minute == "00" else ("零" if minute[0] == "0" else "") + f"{cn2an.an2cn(int(minute))}分"
        )
    if len(written) > 16:
        return None
    said = cn2an.transform(written, "an2cn")
    return said if said != written and not regex.search(r"\d", said) else None


def _other(m: regex.Match[str], language: str) -> str | None:
    mark, point, percent, minus = _OTHERS[language]
    whole, part = regex.sub(r"\D", "", m["whole"]), m["part"]
    if m["group"] == mark or (m["mark"] and m["mark"] != mark and not (m["mark"] == "." and language in ("es", "ar"))):
        return None  # written as in another language, so its value is ambiguous
    said = _words(whole, language) + (f" {point} {_one_by_one(part, language)}" if part else "")
    return (f"{minus} " if m["minus"] else "") + said + (f" {percent}" if m["percent"] else "")


@lru_cache(maxsize=4096)
def _words(figure: str, language: str) -> str:
    if len(figure) > 12 or (len(figure) > 1 and int(figure[0]) == 0):
        return _one_by_one(figure, language)
    return str(num2words(int(figure), lang=language))


def _one_by_one(figure: str, language: str) -> str:
    return " ".join(num2words(int(digit), lang=language) for digit in figure)
