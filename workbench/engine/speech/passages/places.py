"""Silences between chunks, of which some are to begin at a time."""

from __future__ import annotations

from collections.abc import Sequence


def silences(
    pauses: Sequence[float], begins: Sequence[float | None], lengths: Sequence[int], fades: Sequence[int], rate: int
) -> list[int]:
    """Return the samples of silence before the first chunk and after each.

    A chunk that is to begin at a time does, if what is before it has ended by then; its pause is as long as that takes.
    So another take of another length moves nothing but what is too late.

    Args:
        pauses: seconds before the first chunk and after each.
        begins: second at which each chunk is to begin, or None.
        lengths: samples of each chunk.
        fades: as in ``join_places``.
        rate: samples of a second.
    """
    found = [round(seconds * rate) for seconds in pauses]
    if all(at is None for at in begins):
        return found
    end = 0
    for k, (at, length, fade) in enumerate(zip(begins, lengths, fades, strict=True)):
        if at is not None:
            found[k] = max(0, round(at * rate) - end)
        start = end + found[k] - (0 if found[k] else min(fade, end, length))
        end = start + length
    return found
