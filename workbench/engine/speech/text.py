"""From a text to a plan: chunks, their length in bytes, and how long each is. Pure, and quick enough to type to."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass

from workbench.engine import rules
from workbench.engine.errors import SettingsError, TextError
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.visible import quoted

# upstream's sentence ends (f5_tts/infer/utils_infer.py, chunk_text)
_SENTENCE_END = re.compile(r"(?<=[;:,.!?])\s+|(?<=[；：，。！？])")
# where a sentence may be parted when it is longer than the budget, the best first
_PARTINGS = (re.compile(r"[;:,.!?)\]»”—–…、](?=\S)|\s[-–—]\s"), re.compile(r"\s"), re.compile(r"(?<=[^\x00-\u2fff])"))
# characters upstream replaces before it looks them up (f5_tts/model/utils.py, convert_char_to_pinyin)
_UPSTREAM_REPLACES = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})


@dataclass(frozen=True)
class Chunk:
    """One piece of the text, known before any synthesis.

    Attributes:
        index: place in the run, from 0.
        text: what is spoken.
        n_bytes: UTF-8 bytes of ``text``.
        duration_frames: mel frames of reference and chunk together, as ``CFM.sample`` takes them.
        new_frames: of these, the frames that are new.
        planned_seconds: length of the audio that follows from ``new_frames``.
        seed: seed of this chunk's noise.
        warnings: what will probably go wrong, in words.
    """

    index: int
    text: str
    n_bytes: int
    duration_frames: int
    new_frames: int
    planned_seconds: float
    seed: int
    warnings: tuple[str, ...] = ()


def n_bytes(text: str) -> int:
    """UTF-8 bytes of ``text``, upstream's measure of length: one CJK character counts three."""
    return len(text.encode("utf-8", "surrogatepass"))


def is_unicode(text: str) -> bool:
    """Whether ``text`` can be encoded: no lone surrogates, which Python makes of bytes that it cannot decode."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _ends_in_one_byte(text: str) -> bool:
    return bool(text) and n_bytes(text[-1]) == 1


def chunk_text(text: str, max_bytes: int) -> list[str]:
    """Split ``text`` into chunks of at most ``max_bytes`` UTF-8 bytes, at sentence and clause ends.

    Args:
        text: any text.
        max_bytes: budget of one chunk.

    Returns:
        Non-empty chunks, in order; joined, they hold every non-space character of ``text``.

    Differs from upstream (``utils_infer.chunk_text``): a sentence longer than the budget is parted, where upstream
    keeps it whole, however long; chunks of nothing but spaces are dropped. Everywhere else the result is the same.
    """
    chunks, current = [], ""
    for sentence in _SENTENCE_END.split(text):
        if not sentence:
            continue
        for piece in _part(sentence, max_bytes):
            joined = piece + " " if _ends_in_one_byte(piece) else piece
            if n_bytes(current) + n_bytes(piece) <= max_bytes:
                current += joined
            else:
                chunks.append(current.strip())
                current = joined
    chunks.append(current.strip())
    return [chunk for chunk in chunks if chunk]


def _part(sentence: str, max_bytes: int) -> list[str]:
    """Cut an over-long sentence into pieces of similar length, each at the best boundary near the even cut."""
    pieces = []
    rest = sentence
    while n_bytes(rest.strip()) > max_bytes:
        rest = rest.strip()
        n_pieces = math.ceil(n_bytes(rest) / max_bytes)
        cut = _best_cut(rest, n_bytes(rest) / n_pieces, max_bytes)
        pieces.append(rest[:cut].strip())
        rest = rest[cut:]
    return [*pieces, rest] if rest.strip() else pieces


def _best_cut(text: str, wanted_bytes: float, max_bytes: int) -> int:
    """Index at which to cut: the nearest to ``wanted_bytes`` of the best kind that leaves at most ``max_bytes``."""
    sizes = [0]
    for character in text[: max_bytes + 1]:
        sizes.append(sizes[-1] + n_bytes(character))
    last = max(i for i, size in enumerate(sizes) if size <= max_bytes)
    # a piece shorter than half the even share would only move the trouble to the next
    first = next((i for i, size in enumerate(sizes) if size >= wanted_bytes / 2), 1)
    for parting in _PARTINGS:
        cuts = [m.end() for m in parting.finditer(text, 0, len(sizes)) if first <= m.end() <= last]
        if cuts:
            return min(cuts, key=lambda i: abs(sizes[i] - wanted_bytes))
    cut = max(1, min(last, next(i for i, size in enumerate(sizes) if size >= wanted_bytes)))
    while cut > 1 and cut < len(text) and unicodedata.combining(text[cut]):
        cut -= 1  # an accent stays with its letter
    return cut


def check_text(text: str, unknown: Callable[[str], list[str]] | None = None) -> str:
    """``text`` without surrounding space, or a TextError that says why it cannot be spoken.

    Args:
        text: what is to be spoken.
        unknown: returns the characters of a text that the model's vocabulary lacks.
    """
    if "\x00" in text:
        raise TextError("The text holds NUL characters.", remedy="Is it a binary file? Give plain UTF-8 text.")
    if not is_unicode(text):
        raise TextError("The text is not UTF-8.", remedy="Save it, or set the terminal, as UTF-8.")
    text = text.strip()
    if not text:
        raise TextError("The text is empty.", remedy="Give at least one word.")
    if n_bytes(text) > rules.TEXT_MAX_BYTES:
        raise TextError(
            f"The text has {n_bytes(text):,} bytes, more than the {rules.TEXT_MAX_BYTES:,} of one run.",
            remedy="Split it, for instance by chapters.",
        )
    if not any(character.isalnum() for character in text):
        raise TextError(f"The text {quoted(text)} has nothing to pronounce.", remedy="Give at least one word.")
    longest = max(map(n_bytes, _SENTENCE_END.split(text)))
    if longest > rules.SENTENCE_MAX_BYTES:
        raise TextError(
            f"The text has {longest:,} bytes without a sentence or clause end; "
            f"{rules.SENTENCE_MAX_BYTES:,} can be parted sensibly.",
            remedy="Add punctuation.",
        )
    missing = unknown(text) if unknown else []
    if missing:
        named = ", ".join(f"{c!r} (U+{ord(c):04X})" if len(c) == 1 else repr(c) for c in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise TextError(
            f"The model's vocabulary lacks {named}{more}.",
            remedy="Spell them out (numbers as words) or choose a model that knows them.",
        )
    return text


def replaced(text: str) -> str:
    """``text`` with the characters that upstream replaces: typographic quotes, and ``;`` by a comma."""
    return text.translate(_UPSTREAM_REPLACES)


def unlisted(text: str, vocabulary: Collection[str]) -> list[str]:
    """Characters of ``text`` that ``vocabulary`` lacks, each once, without loading a tokenizer.

    Chinese characters are not judged: they become pinyin.
    """
    strange = (c for c in replaced(text) if c not in vocabulary and not c.isspace() and not "\u3100" <= c <= "\u9fff")
    return list(dict.fromkeys(strange))


def conditioning_text(ref_text: str) -> str:
    """``ref_text`` as it stands before the text to be spoken: with a space after a one-byte character."""
    return ref_text + " " if _ends_in_one_byte(ref_text) else ref_text


def byte_budget(ref_text: str, ref_seconds: float, chosen: SynthesisSettings) -> int:
    """Bytes a chunk may have: the user's, or upstream's formula.

    Upstream (``utils_infer.infer_process``): what the reference's pace lets pass in the 22 s that reference and chunk
    share. Differs from upstream: never below 10 bytes, where a reference of 22 s made every clause its own chunk.
    """
    if chosen.max_chunk_bytes is not None:
        return chosen.max_chunk_bytes
    pace = n_bytes(conditioning_text(ref_text)) / ref_seconds
    return max(rules.SHORT_TEXT_BYTES, int(pace * (rules.CHUNK_WINDOW_SECONDS - ref_seconds) * chosen.speed))


def _total_frames(
    text: str, ref_text: str, ref_hops: int, chosen: SynthesisSettings, fix_seconds: float | None, mel: MelConfig
) -> int:
    """Frames of reference and chunk together, by upstream's rule (``utils_infer._infer_basic``)."""
    if fix_seconds is not None:
        return int(fix_seconds * mel.target_sample_rate / mel.hop_length)
    # upstream replaces the user's speed for short texts; here it scales it, which is the same at the default
    slow = rules.SHORT_TEXT_SPEED if n_bytes(text) < rules.SHORT_TEXT_BYTES else 1.0
    ref_bytes = n_bytes(conditioning_text(ref_text))
    return ref_hops + int(ref_hops / ref_bytes * n_bytes(text) / (chosen.speed * slow))


def _fixed_seconds(texts: list[str], ref_seconds: float, chosen: SynthesisSettings) -> list[float | None]:
    """``fix_duration`` shared out by bytes, as upstream does, so that the whole has the wanted length."""
    if chosen.fix_duration is None or len(texts) == 1:
        return [chosen.fix_duration] * len(texts)
    weights = [n_bytes(text) for text in texts]
    shared = chosen.fix_duration - ref_seconds + chosen.cross_fade_duration * (len(texts) - 1)
    return [ref_seconds + shared * weight / sum(weights) for weight in weights]


def plan_chunks(
    text: str,
    ref_text: str,
    ref_samples: int,
    chosen: SynthesisSettings,
    mel: MelConfig = MelConfig(),
    window_frames: int = 8192,
) -> list[Chunk]:
    """Everything about the chunks of ``text`` that can be known before a model is loaded.

    Args:
        text: checked by ``check_text``.
        ref_text: text of the reference recording.
        ref_samples: its length at ``mel.target_sample_rate``.
        chosen: the settings.
        mel: of the model.
        window_frames: mel frames the model has positions for; no chunk is planned longer than this.

    Raises:
        SettingsError: ``fix_duration`` leaves no time beside the reference, or the reference fills the window.
    """
    ref_hops, ref_frames = ref_samples // mel.hop_length, mel.frames_of(ref_samples)
    budget = min(
        byte_budget(ref_text, ref_samples / mel.target_sample_rate, chosen),
        _window_bytes(ref_text, ref_hops, chosen, window_frames),
    )
    texts = chunk_text(text, budget)
    fixed = _fixed_seconds(texts, ref_hops / mel.frames_per_second, chosen)
    chunks = []
    for index, (piece, fix_seconds) in enumerate(zip(texts, fixed, strict=True)):
        frames = _total_frames(piece, ref_text, ref_hops, chosen, fix_seconds, mel)
        if fix_seconds is not None and not ref_frames + 1 < frames <= window_frames:
            low, high = ref_frames / mel.frames_per_second, window_frames / mel.frames_per_second
            raise SettingsError(
                f"fix_duration {chosen.fix_duration:g} s gives chunk {index} {fix_seconds:.2f} s in all.",
                remedy=f"It must lie between the reference's {low:.2f} s and {high:.0f} s.",
            )
        frames = max(frames, ref_frames + 2)  # two frames are the shortest that make a sound
        planned = mel.samples_of(frames - ref_frames) / mel.target_sample_rate
        chunks.append(
            Chunk(
                index,
                piece,
                n_bytes(piece),
                frames,
                frames - ref_frames,
                planned,
                (chosen.seed + index) % 2**31,
                _warnings(piece, frames, chosen, mel),
            )
        )
    return chunks


def _window_bytes(ref_text: str, ref_hops: int, chosen: SynthesisSettings, window_frames: int) -> int:
    """Bytes that fit into the model's window beside the reference."""
    frames_per_byte = ref_hops / n_bytes(conditioning_text(ref_text)) / chosen.speed
    fits = int((window_frames - ref_hops - 2) / frames_per_byte)
    if fits < rules.SHORT_TEXT_BYTES:
        raise SettingsError(
            f"The reference leaves room for {max(fits, 0)} bytes of text in the model's window.",
            remedy="Use a shorter reference or a higher speed.",
        )
    return fits


def _warnings(text: str, frames: int, chosen: SynthesisSettings, mel: MelConfig) -> tuple[str, ...]:
    found = []
    if n_bytes(text) < rules.SHORT_TEXT_BYTES and chosen.fix_duration is None:
        found.append(f"under {rules.SHORT_TEXT_BYTES} bytes: spoken at {rules.SHORT_TEXT_SPEED} of the speed")
    seconds = frames / mel.frames_per_second
    if seconds > rules.TRAINED_SECONDS:
        found.append(f"{seconds:.1f} s with the reference: longer than the {rules.TRAINED_SECONDS:.0f} s of training")
    if not any(character.isalnum() for character in text):
        found.append("nothing to pronounce")
    elif not re.search(r"[.!?;:,。！？；：，…)\]\"'”’»]$", text):
        found.append("does not end at a sentence or clause")
    return tuple(found)
