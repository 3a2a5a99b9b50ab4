"""From a text to a plan: chunks, their length in bytes, and how long each is. Pure, and quick enough to type to."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.engine import rules
from workbench.engine.errors import SettingsError, TextError
from workbench.engine.settings import MelConfig, SynthesisSettings
from workbench.engine.text import borders, cutting
from workbench.engine.text.preparing import Prepared, prepare
from workbench.engine.visible import quoted

_ENDS_WELL = re.compile(rf"[.!?;:,。！？；：，…)\]\"'”’»{borders.OTHER_ENDS}]$")


@dataclass(frozen=True)
class Chunk:
    """One piece of the text, known before any synthesis.

    Attributes:
        index: place in the run, from 0.
        text: what is spoken: numbers as words, spaces single.
        n_bytes: UTF-8 bytes of ``text``.
        duration_frames: mel frames of reference and chunk together, as ``CFM.sample`` takes them.
        new_frames: of these, the frames that are new.
        planned_seconds: length of the audio that follows from ``new_frames``.
        seed: seed of this chunk's noise.
        warnings: what will probably go wrong, in words.
        written: the same as it is written; empty where that is ``text``.
        start, end: its place in the text as typed.
        pause_seconds: silence after it, which is no part of its wave.
        lead_seconds: silence before it, of the first chunk only.
    """

    index: int
    text: str
    n_bytes: int
    duration_frames: int
    new_frames: int
    planned_seconds: float
    seed: int
    warnings: tuple[str, ...] = ()
    written: str = ""
    start: int = 0
    end: int = 0
    pause_seconds: float = 0.0
    lead_seconds: float = 0.0


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
        Non-empty chunks, in order; joined, they hold every non-space character of ``text``. One exceeds the budget
        only where it holds no place that may be cut: a number, a URL, a word.

    Differs from upstream (``utils_infer.chunk_text``): a sentence longer than the budget is parted, where upstream
    keeps it whole, however long; abbreviations, initials, numbers and closing quotes are not parted from what they
    belong to; the marks of other scripts end sentences too; a blank line ends a chunk; spaces are single. Everywhere
    else the result is the same. See ``engine.text.borders``.
    """
    return [" ".join(text[low:high].split()) for low, high in cutting.cut(text, max_bytes)]


def check_text(text: str) -> str:
    """``text`` without surrounding space. Raises TextError, with the reason, if no model can speak it."""
    prepare(text).check()
    return text.strip()


def number_languages(languages: Sequence[str], voice_language: str, chosen: SynthesisSettings) -> tuple[str, ...]:
    """The languages in which numbers are spoken: the model's, or the voice's where the model's are not known."""
    if chosen.numbers == "off":
        return ()
    return tuple(languages) or ((voice_language,) if voice_language else ())


def text_of(chunks: Sequence[Chunk]) -> str:
    """One text that plans into ``chunks`` again: as written, with their pauses."""
    parts = []
    for chunk in chunks:
        pauses = [f"[pause {seconds:g}s]" if seconds else "" for seconds in (chunk.lead_seconds, chunk.pause_seconds)]
        parts += [pauses[0], chunk.written or chunk.text, pauses[1]]
    return " ".join(part for part in parts if part)


def conditioning_text(ref_text: str) -> str:
    """``ref_text`` as it stands before the text to be spoken: with a space after a one-byte character."""
    return ref_text + " " if _ends_in_one_byte(ref_text) else ref_text


def byte_budget(ref_text: str, ref_seconds: float, chosen: SynthesisSettings, pace_seconds: float | None = None) -> int:
    """Bytes a chunk may have: the user's, or upstream's formula.

    Upstream (``utils_infer.infer_process``): what the reference's pace lets pass in the 22 s that reference and chunk
    share. Differs from upstream: never below 10 bytes, where a reference of 22 s made every clause its own chunk;
    the pace is that of ``pace_seconds``, the reference without its long silences.
    """
    if chosen.max_chunk_bytes is not None:
        return chosen.max_chunk_bytes
    pace = n_bytes(conditioning_text(ref_text)) / (pace_seconds or ref_seconds)
    return max(rules.SHORT_TEXT_BYTES, int(pace * (rules.CHUNK_WINDOW_SECONDS - ref_seconds) * chosen.speed))


def _total_frames(
    text: str,
    ref_text: str,
    ref_hops: int,
    pace_hops: int,
    chosen: SynthesisSettings,
    fix_seconds: float | None,
    mel: MelConfig,
) -> int:
    """Frames of reference and chunk together, by upstream's rule (``utils_infer._infer_basic``)."""
    if fix_seconds is not None:
        return int(fix_seconds * mel.target_sample_rate / mel.hop_length)
    # upstream replaces the user's speed for short texts; here it scales it, which is the same at the default
    slow = rules.SHORT_TEXT_SPEED if n_bytes(text) < rules.SHORT_TEXT_BYTES else 1.0
    ref_bytes = n_bytes(conditioning_text(ref_text))
    return ref_hops + int(pace_hops / ref_bytes * n_bytes(text) / (chosen.speed * slow))


def _fixed_seconds(
    sizes: list[int], pauses: list[float], ref_seconds: float, chosen: SynthesisSettings
) -> list[float | None]:
    """``fix_duration`` shared out by bytes, as upstream does, so that the whole, pauses included, has that length."""
    if chosen.fix_duration is None or (len(sizes) == 1 and not any(pauses)):
        return [chosen.fix_duration] * len(sizes)
    joints = sum(not pause for pause in pauses[1:-1])
    shared = chosen.fix_duration - ref_seconds + chosen.cross_fade_duration * joints - sum(pauses)
    return [ref_seconds + shared * size / sum(sizes) for size in sizes]


def plan_chunks(
    text: str | Prepared,
    ref_text: str,
    ref_samples: int,
    chosen: SynthesisSettings,
    mel: MelConfig = MelConfig(),
    window_frames: int = 8192,
    pace_samples: int | None = None,
) -> list[Chunk]:
    """Everything about the chunks of ``text`` that can be known before a model is loaded.

    Args:
        text: from ``prepare``; a plain text is prepared for a model of which neither words nor language are known.
        ref_text: text of the reference recording.
        ref_samples: its length at ``mel.target_sample_rate``.
        chosen: the settings.
        mel: of the model.
        window_frames: mel frames the model has positions for; no chunk is planned longer than this.
        pace_samples: ``ref_samples`` without long silences (``Voice.pace_samples``), which tell how fast it speaks.

    Raises:
        SettingsError: ``fix_duration`` leaves no time beside the reference, or the reference fills the window.
        TextError: a word, number or address does not fit into the window.
    """
    prepared = text if isinstance(text, Prepared) else prepare(text)
    ref_hops, ref_frames = ref_samples // mel.hop_length, mel.frames_of(ref_samples)
    pace_samples = ref_samples if pace_samples is None else pace_samples
    pace_hops, rate = pace_samples // mel.hop_length, mel.target_sample_rate
    budget = min(
        byte_budget(ref_text, ref_samples / rate, chosen, pace_samples / rate),
        _window_bytes(ref_text, ref_hops, pace_hops, chosen, window_frames),
    )
    pieces, pauses = _pieces_and_pauses(prepared, budget)
    texts = [prepared.said(low, high) for low, high in pieces]
    sizes = [n_bytes(said) for said in texts]
    fixed = _fixed_seconds(sizes, pauses, ref_hops / mel.frames_per_second, chosen)
    chunks = []
    for index, (said, fix_seconds) in enumerate(zip(texts, fixed, strict=True)):
        frames = _total_frames(said, ref_text, ref_hops, pace_hops, chosen, fix_seconds, mel)
        if fix_seconds is not None and not ref_frames + 1 < frames <= window_frames:
            low, high = ref_frames / mel.frames_per_second, window_frames / mel.frames_per_second
            raise SettingsError(
                f"fix_duration {chosen.fix_duration:g} s gives chunk {index} {fix_seconds:.2f} s in all.",
                remedy=f"It must lie between the reference's {low:.2f} s and {high:.0f} s.",
            )
        if frames > window_frames:
            raise TextError(
                f"{quoted(said)} has {sizes[index]:,} bytes and no place where it may be cut; the model's window holds "
                f"{budget:,}.",
                remedy="Shorten it, or put spaces in.",
            )
        frames = max(frames, ref_frames + 2)  # two frames are the shortest that make a sound
        start, end = pieces[index]
        written = prepared.written(start, end)
        chunks.append(
            Chunk(
                index,
                said,
                sizes[index],
                frames,
                frames - ref_frames,
                mel.samples_of(frames - ref_frames) / mel.target_sample_rate,
                (chosen.seed + index) % 2**31,
                _warnings(said, written, frames, budget, chosen, mel),
                written if written != said else "",
                prepared.place(start),
                prepared.place(end - 1) + 1,
                pauses[index + 1],
                pauses[0] if index == 0 else 0.0,
            )
        )
    return chunks


def _pieces_and_pauses(prepared: Prepared, budget: int) -> tuple[list[tuple[int, int]], list[float]]:
    """(from, to) of each chunk in ``prepared.text``, and the silence before the first and after each, in seconds."""
    silences = prepared.pauses
    pieces = cutting.cut(prepared.text, budget, prepared.spoken, keep=[at for at, _ in silences])
    pieces = [(low, high) for low, high in pieces if any(map(str.isalnum, prepared.text[low:high]))] or pieces
    pauses = [0.0] * (len(pieces) + 1)
    for at, seconds in silences:
        pauses[bisect.bisect_left(pieces, (at,))] += seconds
    return pieces, pauses


def _window_bytes(ref_text: str, ref_hops: int, pace_hops: int, chosen: SynthesisSettings, window_frames: int) -> int:
    """Bytes that fit into the model's window beside the reference."""
    frames_per_byte = pace_hops / n_bytes(conditioning_text(ref_text)) / chosen.speed
    fits = int((window_frames - ref_hops - 2) / frames_per_byte)
    if fits < rules.SHORT_TEXT_BYTES:
        raise SettingsError(
            f"The reference leaves room for {max(fits, 0)} bytes of text in the model's window.",
            remedy="Use a shorter reference or a higher speed.",
        )
    return fits


def _warnings(
    said: str, written: str, frames: int, budget: int, chosen: SynthesisSettings, mel: MelConfig
) -> tuple[str, ...]:
    found, size = [], n_bytes(said)
    if size < rules.SHORT_TEXT_BYTES and chosen.fix_duration is None:
        found.append(f"under {rules.SHORT_TEXT_BYTES} bytes: spoken at {rules.SHORT_TEXT_SPEED} of the speed")
    if size > budget:
        found.append(f"over the budget of {budget} bytes: it holds no place where it may be cut")
    seconds = frames / mel.frames_per_second
    if seconds > rules.TRAINED_SECONDS:
        found.append(f"{seconds:.1f} s with the reference: longer than the {rules.TRAINED_SECONDS:.0f} s of training")
    if not any(character.isalnum() for character in said):
        found.append("nothing to pronounce")
    elif not _ENDS_WELL.search(written):
        found.append("does not end at a sentence or clause")
    return tuple(found)
