"""Functions recorded as CUDA graphs, the latest kept: one launch instead of a thousand."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch

log = logging.getLogger("workbench.backends")

GRAPHS_KEPT = 16
MAX_BYTES = 512 * 2**20  # of all graphs together; at full size one takes 14 MB
Function = Callable[[], torch.Tensor]


class Recorder(Protocol):
    """Records a function that reads and writes the same memory in each call."""

    def __call__(self, function: Function) -> tuple[Callable[[], None], torch.Tensor, int]:
        """What replays it, the tensor into which it then writes, and the bytes that it keeps on the device."""


@dataclass(frozen=True)
class Recorded:
    """A recorded function.

    Attributes:
        inputs: the tensors it reads; write into them before ``replay``.
        replay: run it.
        output: what it writes; the next replay overwrites it.
        n_bytes: what it keeps on the device.
    """

    inputs: Any
    replay: Callable[[], None]
    output: torch.Tensor
    n_bytes: int


class Graphs:
    """Recorded functions by key; the one that was not used for longest goes first. Used by one thread at a time.

    Args:
        record: records one.
        kept: how many stay.
        max_bytes: how much they may keep together.
    """

    def __init__(self, record: Recorder, kept: int = GRAPHS_KEPT, max_bytes: int = MAX_BYTES) -> None:
        self._record, self._kept, self._max_bytes = record, kept, max_bytes
        self._graphs: OrderedDict[Hashable, Recorded] = OrderedDict()
        self.failure = ""

    def __len__(self) -> int:
        return len(self._graphs)

    def recorded(
        self,
        key: Hashable,
        make: Callable[[], tuple[Any, Function]],
        noting: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    ) -> Recorded | None:
        """The function of ``key``; None where none can be recorded here, which a warning has told once.

        A failed recording leaves PyTorch's generators and its compiler in disorder, so after the first no other is
        tried in this engine.

        Args:
            key: all on which the recorded operations depend.
            make: called where it is not there: its inputs, and the function that reads them.
            noting: a block of the name it is called with is the recording, if there is one.
        """
        if self.failure:
            return None
        if key not in self._graphs:
            try:
                with noting("capture"):
                    inputs, function = make()
                    self._graphs[key] = Recorded(inputs, *self._record(function))
            except RuntimeError as error:
                self.failure = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                self._graphs.clear()
                log.warning("no CUDA graph could be recorded, going on without: %s", self.failure)
                return None
            self._shed()
        self._graphs.move_to_end(key)
        return self._graphs[key]

    def _shed(self) -> None:
        """Let the oldest go, but never the newest."""
        while len(self._graphs) > 1 and (
            len(self._graphs) > self._kept or sum(g.n_bytes for g in self._graphs.values()) > self._max_bytes
        ):
            self._graphs.popitem(last=False)


class CudaRecorder:
    """Records on a stream and into a memory pool of its own.

    A pool dies with its last graph, and recording into a dead one fails; so the first graph, an empty one, is kept. The
    bare calls take 8 ms where ``torch.cuda.graph`` takes 19, which empties PyTorch's cache of memory.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._anchor: Any = None

    def __call__(self, function: Function) -> tuple[Callable[[], None], torch.Tensor, int]:
        """See ``Recorder``. Calls ``function`` once before: what it compiles and sets up must not be recorded."""
        with torch.cuda.device(self._device):
            if self._anchor is None:
                self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
                self._anchor, _, _ = self._recorded(lambda: torch.zeros(1, device=self._device), None)
            graph, output, n_bytes = self._recorded(function, self._anchor.pool())
        return graph.replay, output, n_bytes

    def _recorded(self, function: Function, pool: Any) -> tuple[Any, torch.Tensor, int]:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            function()
            self._stream.synchronize()
            before = torch.cuda.memory_reserved()
            graph = torch.cuda.CUDAGraph()
            # thread_local: other threads may allocate and copy meanwhile
            graph.capture_begin(pool, capture_error_mode="thread_local")
            try:
                output = function()
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(self._stream)
        return graph, output, torch.cuda.memory_reserved() - before
