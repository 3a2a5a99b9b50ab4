"""The description of a model, and the paths of its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.engine.settings import MelConfig

DEMO_VOICE = "demo-voice"
VOCODER_REPO = "charactr/vocos-mel-24khz"
VOCODER_FILES = ("config.yaml", "pytorch_model.bin")
# bytes, as the Hub's pages round them; plan_fetch() asks for the exact sizes
VOCODER_BYTES = 54_400_000
BASE_BYTES = 1_350_000_000
SMALL_BYTES = 632_000_000


@dataclass(frozen=True)
class ModelSpec:
    """Describe a model: how to build it, where its files come from, what to show. Reads no file.

    Attributes:
        name: typed by users; case is ignored.
        title: shown to users.
        backbone: upstream's class, "DiT" or "UNetT".
        arch: keyword arguments of this class.
        mel: the mel spectrogram the model was trained on.
        license: the stricter licence if sources disagree.
        languages: ISO 639-1 codes.
        kind: "bundled", "released", "community" or "imported".
        repo: Hugging Face repository; None for a model in ``folder``.
        weights: file in the repository or folder; None: the one ``model_*`` file of the folder.
        vocab: file in the repository or folder; None: the vocabulary within f5_tts.
        vocoder_repo: Hugging Face repository of the vocoder; None: ``vocos/`` in the folder.
        folder: of a bundled or imported model.
        about_bytes: size of the weights, rounded as on the Hub's page; None if unknown.
        license_note: the licence in each source, if they disagree.
        not_runnable: why the workbench cannot run the model; empty if it can.
        note: other facts for users.
        frame: text before and after every text in the model's training, put around reference text and text.
        layers: weights in the file of an import, of "ema" and "raw"; () for a model that was not imported.
        layer: the kind of weights to take unless others are asked for; "auto": EMA if complete, else raw.
    """

    name: str
    title: str
    backbone: str
    arch: dict[str, Any] = field(hash=False)
    mel: MelConfig
    license: str
    languages: tuple[str, ...]
    kind: str = "released"
    repo: str | None = None
    weights: str | None = None
    vocab: str | None = None
    vocoder_repo: str | None = VOCODER_REPO
    folder: Path | None = None
    about_bytes: int | None = None
    license_note: str = ""
    not_runnable: str = ""
    note: str = ""
    frame: tuple[str, str] = ("", "")
    layers: tuple[str, ...] = ()
    layer: str = "auto"

    @property
    def url(self) -> str:
        """The model's page on the Hub; empty if it has none."""
        return f"https://huggingface.co/{self.repo}" if self.repo else ""

    @property
    def fetch_bytes(self) -> int | None:
        """About how many bytes a fetch brings, vocoder included; None if unknown."""
        if self.about_bytes is None:
            return None
        return self.about_bytes + (VOCODER_BYTES if self.vocoder_repo else 0)

    @property
    def repo_files(self) -> tuple[str, ...]:
        """Files needed from ``repo``, as paths within it."""
        return tuple(f for f in (self.weights, self.vocab) if f) if self.repo else ()


@dataclass(frozen=True)
class ModelFiles:
    """Paths of a model's files. All existed and were complete when this was made.

    ``source`` is "folder", "cache" or "huggingface cache"; ``revision`` is the full commit of the weights or None, and
    ``picked`` says why that one, and that of the vocoder, where neither a manifest nor refs/main names it.
    """

    weights: Path
    vocab: Path
    vocoder_config: Path
    vocoder_weights: Path
    source: str
    revision: str | None = None
    picked: str = ""
