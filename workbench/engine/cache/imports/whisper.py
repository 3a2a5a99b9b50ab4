"""Recognise a Whisper among what is imported: CTranslate2's files are taken, other formats refused with the remedy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.cache.ctranslate import Converted, is_converted, read_converted
from workbench.engine.cache.headers import file_problem
from workbench.engine.cache.links import followed
from workbench.engine.cache.paths import snapshots
from workbench.engine.catalog import RECOGNISER_KIND
from workbench.engine.errors import ImportRefused
from workbench.engine.files.clutter import is_clutter

_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
_OPTIONAL = ("preprocessor_config.json",)
_ENGLISH_TOKENS = 51_864  # one fewer than the multilingual ones
_SIZES = {  # (width, layers of encoder, of decoder)
    (384, 4, 4): "tiny",
    (512, 6, 6): "base",
    (768, 12, 12): "small",
    (1024, 24, 24): "medium",
    (1280, 32, 32): "large",
    (1280, 32, 4): "large-turbo",
}
_MAX_JSON_BYTES = 4_000_000


@dataclass(frozen=True)
class FoundWhisper:
    """A Whisper in CTranslate2's format: its folder, its files there, and what its weights say about it."""

    folder: Path
    files: tuple[Path, ...]
    name: str
    english: bool

    def about(self, source: Path, license: str | None) -> dict[str, Any]:
        """Entries of the manifest besides the files."""
        known = self.name.startswith("whisper-")
        title = f"Whisper {self.name.removeprefix('whisper-').removesuffix('.en')}" if known else self.name
        return {
            "kind": RECOGNISER_KIND,
            "title": f"{title}, {'English only' if self.english else '99 languages'}",
            "source": str(source),
            "languages": ["en"] if self.english else [],
            "license": license or ("MIT" if known else "unknown"),
        }


def find_whisper(path: Path) -> FoundWhisper | None:
    """The Whisper in ``path``: a folder, one within it that is alone there, a Hub cache's folder, or its model.bin.

    None where there is none.

    Raises:
        ImportRefused: a Whisper in another format, or without all of its files.
        WeightsError: its weights are cut short.
        OSError: the folder cannot be read.
    """
    try:
        folder = _folder_of(path)
    except OSError:
        return None  # the search for a model that speaks says why
    if folder is None:
        return None
    weights = followed(folder / "model.bin")
    if not _is_converted(weights):
        _refuse_other_formats(folder)
        return None
    found = read_converted(weights)
    if found.spec != "WhisperSpec":
        raise ImportRefused(
            f"{weights} holds a {found.spec.removesuffix('Spec')} of CTranslate2, not a Whisper.",
            remedy="Give a recogniser, or a model that speaks.",
        )
    vocabulary = next((n for n in _VOCABULARIES if not file_problem(followed(folder / n))), _VOCABULARIES[0])
    needed = [folder / name for name in ("config.json", "model.bin", "tokenizer.json", vocabulary)]
    lacking = [f"{p.name} {problem}" for p in needed if (problem := file_problem(followed(p)))]
    if lacking:
        raise ImportRefused(
            f"The Whisper in {folder} is not whole: {'; '.join(lacking)}.", remedy="Copy its whole folder, and again."
        )
    files = (*needed, *(folder / n for n in _OPTIONAL if (folder / n).is_file()))
    tokens = found.shapes.get("decoder/embeddings/weight", (0,))[0]
    return FoundWhisper(folder, files, _name(found, tokens, folder), tokens == _ENGLISH_TOKENS)


def _name(found: Converted, tokens: int, folder: Path) -> str:
    """``whisper-`` and the size by the shapes; of a size that OpenAI never released, the folder's name."""
    width = found.shapes.get("encoder/conv1/bias", (0,))[0]
    layers = [
        len({m[0] for name in found.shapes if (m := re.match(rf"{part}/layer_\d+/", name))})
        for part in ("encoder", "decoder")
    ]
    size = _SIZES.get((width, layers[0], layers[1]))
    if size is None:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._") or "recogniser"
    return f"whisper-{size}{'.en' if tokens == _ENGLISH_TOKENS else ''}"


def _folder_of(path: Path) -> Path | None:
    """The folder that could hold a Whisper itself."""
    if path.is_file():
        return path.parent if path.name == "model.bin" else None
    if not path.is_dir():
        return None
    for _ in range(3):  # archives and downloads like to wrap a folder into another
        if (path / "snapshots").is_dir():
            repo = path.name.removeprefix("models--").replace("--", "/")
            return next(iter(snapshots(path.parent, repo)), None)
        inside = [p for p in path.iterdir() if not is_clutter(p.name) and not p.name.startswith(".")]
        if len(inside) != 1 or not inside[0].is_dir():
            return path
        path = inside[0]
    return path


def _is_converted(weights: Path) -> bool:
    if not weights.is_file():
        return False
    with weights.open("rb") as file:
        return is_converted(file.read(64))


def _refuse_other_formats(folder: Path) -> None:
    """Raise ImportRefused for a Whisper that faster-whisper cannot read."""
    config = folder / "config.json"
    if not config.is_file() or config.stat().st_size > _MAX_JSON_BYTES:
        return
    try:
        about = json.loads(config.read_bytes())
    except (ValueError, RecursionError):
        return
    if isinstance(about, dict) and about.get("model_type") == "whisper":
        raise ImportRefused(
            f"{folder} holds a Whisper in the format of transformers.",
            remedy="Convert it: `ct2-transformers-converter --model FOLDER --output_dir NEW --copy_files "
            "tokenizer.json preprocessor_config.json`, and import NEW.",
        )
