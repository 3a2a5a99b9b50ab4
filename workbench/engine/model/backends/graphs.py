"""Functions recorded as CUDA graphs, the latest kept: one launch instead of a thousand."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from workbench.engine.model.capturing import COMPILING, RECORDING

log = logging.getLogger("workbench.backends")

GRAPHS_KEPT = 48  # a step, a text and a vocoder of 16 lengths
MAX_BYTES = 512 * 2**20  # of all graphs together; at full size one takes 14 MB
Function = Callable[[], torch.Tensor]
Noting = Callable[[str], AbstractContextManager[None]]
"""A block of the name that it is called with is a preparation, which the next chunk like this is spared."""


def unnoted(name: str) -> AbstractContextManager[None]:
    """Note nothing."""
    return nullcontext()


def first_line(error: BaseException) -> str:
    """The kind of ``error``, and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


class Recorder(Protocol):
    """Records a function that reads and writes the same memory in each call."""

    def __call__(self, function: Function, tried: bool = False) -> tuple[Callable[[], None], torch.Tensor, int]:
        """What replays it, the tensor into which it then writes, and the bytes that it keeps on the device.

        ``tried``: nothing that ``function`` calls is left to compile or set up; it need not be called before.
        """


@dataclass(frozen=True)
class Recorded:
    """A recorded function.

    Attributes:
        inputs: the tensors it reads; write into them before ``replay``.
        replay: run it.
        output: what it writes; the next replay overwrites it.
        n_bytes: what it keeps on the device, its inputs included.
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
        self, key: Hashable, make: Callable[[], tuple[Any, Function]], noting: Noting = unnoted, tried: bool = False
    ) -> Recorded | None:
        """The function of ``key``; None where none can be recorded here, which a warning has told once.

        A failed recording leaves PyTorch's generators and its compiler in disorder, so after the first no other is
        tried, and those of other engines are not replayed any more.

        Args:
            key: all on which the recorded operations depend.
            make: called where it is not there: its inputs, and the function that reads them.
            noting: receives "capture", if there is a recording.
            tried: as in ``Recorder``.
        """
        if not self.failure and (elsewhere := getattr(self._record, "broken", "")):
            self._give_up(elsewhere)
        if self.failure:
            return None
        if key not in self._graphs:
            try:
                with noting("capture"):
                    inputs, function = make()
                    replay, output, n_bytes = self._record(function, tried)
            except Exception as error:  # whatever it is: without a graph it is raised again, with its traceback
                self._give_up(first_line(error))
                return None
            self._graphs[key] = Recorded(inputs, replay, output, n_bytes + _bytes_of(inputs))
            self._shed()
        self._graphs.move_to_end(key)
        return self._graphs[key]

    def computed(
        self, key: Hashable, inputs: tuple[torch.Tensor, ...], function: Callable[..., torch.Tensor], noting: Noting
    ) -> torch.Tensor | None:
        """``function(*inputs)`` by a recorded graph, valid until the next call with this ``key``; None as ``recorded``.

        Args:
            key: all on which the operations of ``function`` depend, shapes included.
            inputs: kept and overwritten if the graph is new.
            function: reads nothing else that changes.
            noting: as in ``recorded``.
        """
        found = self.recorded(key, lambda: (inputs, lambda: function(*inputs)), noting)
        if found is None:
            return None
        if found.inputs is not inputs:
            for kept, value in zip(found.inputs, inputs, strict=True):
                kept.copy_(value)
        found.replay()
        return found.output

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._graphs.clear()
        log.warning("no CUDA graph could be recorded, going on without: %s", why)

    def _shed(self) -> None:
        """Let the oldest go, but never the newest."""
        while len(self._graphs) > 1 and (
            len(self._graphs) > self._kept or sum(g.n_bytes for g in self._graphs.values()) > self._max_bytes
        ):
            self._graphs.popitem(last=False)


def _bytes_of(inputs: Any) -> int:
    """Bytes of the tensors in ``inputs``, a tensor or nested tuples of them."""
    if isinstance(inputs, torch.Tensor):
        return inputs.nbytes
    return sum(map(_bytes_of, inputs)) if isinstance(inputs, tuple) else 0


class CudaRecorder:
    """Records on a stream and into a memory pool of its own.

    A pool dies with its last graph, and recording into a dead one fails; so the first graph, an empty one, is kept. The
    bare calls take 8 ms where ``torch.cuda.graph`` takes 19, which empties PyTorch's cache of memory.

    Attributes:
        broken: why a recording failed in this process, or "": then no graph can be trusted any more.
    """

    broken = ""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._stream: Any = None
        self._anchor: Any = None
        self._pool_bytes = 0

    def __call__(self, function: Function, tried: bool = False) -> tuple[Callable[[], None], torch.Tensor, int]:
        """See ``Recorder``. What ``function`` compiles and sets up in a first call must not be recorded."""
        with COMPILING, torch.cuda.device(self._device):
            if self._stream is None:
                self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            if self._pool_bytes > MAX_BYTES:  # a pool never shrinks; this one goes with the last graph in it
                self._anchor, self._pool_bytes = None, 0
                with RECORDING:
                    torch.cuda.empty_cache()  # frees the pool before it, if its graphs have gone
            if self._anchor is None:
                self._anchor, _, _ = self._recorded(lambda: torch.zeros(1, device=self._device), None, False)
            graph, output, n_bytes = self._recorded(function, self._anchor.pool(), tried)
            self._pool_bytes += n_bytes
        return graph.replay, output, n_bytes

    def _recorded(self, function: Function, pool: Any, tried: bool) -> tuple[Any, torch.Tensor, int]:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            if not tried:
                function()
                self._stream.synchronize()
            with RECORDING:
                before = torch.cuda.memory_reserved()
                graph, output = self._captured(function, pool, tried)
                n_bytes = max(0, torch.cuda.memory_reserved() - before)
        torch.cuda.current_stream().wait_stream(self._stream)
        return graph, output, n_bytes

    def _captured(self, function: Function, pool: Any, tried: bool) -> tuple[Any, torch.Tensor]:
        graph = torch.cuda.CUDAGraph()
        try:
            # in both modes other threads may allocate and copy meanwhile; at another length a library takes other
            # kernels, which this thread may load only where it is relaxed
            graph.capture_begin(pool, capture_error_mode="relaxed" if tried else "thread_local")
            try:
                output = function()
            except BaseException:
                with suppress(RuntimeError):  # the end of a broken recording is another error, which says less
                    graph.capture_end()
                raise
            graph.capture_end()
        except BaseException as error:
            CudaRecorder.broken = first_line(error)
            raise
        return graph, output
