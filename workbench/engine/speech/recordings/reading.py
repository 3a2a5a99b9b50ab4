"""Check with the vocabulary of a model, before loading it, whether it can read the words of a voice."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from workbench.engine import cache
from workbench.engine.catalog import ModelSpec
from workbench.engine.errors import WorkbenchError
from workbench.engine.text.normalise import knows
from workbench.engine.visible import quoted

_NAMED = 10  # characters named in a message


def vocabulary_of(spec: ModelSpec, folder: Path | None = None) -> frozenset[str] | None:
    """Return the tokens of the model ``spec`` from its file in ``folder`` or the caches; None if there is none."""
    try:
        return frozenset(cache.read_vocabulary(cache.resolve(spec, folder=folder).vocab).tokens)
    except WorkbenchError:
        return None


def told_of_unread(ref_text: str, model: str, vocabulary: Collection[str] | None) -> tuple[str, ...]:
    """Return one warning with the characters of ``ref_text`` that ``model`` cannot read; () if it can read all.

    Upstream replaces each of them by a space, and the speech then follows the recording badly.

    Args:
        ref_text: words of a reference recording.
        model: name of the model, for the message.
        vocabulary: its tokens; None if unknown: then there is no warning.
    """
    if vocabulary is None:
        return ()
    known = frozenset(vocabulary)
    lacking = [c for c in dict.fromkeys(ref_text) if not knows(known, c)]
    if not lacking:
        return ()
    named = ", ".join(f"{quoted(c)} (U+{ord(c):04X})" for c in lacking[:_NAMED])
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return (
        f"{model} cannot read {named}{more} in the words of the recording and replaces them by spaces: "
        "choose a model that knows them, or another voice",
    )
