"""Import the parts of upstream that inference needs.

Solves two problems:

* torchaudio from the package index is linked against CUDA. With a CPU-only PyTorch its native extension cannot load
  ``libc10_cuda.so``, and the import of the whole package fails. f5-tts and vocos use only its pure-Python parts.
* ``f5_tts.model`` imports the trainer, and with it wandb, accelerate and datasets.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
import types
from pathlib import Path

log = logging.getLogger("workbench.compat")
_lock = threading.Lock()

# names of upstream's ``f5_tts/model/__init__.py`` and the modules that define them
_UPSTREAM_NAMES = {
    "CFM": "cfm",
    "DiT": "backbones.dit",
    "UNetT": "backbones.unett",
    "MMDiT": "backbones.mmdit",
    "Trainer": "trainer",
}


def install() -> str:
    """Make ``torchaudio``, ``f5_tts.model`` and ``vocos`` importable. Safe to call again and from any thread.

    Returns:
        "native" if torchaudio loaded its native extension, else "pure".
    """
    with _lock:
        _install_lazy_model_package()
        return _install_torchaudio()


def _install_torchaudio() -> str:
    if "torchaudio" in sys.modules:
        return "pure" if getattr(sys.modules["torchaudio"], "_workbench_pure", False) else "native"
    try:
        importlib.import_module("torchaudio")
        return "native"
    except OSError as error:  # raised by the dynamic linker, not by the import system
        log.info("torchaudio without its native extension: %s", error)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    sys.modules["torchaudio._extension"] = _extension_stand_in()
    torchaudio = importlib.import_module("torchaudio")
    torchaudio.__dict__["_workbench_pure"] = True
    return "pure"


def _extension_stand_in() -> types.ModuleType:
    """Return a module like ``torchaudio._extension`` on a machine without native extension."""
    module = types.ModuleType("torchaudio._extension")
    module.__path__ = []  # a package, so that submodule imports fail with ImportError
    module.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=lambda function: function,
    )
    return module


def _install_lazy_model_package() -> None:
    """Replace ``f5_tts.model`` by a package that imports a submodule only when one of its names is used."""
    if "f5_tts.model" in sys.modules:
        return
    spec = importlib.util.find_spec("f5_tts")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("f5_tts is not installed; run: pip install -r requirements.txt")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"

    package = types.ModuleType("f5_tts.model")
    package.__path__ = [str(folder)]
    package.__file__ = str(folder / "__init__.py")

    def lookup(name: str) -> object:
        if name not in _UPSTREAM_NAMES:
            raise AttributeError(f"module 'f5_tts.model' has no attribute {name!r}")
        return getattr(importlib.import_module(f"f5_tts.model.{_UPSTREAM_NAMES[name]}"), name)

    package.__dict__.update(__all__=list(_UPSTREAM_NAMES), __getattr__=lookup)  # PEP 562
    sys.modules["f5_tts.model"] = package
