"""The characters that the voice can read, and texts as their numbers."""

from __future__ import annotations

from pathlib import Path

from workbench.engine import upstream

CHARACTERS = " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'!?:;-\"()"


def write_vocab(path: Path) -> dict[str, int]:
    """Write `vocab.txt` as upstream reads it: one character a line, the space first, a final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(CHARACTERS) + "\n", encoding="utf-8")
    return {character: i for i, character in enumerate(CHARACTERS)}


def tokens(text: str) -> list[int]:
    """Ids of a text, after upstream's own conversion (`convert_char_to_pinyin`); unknown characters are spaces."""
    upstream.install()
    from f5_tts.model.utils import convert_char_to_pinyin

    return [max(CHARACTERS.find(c), 0) for c in convert_char_to_pinyin([text])[0]]
