"""The entries of the catalogue: released, community, bundled and imported models."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.engine.catalog.configs import bundled_folder, packaged, read_config
from workbench.engine.catalog.spec import BASE_BYTES, DEMO_VOICE, SMALL_BYTES, ModelSpec
from workbench.engine.errors import WeightsError
from workbench.engine.files.places import voice_remedy
from workbench.engine.settings import MelConfig

"""Pattern for the name of an imported model."""

_V0_BASE = {
    "dim": 1024,
    "depth": 22,
    "heads": 16,
    "ff_mult": 2,
    "text_dim": 512,
    "text_mask_padding": False,
    "conv_layers": 4,
    "pe_attn_head": 1,
}
_V0_SMALL = _V0_BASE | {"dim": 768, "depth": 18, "heads": 12}


def _released(name: str, title: str, config: str, repo: str, weights: str, size: int, note: str = "") -> ModelSpec:
    """An entry with configuration and vocabulary from upstream's package."""
    backbone, arch, mel = packaged(config)
    return ModelSpec(
        name,
        title,
        backbone,
        dict(arch),
        mel,
        "cc-by-nc-4.0",
        ("en", "zh"),
        repo=repo,
        weights=weights,
        about_bytes=size,
        note=note,
    )


def released() -> tuple[ModelSpec, ...]:
    """The models released by the authors of the paper."""
    hub, size = "SWivid/F5-TTS", BASE_BYTES
    return (
        _released(
            "F5TTS_v1_Base", "F5-TTS v1 Base", "F5TTS_v1_Base", hub, "F5TTS_v1_Base/model_1250000.safetensors", size
        ),
        _released(
            "F5TTS_v1_Base_no_zero_init",
            "F5-TTS v1 Base, variant without zero initialisation",
            "F5TTS_v1_Base",
            hub,
            "F5TTS_v1_Base_no_zero_init/model_1250000.safetensors",
            size,
        ),
        _released("F5TTS_Base", "F5-TTS Base (v0)", "F5TTS_Base", hub, "F5TTS_Base/model_1200000.safetensors", size),
        _released(
            "E2TTS_Base",
            "E2-TTS Base",
            "E2TTS_Base",
            "SWivid/E2-TTS",
            "E2TTS_Base/model_1200000.safetensors",
            1_334_133_985,
        ),
    )


def _community(
    name: str, author: str, languages: str, repo: str, weights: str, vocab: str, license: str, **more: Any
) -> ModelSpec:
    """An entry with the Config of SHARED.md, which is the same for all models of one size."""
    arch = _V0_SMALL if "Small" in name else _V0_BASE
    size = "Small" if "Small" in name else "Base"
    return ModelSpec(
        name,
        f"F5-TTS {size} {languages} by {author}",
        "DiT",
        dict(arch),
        MelConfig(),
        license,
        tuple(languages.split()),
        kind="community",
        repo=repo,
        weights=weights,
        vocab=vocab,
        **more,
    )


_NC, _SA = "cc-by-nc-4.0", "cc-by-nc-sa-4.0"
COMMUNITY = (
    _community(
        "F5TTS_Base_fi",
        "AsmoKoskinen",
        "fi",
        "AsmoKoskinen/F5-TTS_Finnish_Model",
        "model_common_voice_fi_vox_populi_fi_20241206.safetensors",
        "vocab.txt",
        _NC,
    ),
    _community(
        "F5TTS_Base_fr",
        "RASPIAUDIO",
        "fr",
        "RASPIAUDIO/F5-French-MixedSpeakers-reduced",
        "model_last_reduced.pt",
        "vocab.txt",
        _NC,
    ),
    _community(
        "F5TTS_Base_de", "hvoss-techfak", "de", "hvoss-techfak/F5-TTS-German", "model_f5tts_german.pt", "vocab.txt", _NC
    ),
    _community(
        "F5TTS_Small_hi",
        "SPRINGLab",
        "hi",
        "SPRINGLab/F5-Hindi-24KHz",
        "model_2500000.safetensors",
        "vocab.txt",
        "cc-by-4.0",
        about_bytes=SMALL_BYTES,
    ),
    _community(
        "F5TTS_Base_it", "alien79", "it", "alien79/F5-TTS-italian", "model_159600.safetensors", "vocab.txt", _NC
    ),
    _community(
        "F5TTS_Base_ja",
        "Jmica",
        "ja",
        "Jmica/F5TTS",
        "JA_21999120/model_21999120.pt",
        "JA_21999120/vocab_japanese.txt",
        _SA,
        license_note=f"SHARED.md says {_NC}, the Hub {_SA}.",
    ),
    _community(
        "F5TTS_Base_lv", "RaivisDejus", "lv", "RaivisDejus/F5-TTS-Latvian", "model.safetensors", "vocab.txt", "cc0-1.0"
    ),
    _community(
        "F5TTS_Base_ru",
        "HotDro4illa",
        "ru",
        "hotstone228/F5-TTS-Russian",
        "model_last.safetensors",
        "vocab.txt",
        _SA,
        about_bytes=BASE_BYTES,
        license_note=f"SHARED.md says {_NC}, the Hub {_SA}.",
    ),
    _community(
        "F5TTS_Base_es",
        "jpgallegoar",
        "es",
        "jpgallegoar/F5-Spanish",
        "model_1200000.safetensors",
        "vocab.txt",
        _NC,
        about_bytes=BASE_BYTES,
        license_note=f"SHARED.md says cc0-1.0, the Hub {_NC}.",
        note="SHARED.md titles it F5-TTS Base but gives neither files nor Config: the files are those of its page on "
        "the Hub, the configuration that of F5-TTS Base (v0), the only one of that title.",
    ),
    ModelSpec(
        "F5TTS_Small_ar",
        "F5-TTS Small ar en by SILMA AI",
        "DiT",
        {},
        MelConfig(),
        "apache-2.0",
        ("ar", "en"),
        kind="community",
        repo="silma-ai/silma-tts",
        not_runnable="SHARED.md gives neither its files nor its configuration, and a wrong one can load without an "
        "error. Download the repository and import the folder with its own config.yaml.",
    ),
)


_HABIBI_DIALECTS = {  # file and licence of each; infer_gradio.py and the README of habibi-tts 0.1.1
    "MSA": ("Modern Standard", 200_000, "apache-2.0"),
    "EGY": ("Egyptian", 100_000, "apache-2.0"),
    "IRQ": ("Iraqi", 100_000, "apache-2.0"),
    "ALG": ("Algerian", 100_000, "apache-2.0"),
    "MAR": ("Moroccan", 100_000, "apache-2.0"),
    "SAU": ("Saudi", 200_000, _SA),
    "UAE": ("Emirati", 100_000, _SA),
}


def _habibi(name: str, title: str, folder: str, steps: int, license: str, **more: Any) -> ModelSpec:
    """An Arabic model of the paper's authors: the configuration of F5-TTS v1 Base, with a vocabulary of its own."""
    backbone, arch, mel = packaged("F5TTS_v1_Base")
    return ModelSpec(
        name,
        title,
        backbone,
        dict(arch),
        mel,
        license,
        ("ar",),
        repo="SWivid/Habibi-TTS",
        weights=f"{folder}/model_{steps}.safetensors",
        vocab=f"{folder}/vocab.txt",
        about_bytes=BASE_BYTES,
        **more,
    )


def habibi() -> tuple[ModelSpec, ...]:
    """Habibi-TTS (SWivid/Habibi-TTS): Arabic, one model for each of seven dialects and one for all."""
    note = f"The Hub labels the repository {_SA}; its README gives Apache 2.0 for ALG, EGY, IRQ, MAR and MSA."
    dialects = (
        _habibi(
            f"Habibi_{code}", f"Habibi-TTS {words} Arabic", f"Specialized/{code}", steps, license, license_note=note
        )
        for code, (words, steps, license) in _HABIBI_DIALECTS.items()
    )
    unified = _habibi(
        "Habibi_Unified",
        "Habibi-TTS, all dialects of Arabic",
        "Unified",
        200_000,
        _SA,
        license_note=note,
        frame=("\u24ea\u3008", "\u3009"),
        note="Reference and text are spoken within the mark of an unknown dialect, as its own command line does where "
        "none is named.",
    )
    return (*dialects, unified)


def bundled() -> ModelSpec:
    """The demo voice, described by its config.yaml. ``not_runnable`` gives the reason if that file is unusable."""
    folder = bundled_folder()
    common: dict[str, Any] = {"kind": "bundled", "folder": folder, "vocab": "vocab.txt", "vocoder_repo": None}
    try:
        backbone, known, mel = _config(folder / "config.yaml", *_stamp(folder / "config.yaml"))
        arch = dict(known)
        common["note"] = "Small, trained for this project, part of it."
    except WeightsError as error:
        backbone, arch, mel = "DiT", {}, MelConfig()
        common["not_runnable"] = f"{error.what} {voice_remedy(folder)}"
    return ModelSpec(DEMO_VOICE, "Demo voice", backbone, arch, mel, "MIT", ("en",), **common)


def _stamp(path: Path) -> tuple[int, int]:
    """Time and size of a file; zeros where it cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _config(path: Path, *stamp: int) -> tuple[str, dict[str, Any], MelConfig]:
    """The file, parsed once while it does not change: a list of the catalogue asks for it once an entry."""
    return read_config(path)
