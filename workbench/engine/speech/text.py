"""Plan the chunks of a text: bytes, length, warnings. Pure functions, fast enough to run during typing."""

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
        text: text as spoken: with numbers as words and single spaces.
        n_bytes: UTF-8 bytes of ``text``.
        duration_frames: mel frames of reference and chunk together, as in ``CFM.sample``.
        new_frames: mel frames of the chunk alone.
        planned_seconds: length of the audio of ``new_frames``.
        seed: of its noise.
        warnings: probable problems, in words.
        written: text as written; empty if equal to ``text``.
        start, end: its place in the typed text.
        pause_seconds: silence after it, which is not part of its wave.
        lead_seconds: silence before it; only for the first chunk.
        passage: of the script that it belongs to, from 0.
        begins_seconds: when it is to begin, for the first chunk of a passage with a time; None: after the one before.
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
    passage: int = 0
    begins_seconds: float | None = None


def n_bytes(text: str) -> int:
    """Return the UTF-8 bytes of ``text``, upstream's measure of length: most CJK characters have three."""
    return len(text.encode("utf-8", "surrogatepass"))


def is_unicode(text: str) -> bool:
    """Whether ``text`` can be encoded: it has no lone surrogates, which stand for undecodable bytes."""
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
        Non-empty chunks, in order. Joined, they hold every character of ``text`` except spaces. A chunk exceeds the
        budget only if it cannot be cut: a number, a URL, a word.

    Differs from upstream (``utils_infer.chunk_text``): a sentence longer than the budget is split, where upstream keeps
    it whole; abbreviations, initials, numbers and closing quotes stay with their words; punctuation of other scripts
    ends sentences too; a blank line ends a chunk; spaces are single. Otherwise the result is the same. See
    ``engine.text.borders``.
    """
    return [" ".join(text[low:high].split()) for low, high in cutting.cut(text, max_bytes)]


def check_text(text: str) -> str:
    """Return ``text`` without surrounding spaces. Raises TextError if no model can speak it."""
    prepare(text).check()
    return text.strip()


def number_languages(languages: Sequence[str], voice_language: str, chosen: SynthesisSettings) -> tuple[str, ...]:
    """Return the languages for numbers: those of the model, or of the voice if the model's are unknown."""
    if chosen.numbers == "off":
        return ()
    return tuple(languages) or ((voice_language,) if voice_language else ())


def text_of(chunks: Sequence[Chunk]) -> str:
    """Return one text that gives ``chunks`` again when planned: as written, with pause tags."""
    parts = []
    for chunk in chunks:
        pauses = [f"[pause {seconds:g}s]" if seconds else "" for seconds in (chunk.lead_seconds, chunk.pause_seconds)]
        parts += [pauses[0], chunk.written or chunk.text, pauses[1]]
    return " ".join(part for part in parts if part)


def conditioning_text(ref_text: str) -> str:
    """Return ``ref_text`` as put before the text to speak: with a space after a one-byte character."""
    return ref_text + " " if _ends_in_one_byte(ref_text) else ref_text


def byte_budget(ref_text: str, ref_seconds: float, chosen: SynthesisSettings, pace_seconds: float | None = None) -> int:
    """Return the byte budget of a chunk: the user's, or upstream's formula.

    Upstream (``utils_infer.infer_process``) takes the bytes that fit into 22 s together with the reference at its pace.
    Differs from upstream: the budget is at least 10 bytes, because with a reference of 22 s every clause would be its
    own chunk; the pace is that of ``pace_seconds``, the reference without its long silences.
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
    """Return the frames of reference and chunk together, by upstream's rule (``utils_infer._infer_basic``)."""
    if fix_seconds is not None:
        return int(fix_seconds * mel.target_sample_rate / mel.hop_length)
    # upstream replaces the user's speed for short texts; the workbench scales it, which is equal at speed 1
    slow = rules.SHORT_TEXT_SPEED if n_bytes(text) < rules.SHORT_TEXT_BYTES else 1.0
    ref_bytes = n_bytes(conditioning_text(ref_text))
    return ref_hops + int(pace_hops / ref_bytes * n_bytes(text) / (chosen.speed * slow))


def _fixed_seconds(
    sizes: list[int], pauses: list[float], ref_seconds: float, chosen: SynthesisSettings
) -> list[float | None]:
    """Share ``fix_duration`` among the chunks by bytes, as upstream does; the total includes pauses and reference."""
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
    """Plan the chunks of ``text`` without loading a model.

    Args:
        text: from ``prepare``; a plain text is prepared without vocabulary and language.
        ref_text: text of the reference recording.
        ref_samples: length of the recording at ``mel.target_sample_rate``.
        chosen: the settings.
        mel: of the model.
        window_frames: longest sequence of the model in mel frames; no planned chunk exceeds it.
        pace_samples: ``ref_samples`` without long silences (``Voice.pace_samples``), which gives the pace.

    Raises:
        SettingsError: ``fix_duration`` leaves no time for the chunk, or the reference fills the window.
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
            least = f"{2 / mel.frames_per_second:.2f} s longer than the reference, {ref_samples / rate:.2f} s"
            raise SettingsError(
                f"fix_duration {chosen.fix_duration:g} s gives chunk {index + 1} {fix_seconds:.2f} s in all.",
                remedy=f"It must be at least {least}, and at most {window_frames / mel.frames_per_second:.0f} s.",
            )
        if frames > window_frames:
            raise TextError(
                f"{quoted(said)} has {sizes[index]:,} bytes and cannot be cut; the model's window holds {budget:,}.",
                remedy="Shorten it, or add spaces.",
            )
        frames = max(frames, ref_frames + 2)  # a sound needs at least two frames
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
    """Return (start, end) of each chunk in ``prepared.text``, and the seconds of silence before, between and after."""
    silences = prepared.pauses
    pieces = cutting.cut(prepared.text, budget, prepared.spoken, keep=[at for at, _ in silences])
    pieces = [(low, high) for low, high in pieces if any(map(str.isalnum, prepared.text[low:high]))] or pieces
    pauses = [0.0] * (len(pieces) + 1)
    for at, seconds in silences:
        pauses[bisect.bisect_left(pieces, (at,))] += seconds
    return pieces, pauses


def _window_bytes(ref_text: str, ref_hops: int, pace_hops: int, chosen: SynthesisSettings, window_frames: int) -> int:
    """Return the bytes that fit into the model's window together with the reference. Raises SettingsError."""
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
        found.append(f"over the budget of {budget} bytes: it cannot be cut")
    seconds = frames / mel.frames_per_second
    if seconds > rules.TRAINED_SECONDS:
        found.append(f"{seconds:.1f} s with the reference: longer than the {rules.TRAINED_SECONDS:.0f} s of training")
    if not any(character.isalnum() for character in said):
        found.append("nothing to pronounce")
    elif not _ENDS_WELL.search(written):
        found.append("does not end at a sentence or clause")
    return tuple(found)
