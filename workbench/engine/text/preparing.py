"""Prepare a typed text for speech, and record every change with its place."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import regex

from workbench.engine import rules
from workbench.engine.errors import TextError
from workbench.engine.text import borders, normalise, numbers, tags
from workbench.engine.text.normalise import Change
from workbench.engine.visible import quoted

_HAN = regex.compile(r"[\u3007\u3100-\u9fff]+")


@dataclass(frozen=True)
class Prepared:
    """A prepared text.

    Attributes:
        typed: the text as typed.
        text: ``typed`` after ``changes`` and without pause tags; numbers are still digits.
        changes: the changes made, with their places in ``typed``.
        offers: changes that could be made, with their places in ``typed``; see ``cleaned``.
        spoken: (start, end, words) of the numbers in ``text`` that are spoken as words.
        pauses: (index in ``text``, seconds) of the silences.
        lacking: characters or tags that the model cannot speak, with their places in ``typed``.
    """

    typed: str
    text: str
    changes: tuple[Change, ...] = ()
    offers: tuple[Change, ...] = ()
    spoken: tuple[tuple[int, int, str], ...] = ()
    pauses: tuple[tuple[int, float], ...] = ()
    lacking: tuple[Change, ...] = ()
    _edits: tuple[Change, ...] = field(default=(), repr=False)

    def said(self, low: int = 0, high: int | None = None) -> str:
        """Return ``text[low:high]`` as spoken: with numbers as words and single spaces."""
        high = len(self.text) if high is None else high
        first = bisect.bisect_left(self.spoken, (low, low, ""))
        parts, end = [], low
        for start, stop, words in self.spoken[first:]:
            if start >= high:
                break
            parts += [self.text[end:start], words]
            end = stop
        return " ".join("".join([*parts, self.text[end:high]]).split())

    def written(self, low: int, high: int) -> str:
        """Return ``text[low:high]`` as written, with single spaces."""
        return " ".join(self.text[low:high].split())

    def place(self, index: int) -> int:
        """Return the index in ``typed`` of ``text[index]``."""
        position = bisect.bisect_right(self._starts, index) - 1
        if position < 0:
            return index
        edit, after = self._edits[position], index - self._starts[position]
        return edit.start if after < len(edit.after) else edit.end + after - len(edit.after)

    @cached_property
    def _starts(self) -> list[int]:
        """Index in ``text`` at which each edit begins."""
        starts, shift = [], 0
        for edit in self._edits:
            starts.append(edit.start + shift)
            shift += len(edit.after) - len(edit.before)
        return starts

    @property
    def cleaned(self) -> str:
        """``typed`` after all offered changes."""
        return normalise.applied(self.typed, self.offers)

    def check(self) -> Prepared:
        """Return itself if the text can be spoken.

        Raises:
            TextError: the text cannot be spoken; the message says why.
        """
        check_form(self.text)
        if self.lacking:
            found = list(dict.fromkeys(change.before for change in self.lacking))
            named = ", ".join(f"{c!r} (U+{ord(c):04X})" if len(c) == 1 else repr(c) for c in found[:10])
            more = f" and {len(found) - 10} more" if len(found) > 10 else ""
            starts = [offer.start for offer in self.offers]
            offered = any(_covering(self.offers, starts, change.start) for change in self.lacking)
            raise TextError(
                f"The model's vocabulary lacks {named}{more}.",
                remedy="Clean the text (--clean on the command line), spell out the rest, or choose another model."
                if offered
                else "Spell them out (numbers as words) or choose a model that knows them.",
            )
        return self


def prepare(
    text: str,
    vocabulary: Collection[str] | None = None,
    languages: Sequence[str] = (),
    *,
    unknown: Callable[[str], list[str]] | None = None,
) -> Prepared:
    """Prepare ``text`` for speech. This is a pure function, fast enough to run during typing.

    Args:
        text: as typed.
        vocabulary: tokens of the model; None if unknown: then ``lacking`` stays empty.
        languages: ISO 639-1 codes of the model, for numbers; none keeps numbers as digits.
        unknown: returns the tokens of a text that the model lacks, by upstream's tokenizer (``Loaded.unknown``).

    Raises:
        TextError: a pause has no valid length, the text is not valid Unicode, or it has too many bytes.
    """
    if regex.search(r"[\ud800-\udfff]", text):
        raise TextError("The text is not UTF-8.", remedy="Save it, or set the terminal, as UTF-8.")
    if (size := len(text.encode("utf-8"))) > rules.TEXT_MAX_BYTES:
        raise TextError(
            f"The text has {size:,} bytes, more than the {rules.TEXT_MAX_BYTES:,} of one run.",
            remedy="Split it, for example by chapters.",
        )
    pauses = tags.pauses(text)
    silences = [Change("pause", p.start, text[p.start : p.end], " ") for p in pauses]
    literal = [Change("escape", start, f"\\{sign}", sign) for start, sign in tags.escapes(text)]
    taken = sorted([*silences, *literal], key=lambda change: change.start)
    made = _outside(normalise.changes(text, vocabulary), taken)
    offers = _outside(normalise.offers(text, vocabulary), taken)
    edits = sorted([*taken, *made], key=lambda change: change.start)
    whole = Prepared(text, normalise.applied(text, edits), tuple(made), tuple(offers), _edits=tuple(edits))
    starts = dict(zip((edit.start for edit in edits), whole._starts, strict=True))
    spoken = numbers.spoken(whole.text, languages) if languages else []
    if vocabulary is not None:
        known = frozenset(vocabulary)
        spoken = [said for said in spoken if all(normalise.knows(known, c) for c in set(said[2]))]
    whole = replace(whole, spoken=tuple(spoken), pauses=tuple((starts[p.start] + 1, p.seconds) for p in pauses))
    return (
        whole if vocabulary is None else replace(whole, lacking=tuple(_lacking(whole, frozenset(vocabulary), unknown)))
    )


def _outside(found: Sequence[Change], silences: Sequence[Change]) -> list[Change]:
    if not silences:
        return list(found)
    ends = [s.end for s in silences]  # in order and apart, as tags are found
    after = [bisect.bisect_right(ends, change.start) for change in found]
    return [c for c, at in zip(found, after, strict=True) if at == len(ends) or c.end <= silences[at].start]


def _covering(found: Sequence[Change], starts: Sequence[int], place: int) -> Change | None:
    """The one of ``found``, which are in order and apart and begin at ``starts``, that holds ``place``."""
    at = bisect.bisect_right(starts, place) - 1
    return found[at] if at >= 0 and place < found[at].end else None


def _lacking(
    prepared: Prepared, vocabulary: frozenset[str], unknown: Callable[[str], list[str]] | None
) -> Iterator[Change]:
    """Yield the parts of the typed text that cannot be spoken, in order."""
    text = prepared.text
    tokens = set(unknown(prepared.said())) if unknown else set()
    if unknown:
        odd = {c for c in set(text) if c in tokens or normalise.replaced(c) in tokens}
    else:
        odd = {c for c in set(text) if not normalise.knows(vocabulary, c)}
    places = {m.start(): m.group() for m in regex.finditer(f"[{regex.escape(''.join(odd))}]", text)} if odd else {}
    if unknown and tokens - odd:
        places |= _unread(text, unknown)
    said = [range(low, high) for low, high, _ in prepared.spoken]
    starts = [span.start for span in said]
    tagged = [offer for offer in prepared.offers if offer.what == "tag"]
    tag_starts = [tag.start for tag in tagged]
    end = -1
    for at in sorted(places):
        number = bisect.bisect_right(starts, at) - 1
        place = prepared.place(at)
        if place < end or (number >= 0 and at in said[number]):
            continue
        tag = _covering(tagged, tag_starts, place)
        change = Change("lacking", *(tag.start, tag.before) if tag else (place, places[at]), "")
        end = change.end
        yield change


def _unread(text: str, unknown: Callable[[str], list[str]]) -> dict[int, str]:
    """Return Chinese characters whose pinyin the model lacks; a whole sequence if its reading depends on neighbours."""
    found: dict[int, str] = {}
    for run in _HAN.finditer(text):
        if unknown(run.group()):
            single = {run.start() + i: c for i, c in enumerate(run.group()) if unknown(c)}
            found |= single or {run.start(): run.group()}
    return found


def check_form(text: str) -> None:
    """Raise TextError if no model can speak ``text``."""
    if "\x00" in text:
        raise TextError("The text holds NUL characters.", remedy="Give plain UTF-8 text, not a binary file.")
    if not text.strip():
        raise TextError("The text is empty.", remedy="Give at least one word.")
    if not any(character.isalnum() for character in text):
        raise TextError(f"The text {quoted(text.strip())} has nothing to pronounce.", remedy="Give at least one word.")
    longest = borders.longest_sentence_bytes(text)
    if longest > rules.SENTENCE_MAX_BYTES:
        raise TextError(
            f"The text has {longest:,} bytes without a sentence or clause end; at most "
            f"{rules.SENTENCE_MAX_BYTES:,} are allowed.",
            remedy="Add punctuation.",
        )
