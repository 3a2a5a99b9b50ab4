"""Do weights, configuration and vocabulary belong together? If not: what differs, and what they probably belong to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.engine.cache.headers import Header
from workbench.engine.cache.imports.vocab import read_vocabulary
from workbench.engine.cache.imports.weights.architecture import contradictions, describe
from workbench.engine.cache.imports.weights.layers import Layer
from workbench.engine.cache.links import followed
from workbench.engine.cache.paths import hub_root, snapshots, user_hub_root
from workbench.engine.catalog import list_models, packaged_vocab, template, templates
from workbench.engine.errors import WorkbenchError
from workbench.engine.files.clutter import is_clutter
from workbench.engine.settings import MelConfig
from workbench.engine.visible import shorten, visible

_NAMED = 4  # suggestions in a message
_BYTES = 256  # tokens of upstream's tokenizer "byte"
_BESIDE = 50  # text files in a folder that are looked at

Refusal = tuple[str, str]  # what is wrong, and the remedy


def misfit(
    name: str, layer: Layer, header: Header, built: tuple[str, dict[str, Any], MelConfig], stated: str
) -> Refusal | None:
    """Why the weights of the file ``name`` are not those of an architecture; None if they fit.

    Args:
        layer, header: the weights, and their tensors under the model's names.
        built: backbone, its arguments and the mel that they should have.
        stated: where that is stated, such as a name in the catalogue.
    """
    backbone, arch, mel = built
    wrong = contradictions(header, backbone, arch, mel.n_mel_channels)
    if layer.foreign:
        wrong.append(f"{len(layer.foreign)} tensors are foreign, such as {shorten(visible(layer.foreign[0]))}")
    if not wrong:
        return None
    likely = _same_sizes(header)
    remedy = f"It has the sizes of {' or '.join(likely)}: take that one." if likely else (
        "Name the configuration that it was trained with."
    )  # fmt: skip
    return f"{name} is of another architecture than {stated}: {'; '.join(wrong)}.", remedy


def _same_sizes(header: Header) -> list[str]:
    """Names of configurations and catalogue entries with the sizes of ``header``, upstream's first."""
    built = {}
    for name in templates():
        try:
            built[name] = template(name)
        except WorkbenchError:  # of a vocoder that is not supported
            continue
    built |= {s.name: (s.backbone, s.arch, s.mel) for s in list_models() if not s.not_runnable and s.name not in built}
    found = (n for n, (kind, arch, mel) in built.items() if not contradictions(header, kind, arch, mel.n_mel_channels))
    return list(islice(found, _NAMED))


def wrong_vocabulary(name: str, header: Header, tokens: int, which: str, folder: Path) -> Refusal | None:
    """Why a vocabulary of ``tokens`` is not that of the weights in the file ``name``; None if it is.

    Args:
        header: its tensors under the model's names.
        which: the vocabulary, such as "vocab.txt".
        folder: of the weights.
    """
    size = describe(header)["vocabulary"]
    if size == tokens:
        return None
    likely = list(dict.fromkeys(_of_size(size, folder)))[:_NAMED] if size else []
    if likely:
        hint = f": {' and '.join(likely)} {'has' if len(likely) == 1 else 'have'} {size}"
    elif size == _BYTES:
        hint = "; 256 are those of upstream's tokenizer 'byte', which is not supported here"
    else:
        hint = f", with {size} lines"
    return (
        f"{name} was trained with {size} tokens, but {which} {tokens} (its text_embed has {(size or 0) + 1} rows).",
        f"Put the right vocab.txt beside the weights{hint}.",
    )


def _of_size(size: int, folder: Path) -> Iterator[str]:
    """Vocabularies with ``size`` tokens: beside the weights, in f5_tts, in the caches."""
    beside = (p for place in (folder, folder.parent) for p in sorted(place.glob("*.txt"))[:_BESIDE])
    for path in beside:
        if not is_clutter(path.name) and _tokens(path) == size:
            yield f"{path.name} in {path.parent.name}"
    if _tokens(packaged_vocab()) == size:
        yield "the list of F5TTS_v1_Base (Emilia_ZH_EN_pinyin), which f5_tts carries,"
    for spec in list_models():
        if spec.folder is not None:
            places = [spec.folder]
        else:
            roots = (hub_root(), user_hub_root()) if spec.repo and spec.vocab else ()
            places = [snapshot for root in roots for snapshot in snapshots(root, str(spec.repo))]
        if any(_tokens(place / str(spec.vocab)) == size for place in places):
            yield f"the one of {spec.name}"


def _tokens(path: Path) -> int | None:
    """Tokens of a vocabulary; None if the file is none."""
    try:
        return len(read_vocabulary(followed(path)).tokens)
    except WorkbenchError:
        return None
