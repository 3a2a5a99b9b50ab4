"""The recognisers of the catalogue: Whisper in CTranslate2's format, which write down what a recording says.

Repositories, files and licence as on the Hub's pages of Systran's conversions, which faster-whisper takes by default.
The fetch pins their commit, as for every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
RECOGNISER_KIND = "recogniser"  # in the lock.json of an import


@dataclass(frozen=True)
class RecogniserSpec:
    """Everything needed to find and describe a recogniser. Reads no file.

    Attributes:
        name: what the user types; case is ignored.
        title: shown to users.
        license: of the weights.
        about_bytes: size of the weights as the Hub's page rounds it; of an import, as it is. More hears better.
        languages: ISO 639-1 codes; () where it knows about a hundred and tells them apart itself.
        kind: "released" or "imported".
        repo: Hugging Face repository; None for a recogniser in ``folder``.
        folder: of an imported one.
        note: anything else worth knowing.
        not_runnable: why it cannot be used; empty if it can.
    """

    name: str
    title: str
    license: str
    about_bytes: int
    languages: tuple[str, ...] = ()
    kind: str = "released"
    repo: str | None = None
    folder: Path | None = None
    note: str = ""
    not_runnable: str = ""
    license_note: str = ""
    # what only models have, for those who take entries of both kinds
    vocoder_repo: None = None
    weights: str = ""
    layers: tuple[str, ...] = ()
    layer: str = "auto"

    @property
    def url(self) -> str:
        """Its page on the Hub; empty if it has none."""
        return f"https://huggingface.co/{self.repo}" if self.repo else ""

    @property
    def fetch_bytes(self) -> int:
        """About how many bytes a fetch brings."""
        return self.about_bytes

    @property
    def repo_files(self) -> tuple[str, ...]:
        """Files needed from ``repo``."""
        return WHISPER_FILES if self.repo else ()

    def knows(self, language: str) -> bool:
        """Whether it hears ``language``, an ISO 639-1 code; "" is any."""
        return not self.languages or language in self.languages


def _whisper(size: str, about_bytes: int) -> tuple[RecogniserSpec, RecogniserSpec]:
    """Whisper of one size: for many languages, and for English only."""
    many, english = f"Systran/faster-whisper-{size}", f"Systran/faster-whisper-{size}.en"
    return (
        RecogniserSpec(f"whisper-{size}", f"Whisper {size}, 99 languages", "MIT", about_bytes, repo=many),
        RecogniserSpec(
            f"whisper-{size}.en", f"Whisper {size}, English only", "MIT", about_bytes, ("en",), repo=english
        ),
    )


RELEASED = (*_whisper("tiny", 78_000_000), *_whisper("base", 148_000_000), *_whisper("small", 486_000_000))
