"""Read a reference recording, prepare it, and warn about it and its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.engine import rules
from workbench.engine.errors import AudioError
from workbench.engine.signal import audio as sound
from workbench.engine.signal import quality
from workbench.engine.signal.decoding import Source
from workbench.engine.speech.pace import usual_seconds
from workbench.engine.speech.text import n_bytes
from workbench.engine.visible import quoted


@dataclass(frozen=True, eq=False)
class Reference:
    """A recording, prepared as a model is given it; its words are not known yet.

    Attributes:
        wave: float32 [n_samples] at ``rate``.
        rate: Hz.
        whole: the recording before it was cut, float32 [n_samples].
        cut: the same after it.
        notes: what was corrected, in words.
    """

    wave: np.ndarray
    rate: int
    whole: np.ndarray
    cut: np.ndarray
    notes: tuple[str, ...]

    def warnings(self, text: str = "", *, whole: bool = True) -> tuple[str, ...]:
        """Return what was corrected and what will probably go wrong, in words.

        Args:
            text: words of the recording; without them, its pace is not judged.
            whole: the words are those of the recording before it was cut.
        """
        pauses = quality.long_pauses(self.wave, self.rate)
        before = self.whole if whole else self.cut
        found = (
            *self.notes,
            *pause_warnings(pauses, self.rate),
            *reference_warnings(before, self.cut, self.wave, text, pauses, self.rate),
        )
        if any("clipped (" in warning for warning in found):  # the decoder finds it first, before resampling
            return tuple(warning for warning in found if "clipped at full" not in warning)
        return found


def read_reference(source: Source, rate: int, name: str, *, shorten_pauses: bool = False) -> Reference:
    """Read a recording and prepare it: corrected, cut at a pause if over 12 s, trimmed, 50 ms of silence appended.

    Args:
        source: path, bytes or open file.
        rate: Hz of the result.
        name: what to call it in messages.
        shorten_pauses: shorten each silence over one second.

    Raises:
        AudioError: the recording cannot be used (see ``audio.read_recording``), or is too short.
    """
    recording = sound.read_recording(source, rate, name=name)
    audible, notes = _corrected(recording.wave, rate)
    whole = _within(audible, rate, shorten_pauses)
    cut = sound.clip_at_silence(whole, rate)
    trimmed = quality.trimmed(cut, rate)
    if len(trimmed) < rules.REFERENCE_MIN_SECONDS * rate:
        raise AudioError(
            f"{quoted(name)} holds {len(trimmed) / rate * 1000:.0f} ms of sound, too little to imitate.",
            remedy="Use 3 to 10 seconds of clear speech.",
        )
    wave = np.concatenate([trimmed, np.zeros(round(rules.REFERENCE_TAIL_SECONDS * rate), np.float32)])
    return Reference(wave, rate, whole, cut, (*recording.notes, *notes))


def _corrected(wave: np.ndarray, rate: int) -> tuple[np.ndarray, list[str]]:
    """Return ``wave`` without offset and within full scale, and notes about the changes."""
    notes = []
    peak = float(np.abs(wave).max())
    if peak > quality.FULL_SCALE_PEAK:
        notes.append(f"the recording reaches {peak:.3g} times full scale; it was lowered to full scale")
        wave = wave / np.float32(peak)
    wave, offset = quality.without_offset(wave, rate)
    if offset:
        notes.append(f"the recording has a constant offset of {offset:+.3f} of full scale; it was removed")
    return wave, notes


def _within(wave: np.ndarray, rate: int, shorten: bool) -> np.ndarray:
    """Return ``wave`` without long silence at its ends if it would be cut; ``shorten`` also shortens pauses."""
    if len(wave) > rules.REFERENCE_MAX_SECONDS * rate:
        inner = quality.trimmed(wave, rate)
        wave = inner if len(wave) - len(inner) > rate else wave
    return quality.shortened(wave, quality.long_pauses(wave, rate), rate) if shorten else wave


def pause_warnings(pauses: list[tuple[int, int]], rate: int) -> list[str]:
    """Return a warning if there are long ``pauses``, (first, last + 1) in samples at ``rate`` Hz."""
    if not pauses:
        return []
    places = ", ".join(f"{(end - first) / rate:.1f} s at {first / rate:.1f} s" for first, end in pauses[:3])
    more = f" and {len(pauses) - 3} more" if len(pauses) > 3 else ""
    return [
        f"long silence in the recording: {places}{more}; it does not count for the pace, but the model may imitate it: "
        "shorten it (--shorten-pauses on the command line)"
    ]


def reference_warnings(
    whole: np.ndarray, cut: np.ndarray, wave: np.ndarray, text: str, pauses: list[tuple[int, int]], rate: int
) -> list[str]:
    """Return the warnings about length, cuts, level and pace of a reference; ``wave`` is its prepared recording."""
    found = []
    seconds = len(wave) / rate
    if len(cut) < len(whole):
        found.append(
            f"the recording was {len(whole) / rate:.1f} s long and was cut to {len(cut) / rate:.1f} s: "
            "shorten its text to the words of this part, or the speech will be too fast"
        )
    if seconds < 2:
        found.append(f"{seconds:.1f} s of reference: 3 to 10 s give a better likeness")
    return (
        found + pace_warnings(text, quality.pace_samples(len(wave), pauses, rate) / rate) + quality.remarks(whole, rate)
    )


def pace_warnings(text: str, seconds: float) -> list[str]:
    """Return a warning if ``text`` does not fit into ``seconds``, or is much shorter; none without a text."""
    if not text:
        return []
    size, usual = n_bytes(text), usual_seconds(text)
    low, high = (factor * size / usual for factor in rules.PACE_RANGE)
    if low <= size / seconds <= high:
        return []
    many = "more" if size / seconds > high else "fewer"
    return [
        f"{size} bytes of text for {seconds:.1f} s of speech: {size / seconds:.1f} bytes of text per second, usually "
        f"{low:.0f} to {high:.0f}; the text has {many} words than the recording, or does not belong to it"
    ]
