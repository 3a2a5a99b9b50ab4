"""The catalogue: which models exist, where they come from, their licences and configurations.

The released models take their configuration from the YAML files that upstream's package carries; the community models
from the literal ``Config`` lines of upstream's SHARED.md (f5_tts/infer/SHARED.md, version 1.1.22); Habibi-TTS from
its own package (habibi-tts 0.1.1). Version 0 and
version 1 checkpoints have the same keys and shapes but need different settings, so nothing here is inferred from
weights. Imported models are described by the config.yaml that the import wrote.

Beside the models that speak stand recognisers, which listen: ``RecogniserSpec``. What brings, lists and removes files
takes entries of both kinds.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from workbench.engine.catalog import entries
from workbench.engine.catalog.configs import (
    bundled_folder,
    check_model,
    describes_a_model,
    imported_folder,
    packaged,
    packaged_vocab,
    read_config,
    templates,
    upstream_folder,
)
from workbench.engine.catalog.imported import imports
from workbench.engine.catalog.recognisers import RECOGNISER_KIND, WHISPER_FILES, RecogniserSpec
from workbench.engine.catalog.recognisers import RELEASED as RECOGNISERS
from workbench.engine.catalog.spec import DEMO_VOICE, VOCODER_BYTES, VOCODER_FILES, VOCODER_REPO, ModelFiles, ModelSpec
from workbench.engine.catalog.vocoders import RELEASED as RELEASED_VOCODER
from workbench.engine.catalog.vocoders import VocoderConfig, check_vocoder, read_vocoder
from workbench.engine.errors import ModelError
from workbench.engine.settings import MelConfig

__all__ = [
    "DEMO_VOICE",
    "RECOGNISER_KIND",
    "RELEASED_VOCODER",
    "VOCODER_BYTES",
    "VOCODER_FILES",
    "VOCODER_REPO",
    "WHISPER_FILES",
    "Entry",
    "ModelFiles",
    "ModelSpec",
    "RecogniserSpec",
    "VocoderConfig",
    "bundled_folder",
    "check_model",
    "check_vocoder",
    "describes_a_model",
    "get_entry",
    "get_model",
    "imported_folder",
    "list_entries",
    "list_models",
    "list_recognisers",
    "packaged_vocab",
    "read_config",
    "read_vocoder",
    "template",
    "templates",
    "upstream_folder",
]


def template(name: str) -> tuple[str, dict[str, Any], MelConfig]:
    """Backbone, arch and mel of a packaged configuration, or of a catalogue entry of that name."""
    for known in templates():
        if known.lower() == name.lower():
            backbone, arch, mel = packaged(known)
            return backbone, dict(arch), mel
    spec = get_model(name)
    return spec.backbone, dict(spec.arch), spec.mel


Entry = ModelSpec | RecogniserSpec


def list_entries() -> tuple[Entry, ...]:
    """Every entry of the catalogue: the demo voice, released, community and imported models, then the recognisers.

    An import under the name of an entry takes its place.
    """
    own = {spec.name.lower(): spec for spec in imports()}
    known: list[Entry] = [*entries.released(), *entries.habibi(), *entries.COMMUNITY, *RECOGNISERS]
    found = [own.pop(spec.name.lower(), spec) for spec in known]
    every = [entries.bundled(), *found, *own.values()]
    return tuple(sorted(every, key=lambda spec: isinstance(spec, RecogniserSpec)))


def list_models() -> tuple[ModelSpec, ...]:
    """The models of the catalogue, which speak, in the order of ``list_entries``."""
    return tuple(spec for spec in list_entries() if isinstance(spec, ModelSpec))


def list_recognisers() -> tuple[RecogniserSpec, ...]:
    """The recognisers of the catalogue, which listen, in the order of ``list_entries``."""
    return tuple(spec for spec in list_entries() if isinstance(spec, RecogniserSpec))


def get_entry(name: str) -> Entry:
    """The model or recogniser ``name``, or the only entry of the Hub repository ``name``.

    Raises:
        ModelError: no such entry; the message lists the nearest names.
    """
    every = list_entries()
    for spec in every:
        if spec.name.lower() == name.strip().lower():
            return spec
    of_repo = [spec for spec in every if spec.repo and spec.repo.lower() == name.strip().lower()]
    if len(of_repo) == 1:
        return of_repo[0]
    names = {re.sub(r"[^a-z0-9]", "", spec.name.lower()): spec.name for spec in every}
    near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), list(names), n=3, cutoff=0.5)
    near_names = [s.name for s in of_repo] or [names[n] for n in near]
    similar = f"Similar: {', '.join(near_names)}; " if near_names else ""
    raise ModelError(f"There is no model {name!r}.", remedy=f"{similar}`python -m workbench models` lists all.")


def get_model(name: str) -> ModelSpec:
    """The model ``name``, or the only model of the Hub repository ``name``.

    Raises:
        ModelError: no such model, or it is a recogniser; the message lists the nearest names.
    """
    found = get_entry(name)
    if isinstance(found, RecogniserSpec):
        raise ModelError(
            f"{found.name} is a recogniser: it writes down what is said, and does not speak.",
            remedy="`python -m workbench models` lists the models that do.",
        )
    return found
