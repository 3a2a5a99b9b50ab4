"""How long each ODE step took: by the clock, or by events on the device that nobody waits for until all is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class StepClock:
    """Times blocks by ``clock``, which waits for the device before each reading if that works asynchronously.

    Attributes:
        ahead: how many blocks should be begun before an earlier one is waited for.
    """

    ahead = 0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = 0.0
        self._seconds: list[float] = []

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *ignored: object) -> None:
        self._seconds.append(self._clock() - self._began)

    def wait(self, block: int) -> None:
        """Return when ``block``, a number from 0, is done: now."""

    def seconds(self) -> tuple[float, ...]:
        """Seconds of each block."""
        return tuple(self._seconds)


class StepEvents:
    """Times blocks by CUDA events, so that the steps are queued one behind the other; waits once, at the end.

    Who wants to know when a block is done asks for it one block later: the device has work meanwhile.

    Args:
        device: the CUDA device on which the blocks run.
        event: makes an event; tests put their own here.

    Attributes:
        ahead: as in ``StepClock``.
    """

    ahead = 1

    def __init__(self, device: torch.device, event: Callable[[], Any] | None = None) -> None:
        self._device = device
        self._event = event or (lambda: torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        self._events: list[tuple[Any, Any]] = []

    def __enter__(self) -> None:
        self._events.append((self._recorded(), None))

    def __exit__(self, *ignored: object) -> None:
        self._events[-1] = (self._events[-1][0], self._recorded())

    def wait(self, block: int) -> None:
        """Return when ``block``, a number from 0, is done."""
        self._events[block][1].synchronize()

    def _recorded(self) -> Any:
        event = self._event()
        event.record(torch.cuda.current_stream(self._device) if self._device.type == "cuda" else None)
        return event

    def seconds(self) -> tuple[float, ...]:
        """Seconds of each block. Waits for the last."""
        if self._events:
            self._events[-1][1].synchronize()
        return tuple(began.elapsed_time(ended) / 1e3 for began, ended in self._events)
