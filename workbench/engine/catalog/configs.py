"""Where configurations come from: upstream's packaged YAML files, and files in their layout."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.engine.catalog.spec import DEMO_VOICE
from workbench.engine.errors import ModelError, WeightsError
from workbench.engine.settings import MelConfig, home


def upstream_folder() -> Path:
    """Where f5_tts is installed, found without importing it. Raises ModelError if it is not."""
    spec = find_spec("f5_tts")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ModelError("The package f5_tts is not installed.", remedy="Run `pip install -r requirements.txt`.")
    return Path(places[0])


def packaged_vocab() -> Path:
    """The vocabulary of the released models: 2545 tokens, carried by f5_tts itself."""
    return upstream_folder() / "infer" / "examples" / "vocab.txt"


def bundled_folder() -> Path:
    """The demo voice: under ``home()``, else the one that ships with the source tree."""
    own = home() / "cache" / DEMO_VOICE
    return own if (own / "config.yaml").is_file() else Path(__file__).resolve().parents[3] / "cache" / DEMO_VOICE


def imported_folder() -> Path:
    """Holds one folder for each model that a user imported."""
    return home() / "cache" / "imported"


def read_config(path: Path) -> tuple[str, dict[str, Any], MelConfig]:
    """Backbone, its keyword arguments and the mel settings of a YAML file in upstream's layout.

    Raises:
        WeightsError: the file cannot be read or has another layout.
    """
    import yaml

    try:
        model = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
        arch, mel = dict(model["arch"]), MelConfig(**model["mel_spec"])
        backbone = str(model["backbone"])
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a model configuration ({type(error).__name__}: {error}).",
            remedy="It needs model.backbone, model.arch and model.mel_spec, as in f5_tts/configs.",
        ) from error
    if backbone not in ("DiT", "UNetT"):
        raise WeightsError(f"{path} asks for the backbone {backbone!r}.", remedy="DiT and UNetT are known.")
    return backbone, arch, mel


@lru_cache(maxsize=16)
def packaged(config: str) -> tuple[str, dict[str, Any], MelConfig]:
    """read_config of one of upstream's own files; the package does not change while we run."""
    return read_config(upstream_folder() / "configs" / f"{config}.yaml")


def templates() -> tuple[str, ...]:
    """Names of upstream's configurations, for an import to choose from."""
    return tuple(sorted(p.stem for p in (upstream_folder() / "configs").glob("*.yaml")))
