"""Reading a vocabulary, and what can be wrong with one.

Upstream takes ``line[:-1]`` of each line as the token (f5_tts/model/utils.py, get_tokenizer): without a final newline
the last token loses its last character, silently. Here tokens are parsed, so that the endings do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.engine.catalog.plain import first_line, quoted, read_limited
from workbench.engine.errors import ImportRefused, WeightsError

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
    """The tokens of ``path``. Accepts Windows line ends, and a last line without its end.

    Raises:
        WeightsError: it cannot be read, is not UTF-8 text, or larger than any vocabulary.
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
    """Raise ImportRefused for a token that stands twice, or another entry 0 than the space.

    Upstream speaks entry 0 in place of an unknown character.
    """
    seen: set[str] = set()
    twice = next((t for t in vocabulary.tokens if t in seen or seen.add(t)), None)  # type: ignore[func-returns-value]
    if twice is not None:
        raise ImportRefused(
            f"{path} has the token {quoted(twice)} more than once.", remedy="Each token needs its own line."
        )
    if vocabulary.tokens[0] != " ":
        raise ImportRefused(
            f"The first entry of {path} is {quoted(vocabulary.tokens[0])}, not the space.",
            remedy="Use the vocab.txt that the weights were trained with.",
        )
