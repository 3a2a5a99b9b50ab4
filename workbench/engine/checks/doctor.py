"""Check the installation: packages, device, memory, cached models, and that a run makes no network connection."""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench import __version__
from workbench.engine import collecting
from workbench.engine.catalog.plain import first_line
from workbench.engine.checks import licences
from workbench.engine.checks.network import watch_network
from workbench.engine.errors import WorkbenchError, reason_of
from workbench.engine.files import places

_PACKAGES = ("torch", "torchaudio", "f5-tts", "vocos", "streamlit", "plotly", "huggingface_hub", "soundfile", "librosa")
_DISK_FULL, _DISK_LOW = 50_000_000, 2_000_000_000  # bytes: a run, a model


@dataclass(frozen=True)
class Check:
    """One result. ``state`` is "ok", "warn" or "bad"; ``detail`` says what was found and what to do about it."""

    name: str
    state: str
    detail: str


def examine(*, run: bool = True) -> list[Check]:
    """Run all checks, the quick ones first.

    Args:
        run: also load the demo voice and speak two words under ``watch_network``, which takes some seconds.
    """
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("Python", _python), ("packages", _packages), ("licences", _licences), ("models and runs", _files),
        ("PyTorch", _torch), ("torchaudio", _torchaudio), ("device", _device), ("memory", _memory), ("models", _models),
    ]  # fmt: skip
    if run:
        checks.append(("a run will touch the network", _offline_run))
    return [result for name, check in checks for result in _guarded(name, check)]


def _guarded(name: str, check: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield the results of ``check``; if it fails, yield one bad result, so that the other checks still run."""
    try:
        yield from check()
    except Exception as error:  # in a broken installation anything may fail here
        why = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {first_line(error)}"
        yield Check(name, "bad", f"cannot be checked: {why}")


def _python() -> Iterator[Check]:
    yield Check("workbench", "ok", f"{__version__} in {places.PACKAGE}")
    state = "ok" if sys.version_info >= (3, 11) else "bad"
    yield Check("Python", state, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Check]:
    for name in _PACKAGES:
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "bad", "not installed; run: pip install -r requirements.txt")


def _licences() -> Iterator[Check]:
    """Name dependencies whose licence is narrower than the project's, with the terms they state."""
    for found in licences.packages():
        yield Check(f"licence of {found.name}", "ok", f"{found.licence}. {found.note}")


def _files() -> Iterator[Check]:
    """Check that runs can be written, and the space on the disk. The cache, which may be read-only, is not written."""
    from workbench.engine.files.places import home

    place = home()
    yield Check("models and runs", "ok", f"in {place}")
    cache, runs = (next(p for p in (place / name, place, *place.parents) if p.is_dir()) for name in ("cache", "runs"))
    if os.access(cache, os.W_OK | os.X_OK):
        yield _space("folder cache", cache)
    else:
        yield Check("folder cache", "ok", f"{cache} is read-only: its models can be used; none can be added")
    try:
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else reason_of(error)
        remedy = "free some space, correct its permissions, or set WORKBENCH_HOME to a folder of your own"
        yield Check("folder runs", "bad", f"nothing can be written in {runs}: {why}; {remedy}")
        return
    yield _space("folder runs", runs)


def _space(name: str, folder: Path) -> Check:
    """How much space the disk of ``folder`` has."""
    from workbench.engine.files.writing import human_bytes

    free = shutil.disk_usage(folder).free
    state = "bad" if free < _DISK_FULL else "warn" if free < _DISK_LOW else "ok"
    told = {"bad": ": the disk is full; free some space", "warn": ": too little for a model", "ok": ""}[state]
    return Check(name, state, f"{human_bytes(free)} free in {folder}{told}")


def _torch() -> Iterator[Check]:
    """Check that PyTorch loads. An installed package may still hold libraries for another system."""
    try:
        with collecting.paused():
            import torch
    except Exception as error:
        yield Check("PyTorch", "bad", f"does not load ({type(error).__name__}: {first_line(error)}); reinstall it: "
                    "pip install --force-reinstall torch torchaudio")  # fmt: skip
        return
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
    yield Check("PyTorch", "ok", f"{torch.__version__} loads, built for {built}")


def _torchaudio() -> Iterator[Check]:
    from workbench.engine import upstream

    try:
        kind = upstream.install()
        import torchaudio  # noqa: F401
    except Exception as error:
        yield Check("torchaudio loads", "bad", f"no ({type(error).__name__}: {first_line(error)}); install the version "
                    "for this PyTorch: pip install --force-reinstall -r requirements.txt")  # fmt: skip
        return
    yield Check("torchaudio loads", "ok", "with its native extension" if kind == "native" else
                "without its native extension, which this PyTorch cannot load and which is not used")  # fmt: skip


def _device() -> Iterator[Check]:
    import torch

    from workbench.engine.model.devices import choose_device, choose_dtype, cpu_prefers_bf16

    device = choose_device("auto")
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
    why = "a GPU can be used" if device != "cpu" else "no GPU can be used"
    yield Check("device", "ok", f"{device}, in {choose_dtype('auto', device)}: {why}; PyTorch is built for {built}")
    if device == "cpu" and os.path.exists("/proc/driver/nvidia"):
        yield Check("GPU", "warn", "there is an NVIDIA driver, but PyTorch cannot use it: install its CUDA build")
    if device.startswith("cuda"):
        yield _gpu_compiler()
    level = torch.backends.cpu.get_cpu_capability()
    fast = "bf16 multiplies much faster than fp32" if cpu_prefers_bf16() else "bf16 is not much faster than fp32"
    yield Check("CPU", "ok", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {level}; {fast}")


def _gpu_compiler() -> Check:
    """Look for what compiles the default backend; without it a GPU computes the same, more slowly."""
    name = "GPU compiler"
    if importlib.util.find_spec("triton") is None:
        return Check(name, "warn", "Triton is not installed, so the backend is graph, not lean: pip install triton")
    compiler = next(filter(None, (shutil.which(c) for c in (os.environ.get("CC", ""), "gcc", "clang") if c)), None)
    if compiler is None:
        return Check(
            name, "warn", "Triton finds no C compiler, so the model is not compiled: install gcc, or name one in $CC"
        )
    return Check(name, "ok", f"Triton {version('triton')} with {compiler}")


def _memory() -> Iterator[Check]:
    import psutil

    memory = psutil.virtual_memory()
    state = "ok" if memory.available > 2 * 2**30 else "warn"
    yield Check("memory", state, f"{memory.available / 2**30:.1f} GiB of {memory.total / 2**30:.1f} GiB free")


def _models() -> Iterator[Check]:
    from workbench.engine.cache import resolve, resolve_recogniser
    from workbench.engine.catalog import list_models, list_recognisers

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
    for recogniser in list_recognisers():
        try:
            yield Check(f"recogniser {recogniser.name}", "ok", f"complete: {resolve_recogniser(recogniser)}")
        except WorkbenchError:
            absent.append(recogniser.name)
    if absent:
        yield Check("models not on disk", "ok", ", ".join(absent))


def _offline_run() -> Iterator[Check]:
    """Load the demo voice and speak while every socket of the process is watched."""
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.synthesis import load_engine
    from workbench.engine.speech.voices import load_voice

    name = "a run will touch the network"
    try:
        with watch_network() as heard:
            run = load_engine().run("Hello there.", load_voice(), SynthesisSettings(nfe_step=5))
    except WorkbenchError as error:
        yield Check(name, "bad", f"unknown, because the demo voice does not run: {error}")
        return
    seen = f"loading and speaking {run.audio_seconds:.1f} s made {len(heard)} attempts to look up a name or connect"
    if heard:
        yield Check(name, "bad", f"yes: {seen}, the first {heard[0]}")
    else:
        yield Check(name, "ok", f"no: {seen}")
