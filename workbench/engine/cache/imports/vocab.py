"""Read and check a vocabulary.

Differs from upstream, which takes ``line[:-1]`` as the token (f5_tts/model/utils.py, get_tokenizer): without a final
newline its last token silently loses a character. Here line ends are parsed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.catalog.plain import first_line, read_limited
from workbench.engine.errors import ImportRefused, WeightsError
from workbench.engine.visible import quoted

MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in order, and the repairs made while reading, one line each."""

    tokens: tuple[str, ...]
    repairs: tuple[str, ...]

    def as_text(self) -> str:
        """The vocabulary as upstream's reader needs it: a newline after every token."""
        return "".join(f"{token}\n" for token in self.tokens)


def read_vocabulary(path: Path) -> Vocabulary:
    """The tokens of ``path``. Accepts Windows line ends, and a last line without its end.

    Raises:
        WeightsError: the file cannot be read, is not UTF-8 text, or has more than 4 MB.
    """
    try:
        text = read_limited(path, MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        raise WeightsError(
            f"The vocabulary {path} cannot be read ({reason}).", remedy="It must be UTF-8 text, one token a line."
        ) from error
    if text.startswith("version https://git-lfs"):
        raise WeightsError(
            f"{path} is a Git LFS pointer, not the vocabulary.", remedy="Run `git lfs pull` and try again."
        )
    repairs = []
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        repairs.append("Windows line ends in the vocabulary were replaced.")
    if not text.endswith("\n"):
        repairs.append("The vocabulary's missing last newline was added; without it the last token loses a character.")
    return Vocabulary(tuple(text.removesuffix("\n").split("\n")), tuple(repairs))


def refuse_unusable(vocabulary: Vocabulary, path: Path) -> None:
    """Raise ImportRefused if a token occurs twice, or if entry 0 is not the space.

    Upstream speaks entry 0 for an unknown character.
    """
    twice = next((token for token, times in Counter(vocabulary.tokens).items() if times > 1), None)
    if twice is not None:
        raise ImportRefused(
            f"{path} has the token {quoted(twice)} more than once.", remedy="Each token needs its own line."
        )
    if vocabulary.tokens[0] != " ":
        raise ImportRefused(
            f"The first entry of {path} is {quoted(vocabulary.tokens[0])}, not the space.",
            remedy="Use the vocab.txt that the weights were trained with.",
        )
