"""Import the parts of upstream that inference needs.

Solves three problems:

* torchaudio from the package index is linked against CUDA. With a CPU-only PyTorch its native extension cannot load
  ``libc10_cuda.so``, and the import of the whole package fails. f5-tts and vocos use only its pure-Python parts.
* ``f5_tts.model`` imports the trainer, and with it wandb, accelerate and datasets.
* Its modules import librosa, and with it numba and LLVM (0.6 s, 130 MB), for the mel of a vocoder that is not used.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger("workbench.compat")
_lock = threading.RLock()  # a name of the package may ask for another

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


@contextmanager
def _librosa_on_call() -> Iterator[None]:
    """Within the block, what ``librosa.filters.mel`` gives is a function that imports librosa when it is called."""
    if "librosa" in sys.modules:
        yield
        return

    def mel(*args: Any, **kwargs: Any) -> Any:
        return importlib.import_module("librosa.filters").mel(*args, **kwargs)

    package, filters = types.ModuleType("librosa"), types.ModuleType("librosa.filters")
    package.__path__ = []
    filters.__dict__["mel"] = mel
    sys.modules.update({"librosa": package, "librosa.filters": filters})
    try:
        yield
    finally:
        for name in ("librosa", "librosa.filters"):
            del sys.modules[name]


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
        home = f"f5_tts.model.{_UPSTREAM_NAMES[name]}"
        if home not in sys.modules:
            with _lock, _librosa_on_call():
                importlib.import_module(home)
        return getattr(importlib.import_module(home), name)

    package.__dict__.update(__all__=list(_UPSTREAM_NAMES), __getattr__=lookup)  # PEP 562
    sys.modules["f5_tts.model"] = package
