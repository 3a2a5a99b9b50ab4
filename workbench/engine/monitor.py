"""Sample the use of CPU, GPU and memory during a run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any

import psutil

from workbench.engine.timing import Sample

log = logging.getLogger("workbench.monitor")

INTERVAL_SECONDS = 0.1  # psutil's counters advance in steps of 10 ms; shorter intervals give noise
MAX_SAMPLES = 2_000  # at this number every second sample is dropped and the interval doubles


class Monitor:
    """Sample the machine in a thread while the block runs.

    Args:
        device: torch device string; a GPU is read if it is a CUDA device.
        interval_seconds: time between two samples.

    Times in ``samples`` count from the start of the block.
    """

    def __init__(self, device: str = "cpu", interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval = interval_seconds
        self._read_gpu = gpu_reader(device)
        self._process = psutil.Process()
        self._samples: list[Sample] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = 0.0

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Samples so far, in order."""
        return tuple(self._samples)

    def __enter__(self) -> Monitor:
        psutil.cpu_percent()  # the first call only sets the start of the next measurement
        self._process.cpu_percent()
        self._began = time.perf_counter()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        gpu_percent, gpu_bytes = self._read_gpu()
        cores = psutil.cpu_count() or 1
        self._samples.append(
            Sample(
                time.perf_counter() - self._began,
                psutil.cpu_percent(),
                min(100.0, self._process.cpu_percent() / cores),
                self._process.memory_info().rss,
                gpu_percent,
                gpu_bytes,
            )
        )
        if len(self._samples) >= MAX_SAMPLES:
            del self._samples[::2]
            self._interval *= 2


@lru_cache
def gpu_reader(device: str) -> Callable[[], tuple[float | None, int | None]]:
    """Return a function that reads the GPU ``device``: load in percent and bytes in use, each None if unknown."""
    if not device.startswith("cuda"):
        return lambda: (None, None)
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = _handle(pynvml, int(device.partition(":")[2] or 0))
    except pynvml.NVMLError as error:
        log.warning("the GPU's counters cannot be read: %s", error)
        return lambda: (None, None)

    def read() -> tuple[float | None, int | None]:
        try:
            load = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        except pynvml.NVMLError:  # a partitioned (MIG) GPU does not report its load
            load = None
        try:
            return load, int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
        except pynvml.NVMLError:
            return load, None

    return read


def _handle(pynvml: Any, index: int) -> Any:
    """Return NVML's handle of torch's GPU ``index``: CUDA_VISIBLE_DEVICES renumbers GPUs for torch, not for NVML."""
    import torch

    try:
        uuid = str(torch.cuda.get_device_properties(index).uuid)
        return pynvml.nvmlDeviceGetHandleByUUID((uuid if uuid.startswith("GPU-") else f"GPU-{uuid}").encode())
    except (AttributeError, RuntimeError, pynvml.NVMLError):
        return pynvml.nvmlDeviceGetHandleByIndex(index)
