"""Reading a vocabulary, and what can be wrong with one.

Upstream takes ``line[:-1]`` of each line as the token (f5_tts/model/utils.py, get_tokenizer): without a final newline
the last token loses its last character, silently. Here tokens are parsed, so that the endings do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.engine.errors import ImportRefused

MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in their order, and what was mended on the way, one line each."""

    tokens: tuple[str, ...]
    repairs: tuple[str, ...]

    def as_text(self) -> str:
        """As upstream's reader needs it: a newline after each token, the last one too."""
        return "".join(f"{token}\n" for token in self.tokens)


def read_vocabulary(path: Path) -> Vocabulary:
    """The tokens of ``path``.

    Raises:
        ImportRefused: it is not UTF-8 text, empty, has a token twice, or another entry 0 than the space, which
            upstream also speaks in place of an unknown character.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImportRefused(f"{path} has more than {MAX_BYTES} bytes.", remedy="A vocabulary has one token a line.")
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(
            f"The vocabulary {path} cannot be read ({error}).", remedy="It must be UTF-8 text."
        ) from error
    if text.startswith("version https://git-lfs"):
        raise ImportRefused(
            f"{path} is a Git LFS pointer, not the vocabulary.", remedy="Run `git lfs pull` and import again."
        )
    repairs = []
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        repairs.append("Windows line ends in the vocabulary were replaced.")
    if not text.endswith("\n"):
        repairs.append("The vocabulary's missing last newline was added; without it the last token loses a character.")
    tokens = tuple(text.removesuffix("\n").split("\n"))
    twice = next((t for t in tokens if tokens.count(t) > 1), None) if len(set(tokens)) < len(tokens) else None
    if twice is not None:
        raise ImportRefused(f"{path} has the token {twice!r} more than once.", remedy="Each token needs its own line.")
    if tokens[0] != " ":
        raise ImportRefused(
            f"The first entry of {path} is {tokens[0]!r}, not the space.",
            remedy="Use the vocab.txt that the weights were trained with.",
        )
    return Vocabulary(tokens, tuple(repairs))
