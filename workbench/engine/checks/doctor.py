"""Check the installation: packages, device, memory, cached models, and that a run stays off the network."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version

from workbench.engine.checks.network import watch_network
from workbench.engine.errors import WorkbenchError

_PACKAGES = ("torch", "torchaudio", "f5-tts", "vocos", "streamlit", "plotly", "huggingface_hub", "soundfile", "librosa")
_NARROW_LICENCES = {
    "encodec": "vocos",
    "Unidecode": "f5-tts",
    "soxr": "librosa",
    "frozendict": "einx",
    "num2words": "this project",
}  # through whom


@dataclass(frozen=True)
class Check:
    """One finding. ``state`` is "ok", "warn" or "bad"; ``detail`` says what was found and what to do about it."""

    name: str
    state: str
    detail: str


def examine(*, run: bool = True) -> list[Check]:
    """All checks, the quick ones first.

    Args:
        run: also load the demo voice and speak two words under ``watch_network``, which takes some seconds.
    """
    checks = [_python(), *_packages(), *_licences(), _files(), *_device(), _memory(), *_models()]
    if run:
        checks.append(_offline_run())
    return checks


def _python() -> Check:
    state = "ok" if sys.version_info >= (3, 11) else "bad"
    return Check("Python", state, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Check]:
    for name in _PACKAGES:
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "bad", "not installed; run: pip install -r requirements.txt")


def _licences() -> Iterator[Check]:
    """Licences of dependencies with narrower terms than the project's, as they state them."""
    for name, through in _NARROW_LICENCES.items():
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue
        terms = about.get_all("License-Expression") or about.get_all("License") or ["see its files"]
        yield Check(f"licence of {name}", "ok", f"{terms[0].splitlines()[0]}; it comes with {through}")


def _files() -> Check:
    from workbench.engine.files.places import home

    return Check("models and runs", "ok", f"in {home()}")


def _device() -> Iterator[Check]:
    import torch

    from workbench.engine import upstream
    from workbench.engine.model.devices import choose_device, choose_dtype, cpu_prefers_bf16

    kind = upstream.install()
    yield Check("torchaudio", "ok", "with its native extension" if kind == "native" else
                "without its native extension, which this PyTorch cannot load and nothing here needs")  # fmt: skip
    device = choose_device("auto")
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
    why = "a device of this kind answers" if device != "cpu" else "no GPU answers"
    yield Check("device", "ok", f"{device}, in {choose_dtype('auto', device)}: {why}; PyTorch is built for {built}")
    if device == "cpu" and os.path.exists("/proc/driver/nvidia"):
        yield Check("GPU", "warn", "an NVIDIA driver is here but PyTorch cannot use it: install its CUDA build")
    level = torch.backends.cpu.get_cpu_capability()
    fast = "bf16 multiplies much faster than fp32" if cpu_prefers_bf16() else "bf16 is not much faster than fp32"
    yield Check("CPU", "ok", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {level}; {fast}")


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    state = "ok" if memory.available > 2 * 2**30 else "warn"
    return Check("memory", state, f"{memory.available / 2**30:.1f} GiB of {memory.total / 2**30:.1f} GiB free")


def _models() -> Iterator[Check]:
    from workbench.engine.cache import resolve
    from workbench.engine.catalog import list_models

    absent = []
    for spec in list_models():
        if spec.not_runnable and spec.folder is not None:
            yield Check(f"model {spec.name}", "warn", f"damaged: {spec.not_runnable}")
            continue
        try:
            files = resolve(spec)
        except WorkbenchError:
            absent.append(spec.name)
            continue
        pinned = f", pinned to {files.revision[:12]}" if files.revision else ""
        yield Check(f"model {spec.name}", "ok", f"complete, in the {files.source}{pinned}: {files.weights}")
    if absent:
        yield Check("models not here", "ok", ", ".join(absent))


def _offline_run() -> Check:
    """Load and speak while every socket of the process is watched."""
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.synthesis import load_engine
    from workbench.engine.speech.voices import load_voice

    name = "a run will touch the network"
    try:
        with watch_network() as heard:
            run = load_engine().run("Hello there.", load_voice(), SynthesisSettings(nfe_step=5))
    except WorkbenchError as error:
        return Check(name, "bad", f"not known, the demo voice does not run: {error}")
    seen = f"loading and speaking {run.audio_seconds:.1f} s made {len(heard)} attempts to look up or connect"
    if heard:
        return Check(name, "bad", f"yes: {seen}, the first {heard[0]}")
    return Check(name, "ok", f"no: {seen}")
