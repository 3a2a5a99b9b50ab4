"""Tags that name who speaks: ``[Nora]``, ``[Nora speed=0.9 seed=4]``, and upstream's ``{"name": "Nora", "seed": 4}``.

A tag holds until the next one, as in upstream's multi-speech (f5_tts/infer/infer_cli.py and infer_gradio.py).
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import regex

from workbench.engine.errors import SettingsError, TextError, VoiceError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.text import tags
from workbench.engine.visible import quoted

MAIN = "main"  # the voice of a text without tags, as upstream's command line calls it
_MAIN_TOO = ("Regular",)  # as its app calls it
_SHORT = {"nfe": "nfe_step", "cfg": "cfg_strength", "sway": "sway_sampling_coef"}
_TIMES = ("at", "until")
_KNOBS = frozenset({*_TIMES, *_SHORT, *(field.name for field in dataclasses.fields(SynthesisSettings))})
_WORD = r"(?:\"[^\"\[\]\n]*\"|'[^'\[\]\n]*'|[^\s\[\],=]+)"
_VALUE = rf"[A-Za-z_]+\s*=\s*{_WORD}"
_BRACKETS = regex.compile(
    rf"(?<!\\)\[\s*(?P<name>\p{{L}}[^\[\]\n=]{{0,79}}?)(?P<settings>(?:[\s,]+{_VALUE})*)\s*\](?!\()"
)
_BRACES = regex.compile(r"(?<!\\)\{[^{}\n]{1,500}\}")
_TAG = regex.compile(f"{_BRACKETS.pattern}|(?P<braces>{_BRACES.pattern})")
_PAIR = regex.compile(rf"(?P<name>[A-Za-z_]+)\s*=\s*(?P<value>{_WORD})")
_CLOCK = regex.compile(r"(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:[.,]\d+)?)s?")
_LINE_START = regex.compile(r"(?:^|\n)[ \t\"'“„«>#*-]*$")
_NEAR = 0.75  # how alike two names are, from 0 to 1, for one to be taken for a slip of the other


@dataclass(frozen=True)
class Tag:
    """A tag in a text.

    Attributes:
        start, end: its place.
        name: of the voice, as it is known; ``MAIN`` for the voice of the whole text.
        settings: name to value of the settings that hold for the passage.
        at_seconds, until_seconds: when the passage is to begin and to have ended; None: whenever it does.
    """

    start: int
    end: int
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    at_seconds: float | None = None
    until_seconds: float | None = None


def key(name: str) -> str:
    """Return what is equal for two ways to write one name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", " ".join(name.split())).casefold())


def find(text: str, names: Collection[str], *, strict: bool = False) -> list[Tag]:
    """Return the tags of ``text`` that name a voice, in order; [] where it is an ordinary text.

    Args:
        text: any text.
        names: of the voices.
        strict: the text is known to be a script, as one that holds the name of a voice is.

    Raises:
        VoiceError: a tag looks as if it named a voice, but there is none of this name. At the start of a line, or with
            settings, or where the name is nearly that of a voice, it does; other words in brackets are words.
        SettingsError: a setting in a tag is unknown or not a number.
    """
    kept, strangers = _scan(text, names, strict)
    if strangers:
        tag, written = strangers[0]
        raise unknown(tag.name, {*names, MAIN}, written)
    return kept


def strangers(text: str, names: Collection[str], *, strict: bool = False) -> list[str]:
    """Return the names for which ``find`` has no voice, each once. Raises SettingsError as ``find``."""
    return list(dict.fromkeys(tag.name for tag, _ in _scan(text, names, strict)[1]))


def _scan(text: str, names: Collection[str], strict: bool) -> tuple[list[Tag], list[tuple[Tag, str]]]:
    """Return the tags of voices that are known, and the tags that look as if they named one, as written."""
    if "[" not in text and "{" not in text:
        return [], []
    known = {key(name): name for name in names} | {key(name): MAIN for name in (MAIN, *_MAIN_TOO)}
    read = [(match, tag) for match in _TAG.finditer(text) if (tag := _read(match, known)) is not None]
    strict = strict or any(key(tag.name) in known for _, tag in read)
    kept: list[Tag] = []
    strange: list[tuple[Tag, str]] = []
    for match, tag in read:
        if key(tag.name) in known:
            settings, at_seconds, until_seconds = _settings(tag, match.group())
            kept.append(Tag(*match.span(), known[key(tag.name)], settings, at_seconds, until_seconds))
        elif _names_a_voice(text, match, tag, known, strict):
            strange.append((tag, match.group()))
    return kept, strange


def unknown(name: str, names: Collection[str], written: str = "") -> VoiceError:
    """Return the error for a voice that is not there, with the nearest name and the list of all."""
    near = difflib.get_close_matches(key(name), [key(one) for one in names], n=1, cutoff=0.6)
    meant = next((one for one in names if near and key(one) == near[0]), "")
    listed = ", ".join(dict.fromkeys(sorted(names)))
    literal = f" Write \\{written} for words in brackets." if written else ""
    return VoiceError(
        f"There is no voice {quoted(name)}.",
        remedy=(f"Did you mean {meant}? " if meant else "") + f"Voices: {listed}.{literal}",
    )


def write(
    name: str, settings: Mapping[str, Any], at_seconds: float | None = None, until_seconds: float | None = None
) -> str:
    """Return the tag that ``find`` reads as these values; times to the millisecond."""
    times = zip(_TIMES, (at_seconds, until_seconds), strict=True)
    values = [f"{word}={clock(value)}" for word, value in times if value is not None]
    values += [f"{word}={_plain(value)}" for word, value in settings.items()]
    return f"[{' '.join([name, *values])}]"


def escaped(words: str) -> str:
    """Return ``words`` so that no bracket or brace in them begins a tag."""
    return regex.sub(r"(?<!\\)([\[{])", r"\\\1", words)


def clock(seconds: float) -> str:
    """Return a time in seconds with up to three decimals, such as "75.5"."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def seconds_of(given: str | float) -> float:
    """Return the seconds of "75.5", "1:15.5" or "0:01:15,5". Raises SettingsError."""
    match = _CLOCK.fullmatch(str(given).strip())
    if match is None:
        raise SettingsError(f"{quoted(str(given))} is not a time.", remedy="Write seconds, or 0:01:15.5.")
    hours, minutes, seconds = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds.replace(",", "."))


def setting(name: str, given: Any) -> tuple[str, Any]:
    """Return name and value of a setting as a person writes them: "nfe" for nfe_step, numbers as text.

    "none" unsets. The range is not checked. Raises SettingsError for a value that is none.
    """
    name = _SHORT.get(name, name)
    if not isinstance(given, str):
        return name, given
    word = given.strip()
    if word.lower() in ("none", "true", "false"):
        return name, {"none": None, "true": True, "false": False}[word.lower()]
    for kind in (int, float):
        try:
            return name, kind(word)
        except ValueError:
            continue
    return name, word


def _plain(value: Any) -> str:
    return {"None": "none", "True": "true", "False": "false"}.get(str(value), str(value))


def _read(match: Any, known: Mapping[str, str]) -> Tag | None:
    """Return the tag as written, or None where it can only be something else, such as a pause or a sound."""
    if match["braces"] is not None:
        return _from_braces(match["braces"], known)
    name = match["name"].strip()
    values = {pair["name"]: _unquoted(pair["value"]) for pair in _PAIR.finditer(match["settings"])}
    if key(name) not in known and (tags.is_pause(match.group()) or (not values and tags.is_sound(match.group()))):
        return None
    return Tag(0, 0, name, values)


def _unquoted(value: str) -> str:
    """Return a value without the quotes around it, as in TOML and HTML."""
    return value[1:-1] if len(value) > 1 and value[0] in "\"'" and value[0] == value[-1] else value


def _from_braces(written: str, known: Mapping[str, str]) -> Tag | None:
    try:
        given = json.loads(written)
    except ValueError:
        name = written[1:-1].strip()
        return Tag(0, 0, name) if key(name) in known else None
    except RecursionError as error:
        raise TextError(f"{quoted(written)} is not a tag.", remedy='Write {"name": "Nora", "speed": 0.9}.') from error
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        return None
    return Tag(0, 0, given["name"], {name: value for name, value in given.items() if name != "name"})


def _settings(tag: Tag, written: str) -> tuple[dict[str, Any], float | None, float | None]:
    """Return settings and times of a tag. Upstream's seed -1, a random one, is the seed of the run here."""
    settings, times = {}, dict.fromkeys(_TIMES)
    for word, given in tag.settings.items():
        if word in _TIMES:
            times[word] = seconds_of(given)
            continue
        name, value = setting(word, given)
        if (name, value) != ("seed", -1):
            settings[name] = value
    if times["until"] is not None and (times["at"] is None or times["until"] <= times["at"]):
        raise SettingsError(f"{quoted(written)} ends before it begins.", remedy="Write at= and a later until=.")
    return settings, times["at"], times["until"]


def _names_a_voice(text: str, match: Any, tag: Tag, known: Mapping[str, str], strict: bool) -> bool:
    """Whether a tag of an unknown name is meant to name a voice."""
    if match["braces"] is not None or (tag.settings and (strict or _KNOBS.issuperset(tag.settings))):
        return True
    at_start = _LINE_START.search(text, max(0, match.start() - 40), match.start()) is not None
    return (at_start and strict) or ((at_start or strict) and _is_near(key(tag.name), frozenset(known)))


@lru_cache(4096)
def _is_near(name: str, known: frozenset[str]) -> bool:
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=_NEAR))
