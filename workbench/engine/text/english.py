"""English words for numbers: years, times, money, codes, telephone numbers, units, dates and others.

``num2words`` makes the words. The form of a number and the words around it give its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import regex
from num2words import num2words

Saying = Callable[[regex.Match[str]], str | None]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH = rf"(?:{'|'.join(_MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion", "B": "billion"}
_MONEY = {"$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
          "£": ("pound", "pounds", "penny", "pence"), "¥": ("yen", "yen", "", ""),
          "₹": ("rupee", "rupees", "paisa", "paise"), "₽": ("ruble", "rubles", "kopek", "kopeks")}  # fmt: skip
_MONEY |= {"USD": _MONEY["$"], "EUR": _MONEY["€"], "GBP": _MONEY["£"], "JPY": _MONEY["¥"], "INR": _MONEY["₹"],
           "CHF": ("franc", "francs", "centime", "centimes"), "US$": _MONEY["$"]}  # fmt: skip
_UNITS = {
    "%": ("percent", "percent"), "‰": ("per mille", "per mille"), "°": ("degree", "degrees"),
    "°C": ("degree Celsius", "degrees Celsius"), "℃": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "kmh": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"), "mph": ("mile per hour", "miles per hour"),
    "m²": ("square meter", "square meters"), "m2": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"), "km2": ("square kilometer", "square kilometers"),
    "m³": ("cubic meter", "cubic meters"), "m3": ("cubic meter", "cubic meters"), "ft": ("foot", "feet"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "bar": ("bar", "bar"), "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"),
    "rpm": ("revolution per minute", "revolutions per minute"), "dB": ("decibel", "decibels"),
}  # fmt: skip
_UNITS |= {
    short: (long, long + "s")
    for short, long in {
        "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "µm": "micrometer", "nm": "nanometer",
        "kg": "kilogram", "g": "gram", "mg": "milligram", "l": "liter", "L": "liter", "ml": "milliliter",
        "mL": "milliliter", "s": "second", "sec": "second", "ms": "millisecond", "min": "minute", "mi": "mile",
        "yd": "yard", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
        "kW": "kilowatt", "kWh": "kilowatt hour", "W": "watt", "MW": "megawatt", "V": "volt", "mA": "milliampere",
        "kcal": "kilocalorie", "Pa": "pascal", "hPa": "hectopascal", "kPa": "kilopascal",
    }.items()
}  # fmt: skip
_FRACTIONS = {"½": "one half", "⅓": "one third", "⅔": "two thirds", "¼": "one quarter", "¾": "three quarters",
              "⅛": "one eighth", "⅜": "three eighths", "⅝": "five eighths", "⅞": "seven eighths"}  # fmt: skip
_FIGURE = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"


def _longest_first(words: object) -> str:
    return "|".join(map(regex.escape, sorted(words, key=len, reverse=True)))  # type: ignore[call-overload]


@lru_cache(maxsize=4096)
def cardinal(figure: str) -> str:
    """Return the words of a figure such as "1,234.5"; with leading zeros or over 15 digits, digit by digit."""
    whole, _, part = figure.replace(",", "").partition(".")
    if len(whole) > 15 or (len(whole) > 1 and whole[0] == "0"):
        said = digits(whole)
    else:
        said = num2words(int(whole or 0)).replace(",", "")
    return f"{said} point {digits(part)}" if part else said


def digits(figure: str) -> str:
    """Return the words of every single digit of ``figure``."""
    return " ".join(_DIGITS[int(c)] for c in figure if c.isdigit())


def year(figure: str) -> str:
    """Return the words of a year: "1984" is nineteen eighty-four, "1905" nineteen oh-five."""
    number = int(figure)
    return str(num2words(number, to="year")) if 1000 <= number <= 2999 else cardinal(figure)


def ordinal(figure: str) -> str:
    """Return the ordinal of ``figure``: "22" is twenty-second."""
    return str(num2words(int(figure.replace(",", "")), to="ordinal")).replace(",", "")


def _counted(figure: str, names: tuple[str, str]) -> str:
    return f"{cardinal(figure)} {names[0] if figure.strip() == '1' else names[1]}"


def _money(m: regex.Match[str]) -> str:
    names = _MONEY[m["sign"]]
    amount, scale = m["figure"], m["scale"]
    if scale:
        return f"{cardinal(amount)} {_SCALES.get(scale, scale)} {names[1]}"
    whole, _, part = amount.partition(".")
    if len(part) != 2 or not names[2]:
        return _counted(amount, names[:2])
    minor = _counted(str(int(part)), names[2:]) if int(part) else ""
    if not int(whole.replace(",", "") or 0) and minor:
        return minor
    return _counted(whole, names[:2]) + (f" and {minor}" if minor else "")


def _time(m: regex.Match[str]) -> str | None:
    hour, minute = int(m["hour"]), int(m["minute"])
    if hour > 24 or minute > 59:
        return None
    half = f" {m['half']}" if m["half"] else ""
    spoken = cardinal(str(hour))
    if m["second"]:
        return f"{spoken} {cardinal(str(minute))} and {cardinal(str(int(m['second'])))} seconds{half}"
    if minute:
        return spoken + (" oh " if minute < 10 else " ") + cardinal(str(minute)) + half
    return spoken + (half or (" o'clock" if 1 <= hour <= 12 else " hundred hours"))


def _telephone(m: regex.Match[str]) -> str:
    groups = regex.findall(r"\d+", m.group())
    said = ", ".join(digits(group) for group in groups)
    return f"plus {said}" if m.group().startswith("+") else said


def _date(m: regex.Match[str]) -> str | None:
    month, day = int(m["month"]), int(m["day"])
    if month > 12 >= day:
        month, day = day, month
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    return f"{_MONTHS[month - 1]} {ordinal(str(day))}, {year(m['year'])}"


def _fraction(m: regex.Match[str]) -> str | None:
    top, bottom = int(m["top"]), int(m["bottom"])
    if not 0 < top < bottom <= 100 or bottom == 1:
        return None
    name = {2: "half", 4: "quarter"}.get(bottom, ordinal(str(bottom)))
    if top > 1:
        name = "halves" if bottom == 2 else name + "s"
    whole = f"{cardinal(m['whole'])} and " if m["whole"] else ""
    return f"{whole}{cardinal(str(top))} {name}"


def _range(m: regex.Match[str]) -> str | None:
    low, high = m["low"], m["high"]
    if (
        all(len(f) == 4 and 1100 <= int(f) <= 2099 for f in (low, high) if f.isdigit())
        and low.isdigit()
        and high.isdigit()
    ):
        return f"{year(low)} to {year(high)}"
    unit = _UNITS.get(m["unit"] or "")
    return f"{cardinal(low)} to {_counted(high, unit) if unit else cardinal(high)}"


def _plain(m: regex.Match[str]) -> str:
    figure = m["figure"]
    sign, after = "minus " if m["sign"] else "", " " if m["letter"] is not None else ""
    number = int(figure) if figure.isdigit() else 0
    if len(figure) == 4 and figure.isdigit() and not sign and (1100 <= number <= 1999 or 2010 <= number <= 2099):
        return year(figure)
    return sign + cardinal(figure) + after


def _decade(m: regex.Match[str]) -> str:
    said = year(m["decade"]) if len(m["decade"]) == 4 else cardinal(m["decade"])
    return said.removesuffix("y") + "ies" if said.endswith("y") else said + "s"


_SIGN, _UNIT, _SCALE = (
    _longest_first(_MONEY),
    _longest_first(_UNITS),
    r"million|billion|trillion|thousand|bn\b|tn\b|[kKmMB]\b",
)
_RULES: list[tuple[str, Saying]] = [
    (r"(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})(?![\d-])", _date),
    (r"(?<![\d/])(?<month>\d{1,2})/(?<day>\d{1,2})/(?<year>\d{4})(?![\d/])", _date),
    (rf"(?<=\b{_MONTH}\s)(?<day>\d{{1,2}})(?:st|nd|rd|th)?(?=\b(?![:.]\d))", lambda m: ordinal(m["day"])),
    (rf"(?<![Tt]he\s)(?<day>\d{{1,2}})(?=\s{_MONTH}\b)", lambda m: f"the {ordinal(m['day'])} of"),
    (rf"(?<=[Tt]he\s)(?<day>\d{{1,2}})(?=\s{_MONTH}\b)", lambda m: f"{ordinal(m['day'])} of"),
    (
        r"(?<=(?i:\b(?:code|pin|password|passcode|otp|token|flight|zip|postcode|extension|ext\.?|id|account|serial|"
        r"room|gate|booking|reference|tracking)(?:\s(?:number|no\.|code|is|was|of|the|your|:))*:?\s#?))"
        r"\d[\d\- ]+\d(?![.,:]?\d)",
        lambda m: ", ".join(map(digits, regex.findall(r"\d+", m.group()))),
    ),
    (
        r"\+\d{1,3}[\s\-.]?(?:\(\d{1,4}\)[\s\-.]?)?\d[\d\-. ]{4,}\d|\(\d{2,5}\)[\s\-.]?\d[\d\-. ]{3,}\d"
        r"|\d{3}-\d{4}(?![\d-])|\d{3}[-. ]\d{3}[-. ]\d{4}|0\d{2,4}[ \-/]\d{3,}(?:[ \-]\d{2,})*",
        _telephone,
    ),
    (rf"(?<sign>{_SIGN})\s?(?<figure>{_FIGURE})(?:[ \u00a0]?(?<scale>{_SCALE}))?", _money),
    (rf"(?<figure>{_FIGURE})(?:[ \u00a0]?(?<scale>{_SCALE}))?[ \u00a0]?(?<sign>{_SIGN})(?!\w)", _money),
    (r"(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2}))?(?:\s?(?<half>[aApP]\.?[mM]\b\.?))?(?!:?\d)", _time),
    (
        r"(?<![\d:.])(?<low>\d{1,3}):(?<high>\d{1,3})(?![\d:])",
        lambda m: f"{cardinal(m['low'])} to {cardinal(m['high'])}",
    ),
    (r"(?<low>\d)['′](?<high>\d{1,2})[\"″]?", lambda m: f"{cardinal(m['low'])} foot {cardinal(m['high'])}"),
    (r"(?<figure>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(m["figure"])),
    (r"(?<![\d.])(?<decade>1[1-9]\d0|20\d0|[2-9]0)'?s\b", _decade),
    (
        r"\bv?(?<version>\d+(?:\.\d+){2,})",
        lambda m: (
            ("version " if m.group()[0] == "v" else "")
            + " point ".join(cardinal(part) for part in m["version"].split("."))
        ),
    ),
    (rf"(?<low>{_FIGURE})\s?[–—]\s?(?<high>{_FIGURE})(?:\s?(?<unit>{_UNIT})(?!\w))?", _range),
    (rf"(?<low>{_FIGURE})-(?<high>{_FIGURE})(?:\s?(?<unit>{_UNIT})(?!\w))?(?![-\w])", _range),
    (
        rf"(?<sign>(?<![\w)])[-−])?(?<figure>{_FIGURE})[ \u00a0\u202f]?(?<unit>{_UNIT})(?!\w)",
        lambda m: ("minus " if m["sign"] else "") + _counted(m["figure"], _UNITS[m["unit"]]),
    ),
    (r"(?:(?<whole>\d+)\s)?(?<![\d/])(?<top>\d{1,2})[/⁄](?<bottom>\d{1,3})(?![\d/])", _fraction),
    (
        r"(?<whole>\d+)?(?<part>[½⅓⅔¼¾⅛⅜⅝⅞])",
        lambda m: f"{cardinal(m['whole'])} and {_FRACTIONS[m['part']]}" if m["whole"] else _FRACTIONS[m["part"]],
    ),
    (r"(?:#|№\s?|\bNo\.\s?|\bno\.\s?)(?<figure>\d+)", lambda m: f"number {cardinal(m['figure'])}"),
    (
        r"(?<=(?i:\b(?:in|since|year|until|till|from|by|early|late|mid|before|after|during|spring|summer|autumn|fall|"
        rf"winter|{_MONTH}|{_MONTH}\s\d{{1,2}},?)\s))(?<year>1\d{{3}}|20\d{{2}})(?![\d.,:%]\d|[ ]?(?:{_UNIT})(?!\w))\b",
        lambda m: year(m["year"]),
    ),
    (r"(?<=\p{L})(?<figure>\d+)(?![\d.,]\d)", lambda m: " " + cardinal(m["figure"])),
    (r"(?<![\d,])(?<low>\d+),(?<high>\d{1,2})(?![\d,])", lambda m: f"{cardinal(m['low'])} point {digits(m['high'])}"),
    (rf"(?<sign>(?<![\w)])[-−])?(?<figure>{_FIGURE})(?<letter>(?=\p{{L}}))?", _plain),
]
# one scan: at each place the first matching rule applies; a rule that returns None leaves the number unchanged
_FIRST = r"(?=[\d½⅓⅔¼¾⅛⅜⅝⅞#№+(.\-−$€£¥₹₽]|\b(?:US|EUR|GBP|JPY|INR|CHF|[vVNn]))(?=\D{0,5}[\d½⅓⅔¼¾⅛⅜⅝⅞])"
_PATTERN = regex.compile(f"{_FIRST}(?:{'|'.join(f'(?P<rule{i}>{pattern})' for i, (pattern, _) in enumerate(_RULES))})")
_SAYINGS = {f"rule{i}": saying for i, (_, saying) in enumerate(_RULES)}


LONGEST_FIGURE = 60  # characters; longer ones are spoken digit by digit


def _rule(m: regex.Match[str]) -> str:
    return next(name for name in _SAYINGS if m[name] is not None)


def spoken(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, words) of every number in ``text``, in order."""
    found = []
    for m in _PATTERN.finditer(text):
        words = digits(m.group()) if len(m.group()) > LONGEST_FIGURE else _SAYINGS[_rule(m)](m)
        if words is not None:
            start, end = m.span()
            found.append((start, end, _apart(words, text[start - 1 : start], text[end : end + 1])))
    return found


def _apart(words: str, before: str, after: str) -> str:
    """Return ``words`` with a space towards a neighbouring letter: "v2.0" is v two point zero, not vtwo."""
    left = " " if before.isalpha() and not words[0].isspace() else ""
    return left + words + (" " if after.isalpha() and not words[-1].isspace() else "")
