"""What is computed on: the device, its number format, and the versions and machine that a run records."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from workbench.engine.cache.paths import cache_root
from workbench.engine.errors import DeviceError, WorkbenchError
from workbench.engine.files.reading import read_object
from workbench.engine.files.writing import write_json
from workbench.engine.model.capturing import RECORDING

_FASTER = 0.6  # bf16 is chosen below this share of fp32's time
_ROUNDS = 21
REMEMBERED = "processors.json"  # in ``cache/``: processor to what was measured
_READ_BYTES = 1 << 20


@lru_cache(1)
def cpu_prefers_bf16() -> bool:
    """Whether a matrix product of the demo voice's size is much faster in bf16 than in fp32.

    It is measured once for each processor and version of PyTorch, for about 80 ms, and remembered in ``cache/``: if
    other programs are at work, a measurement may come out differently, and the same request must give the same bytes.
    The processor's flags do not tell: of three machines with avx512_bf16 and without AMX, one reached 85 GFLOP/s in
    bf16 and 155 in fp32 on one core, one 204 and 78, and one 430 and 190 on two cores.
    """
    name = f"{_processor()}, {os.cpu_count()} cores, PyTorch {torch.__version__}"
    known = _remembered().get(name)
    if isinstance(known, bool):
        return known
    measured = _bf16_is_faster()
    now = _remembered()  # another process may have measured meanwhile
    found = now.setdefault(name, measured)
    if not isinstance(found, bool):
        now[name] = found = measured
    with suppress(OSError, ValueError, WorkbenchError):  # a cache that cannot be written remembers nothing
        write_json(cache_root() / REMEMBERED, now)
    return bool(found)


def _bf16_is_faster() -> bool:
    """Multiply in both formats and compare the shortest times."""
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    pairs = {d: (torch.ones(2048, 256, dtype=d), torch.ones(256, 512, dtype=d)) for d in best}
    for _ in range(_ROUNDS):  # alternating, so that other load slows both
        for dtype, (a, b) in pairs.items():
            started = time.perf_counter()
            a @ b
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.bfloat16] < _FASTER * best[torch.float32]


def _remembered() -> dict[str, Any]:
    try:
        return read_object(cache_root() / REMEMBERED, _READ_BYTES) or {}
    except WorkbenchError:
        return {}


def _processor() -> str:
    """Return the name of the processor and the instructions that PyTorch uses of it."""
    named = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), named)
    return f"{named} {torch.backends.cpu.get_cpu_capability()}"


def choose_device(device: str) -> str:
    """The device to use. "auto" takes the first available of cuda, xpu, mps and cpu.

    Raises:
        DeviceError: ``device`` is not available.
    """
    import torch

    present = [name for name in ("cuda", "xpu", "mps") if _is_available(torch, name)] + ["cpu"]
    if device == "auto":
        return present[0]
    if device.split(":")[0] not in present:
        raise DeviceError(f"There is no device {device!r} here.", remedy=f"Choose one of {', '.join(present)}.")
    return device


def _is_available(torch: Any, name: str) -> bool:
    backend = torch.backends.mps if name == "mps" else getattr(torch, name, None)
    return backend is not None and backend.is_available()


def waiting_for(device: str) -> Callable[[], None] | None:
    """Function that waits until all that was queued on this very ``device`` is done; None if it works synchronously.

    Without its name, PyTorch waits for the current device, which is cuda:0 while cuda:1 works. While another thread
    records a CUDA graph it waits for that too, which its own waiting would break.
    """
    kind = device.split(":")[0]
    if kind == "cpu":
        return None
    wait: Callable[..., None] | None = getattr(getattr(torch, kind, None), "synchronize", None)
    if wait is None or kind == "mps":  # there is one of these, and it takes no name
        return wait
    return partial(_wait_unless_recording, wait, device)


def _wait_unless_recording(wait: Callable[..., None], device: str) -> None:
    with RECORDING:
        wait(device)


def upstream_dtype(device: str) -> str:
    """The number format that upstream uses on ``device``: fp16 on CUDA of capability 7 and above, else fp32."""
    import torch

    return "fp16" if device.startswith("cuda") and torch.cuda.get_device_capability(device)[0] >= 7 else "fp32"


def choose_dtype(dtype: str, device: str) -> str:
    """The number format to use. "auto" is upstream's choice, but bf16 on a CPU where that is much faster.

    Raises:
        DeviceError: fp16 on a CPU.
    """
    from workbench.engine.model.devices import cpu_prefers_bf16

    if dtype != "auto":
        if dtype == "fp16" and device == "cpu":
            raise DeviceError("fp16 is not supported on the CPU.", remedy="Use fp32, or bf16 where the CPU has it.")
        return dtype
    return "bf16" if device == "cpu" and cpu_prefers_bf16() else upstream_dtype(device)


def environment() -> dict[str, str]:
    """Versions and machine, as a run records them."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": str(torch.get_num_threads()),
    } | _versions()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Return the version of each package that decides the sound; they cannot change while they are imported."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("torch", "torchaudio", "f5-tts", "vocos"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found
