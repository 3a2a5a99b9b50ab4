"""Two threads and one cached text: the fault of upstream 1.1.18 on the real classes, and why one lock is enough.

The backbone embeds a text once and keeps it for all steps of the ODE. In 1.1.18 (24 March 2026, commit 1a63dda) the
chunks of a text ran in parallel for the first time, but the embedding was still an attribute of the shared model: the
second chunk found the first one's text in the cache. With different lengths the tensors did not fit ("Can't generate
anything if text is longer than one batch", SWivid/F5-TTS#1287); with the same length the second chunk spoke the words
of the first. 1.1.19 gave each thread its own cache.

Events synchronise the threads, so the fault happens every time.
"""

from __future__ import annotations

import dataclasses
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch

from workbench.engine import cache
from workbench.engine.catalog import DEMO_VOICE, get_model
from workbench.engine.logs import pairs
from workbench.engine.model.loading import load_acoustic
from workbench.engine.timing import Timeline

log = logging.getLogger("workbench.lab")
WAIT_SECONDS = 120.0  # longest wait of a thread for the other
STEPS = 2
_FRAMES = 40  # of reference


@dataclass(frozen=True)
class Case:
    """Result of two chunks in two threads.

    Attributes:
        name: "other-length", "same-length", "thread-local" or "lock".
        title: description.
        first, second: result of each thread's chunk: "right", "the other's words", "something else" or the error.
        seconds: from the start of the threads until both have ended.
    """

    name: str
    title: str
    first: str
    second: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether both threads spoke their own words."""
        return self.first == self.second == "right"

    def as_dict(self) -> dict[str, str | float]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Chunk:
    text: str
    frames: int
    seed: int


_FIRST = _Chunk("I do not really care what you call me.", 120, 1)
_SECOND = _Chunk("Empires rise and fall, and I remember.", 120, 2)
_LONGER = _Chunk("But always remember, I am mighty and enduring.", 150, 3)


def shared_cache(backbone: type) -> type:
    """``backbone`` (upstream's DiT or UNetT, 1.1.22) with the text cache of 1.1.18.

    1.1.18 set ``self.text_cond, self.text_uncond = None, None`` in ``__init__``, one cache a model. Later versions have
    properties that read a ``threading.local``. A class attribute hides the properties, and an assignment then sets
    an attribute of the instance, as in 1.1.18.
    """
    return type(f"{backbone.__name__}_1_1_18", (backbone,), {"text_cond": None, "text_uncond": None})


@contextmanager
def as_in_1_1_18(cfm: Any) -> Iterator[None]:
    """``cfm`` with the shared cache while the block runs."""
    transformer, modern = cfm.transformer, type(cfm.transformer)
    transformer.__class__ = shared_cache(modern)
    try:
        yield
    finally:
        transformer.clear_cache()
        transformer.__class__ = modern


def sample(cfm: Any, chunk: _Chunk) -> torch.Tensor:
    """Upstream's own ``CFM.sample``: the mel [1, frames, n_mels] of ``chunk`` after a silent reference."""
    n_mels = cfm.num_channels
    cond = torch.zeros(1, _FRAMES, n_mels, device=cfm.device)
    with torch.inference_mode():
        made = cfm.sample(cond, [list(chunk.text)], chunk.frames, steps=STEPS, cfg_strength=2.0, seed=chunk.seed)
    mel: torch.Tensor = made[0]
    return mel


class _Meeting:
    """Stops the first thread after its first ODE step until ``go_on``; the second thread begins meanwhile."""

    def __init__(self, cfm: Any) -> None:
        self.has_text, self.go_on = threading.Event(), threading.Event()
        self.first: threading.Thread | None = None
        self._hook = cfm.transformer.register_forward_hook(self._after_step)

    def _after_step(self, module: Any, given: Any, result: Any) -> None:
        if threading.current_thread() is self.first and not self.has_text.is_set():
            self.has_text.set()  # its text is now in the cache
            self.go_on.wait(WAIT_SECONDS)

    def close(self) -> None:
        self._hook.remove()


def _fate(mel: torch.Tensor | Exception, own: torch.Tensor, others: torch.Tensor | None) -> str:
    if isinstance(mel, Exception):
        return f"{type(mel).__name__}: {str(mel).splitlines()[0]}"
    if torch.equal(mel, own):
        return "right"
    return "the other's words" if others is not None and torch.equal(mel, others) else "something else"


def two_threads(cfm: Any, first: _Chunk, second: _Chunk, lock: Any = None) -> tuple[list[Any], float]:
    """Sample both chunks, the second one while the first is in the middle of its ODE.

    Args:
        cfm: the one model.
        first: its thread has embedded its text and done one step when the second begins.
        second: without a lock, the first continues when this has ended; with a lock, when this waits for it.
        lock: held around each ``sample``, if given.

    Returns:
        Mel or exception of each thread, and the seconds of both.
    """
    meeting = _Meeting(cfm)
    results: list[Any] = [None, None]

    def at_work(index: int, chunk: _Chunk) -> None:
        try:
            with lock or nullcontext():
                results[index] = sample(cfm, chunk)
        except RuntimeError as error:
            results[index] = error
        finally:
            meeting.has_text.set()

    def second_at_work() -> None:
        meeting.has_text.wait(WAIT_SECONDS)
        if lock is not None:
            meeting.go_on.set()  # it will now wait for the lock, which the first thread holds
        at_work(1, second)
        meeting.go_on.set()

    began = time.perf_counter()
    meeting.first = threading.Thread(target=at_work, args=(0, first), name="first")
    other = threading.Thread(target=second_at_work, name="second")
    for thread in (meeting.first, other):
        thread.start()
    for thread in (meeting.first, other):
        thread.join(WAIT_SECONDS)
    meeting.close()
    return results, time.perf_counter() - began


def _case(name: str, title: str, cfm: Any, second: _Chunk, lock: Any = None, shared: bool = True) -> Case:
    """Sample both chunks alone, as the reference, and then in two threads."""
    alone = [sample(cfm, chunk) for chunk in (_FIRST, second)]
    wrong = sample(cfm, _Chunk(_FIRST.text, second.frames, second.seed))
    with as_in_1_1_18(cfm) if shared else nullcontext():
        (first_mel, second_mel), seconds = two_threads(cfm, _FIRST, second, lock)
    others_text = sample(cfm, _Chunk(second.text, _FIRST.frames, _FIRST.seed))
    case = Case(name, title, _fate(first_mel, alone[0], others_text), _fate(second_mel, alone[1], wrong), seconds)
    log.info("two threads", extra=pairs(case=name, first=case.first, second=case.second, took=seconds))
    return case


def lesson(cfm: Any = None) -> list[Case]:
    """The four cases, each on the same model and words.

    Args:
        cfm: upstream's CFM; None: the demo voice's.

    Returns:
        Four cases: shared cache with chunks of different length (an error) and of the same length (the wrong words),
        one cache for each thread (right), and the shared cache with one lock (right).

    One lock is enough because a single chunk's ODE keeps the device busy, so two at once gain little; ``lock_cost``
    measures it.
    """
    cfm = cfm or demo_cfm()
    return [
        _case("other-length", "shared cache, chunks of different length", cfm, _LONGER),
        _case("same-length", "shared cache, chunks of the same length", cfm, _SECOND),
        _case("thread-local", "one cache for each thread (1.1.19 and later)", cfm, _SECOND, shared=False),
        _case("lock", "shared cache, one lock around each chunk (ours)", cfm, _SECOND, threading.Lock()),
    ]


def lock_cost(cfm: Any = None, rounds: int = 3) -> dict[str, float]:
    """Seconds for two chunks in two threads, the median of ``rounds``, measured alternately after a warm-up round.

    ``parallel_seconds``: a cache for each thread and no lock; ``lock_seconds``: one lock.
    """
    cfm = cfm or demo_cfm()
    seconds: dict[str, list[float]] = {"parallel_seconds": [], "lock_seconds": []}
    for counted in range(-1, rounds):
        for name, lock in (("parallel_seconds", nullcontext()), ("lock_seconds", threading.Lock())):
            took = _both(cfm, lock)
            if counted >= 0:
                seconds[name].append(took)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _both(cfm: Any, lock: Any) -> float:
    def at_work(chunk: _Chunk) -> None:
        with lock:
            sample(cfm, chunk)

    threads = [threading.Thread(target=at_work, args=(chunk,)) for chunk in (_FIRST, _SECOND)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    return time.perf_counter() - began


def demo_cfm() -> Any:
    """The demo voice's acoustic model, loaded only for this lesson, which changes its class."""
    spec = get_model(DEMO_VOICE)
    # another name, so that it is not counted as a second load of the engine's model
    return load_acoustic(dataclasses.replace(spec, name="two-threads"), cache.resolve(spec), Timeline())[0]


def code(*functions: Callable[..., Any]) -> str:
    """Source code of ``functions``, for pages and notebooks."""
    import inspect

    return "\n\n".join(inspect.getsource(function).rstrip() for function in functions)
