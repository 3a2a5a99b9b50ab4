"""Measure the libraries in a cell: HTTP requests, files found, weights read, models built.

Wraps four of their functions with a clock and a log and does not change what they do.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workbench.engine.logs import pairs
from workbench.engine.timing import Span, Timeline

log = logging.getLogger("workbench.lab")


@dataclass
class LiveTimeline(Timeline):
    """A timeline that reports the begin and the end of spans to ``say``."""

    say: Callable[[dict[str, Any]], None] = lambda event: None

    def add(self, name: str, start_seconds: float, seconds: float, chunk_index: int | None = None) -> Span:
        """As ``Timeline.add``; reports the span to ``say`` unless it is a single ODE step."""
        span = super().add(name, start_seconds, seconds, chunk_index)
        if name != "ode.step":
            self.say({"event": "span", **span.as_dict()})
        return span

    @contextmanager
    def span(self, name: str, chunk_index: int | None = None) -> Iterator[None]:
        """As ``Timeline.span``; also reports the begin."""
        self.say({"event": "doing", "name": name, "at_seconds": self.now()})
        with super().span(name, chunk_index):
            yield

    @contextmanager
    def filled(self, name: str, until: float | None = None) -> Iterator[None]:
        """Add spans called ``name`` for all time in the block that no other span covers."""
        at = self.now()
        yield
        ended = self.now()
        for span in top_level(self.spans):
            if at < span.start_seconds < ended:
                self.add(name, at, span.start_seconds - at)
            at = max(at, min(span.end_seconds, ended))
        self.add(name, at, ended - at)


def top_level(spans: tuple[Span, ...]) -> list[Span]:
    """``spans`` ordered by start, without those inside another one, such as the steps of an ODE."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start_seconds, -s.seconds)):
        if not kept or span.start_seconds >= kept[-1].end_seconds - 1e-6:
            kept.append(span)
    return kept


@dataclass
class Probe:
    """Counts of one cell.

    Attributes:
        timeline: receives the spans.
        requests: number of attempted HTTP requests.
        timeouts: requests that ended in a time-out.
        wait_seconds: time spent in requests.
        vocoder_loads: calls of ``Vocos.from_pretrained``.
        bytes_read: bytes of weights.
        attempts: one entry for each request: method, path, outcome, seconds.
    """

    timeline: LiveTimeline
    requests: int = 0
    timeouts: int = 0
    wait_seconds: float = 0.0
    vocoder_loads: int = 0
    bytes_read: int = 0
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def install(self, *, local_files_only: bool) -> None:
        """Put clocks around httpx, ``hf_hub_download`` and ``Vocos.from_pretrained`` of this process.

        Args:
            local_files_only: pass this argument to every ``hf_hub_download``, also to those inside vocos, whose
                ``from_pretrained`` has no such argument.
        """
        import httpx
        import huggingface_hub
        import torch
        import vocos.pretrained

        request = self._request(httpx.HTTPTransport.handle_request, httpx.TimeoutException)
        httpx.HTTPTransport.handle_request = request  # type: ignore[method-assign]
        download = self._download(huggingface_hub.hf_hub_download, local_files_only)
        huggingface_hub.hf_hub_download = vocos.pretrained.hf_hub_download = download
        vocos.pretrained.torch = _Torch(torch, self._read(torch.load))
        vocos.Vocos.from_pretrained = classmethod(self._pretrained(vocos.Vocos.from_pretrained.__func__))

    def _request(self, original: Any, timed_out: type[Exception]) -> Any:
        @functools.wraps(original)
        def handle_request(transport: Any, request: Any) -> Any:
            began, outcome = time.perf_counter(), "failed"
            try:
                response = original(transport, request)
                outcome = str(response.status_code)
                return response
            except timed_out:
                self.timeouts += 1
                outcome = "timeout"
                raise
            except Exception as error:
                outcome = type(error).__name__
                raise
            finally:
                seconds = time.perf_counter() - began
                self.requests += 1
                self.wait_seconds += seconds
                self.attempts.append({"method": request.method, "path": request.url.path, "outcome": outcome,
                                      "seconds": seconds})  # fmt: skip
                told = {"method": request.method, "host": request.url.netloc.decode(), "path": request.url.path}
                log.info("network attempt", extra=pairs(**told, outcome=outcome, took=seconds))

        return handle_request

    def _download(self, original: Any, local_files_only: bool) -> Any:
        more = {"local_files_only": True} if local_files_only else {}

        @functools.wraps(original)
        def hf_hub_download(*args: Any, **kwargs: Any) -> Any:
            before, began = self.requests, time.perf_counter()
            with self.timeline.span("resolve"):
                path = original(*args, **kwargs, **more)
            named = dict(zip(("repo_id", "filename"), args, strict=False)) | kwargs
            told = {"repo": named["repo_id"], "file": named["filename"], "network_attempts": self.requests - before}
            log.info("cache hit", extra=pairs(**told, took=time.perf_counter() - began))
            return path

        return hf_hub_download

    def _read(self, original: Any) -> Any:
        @functools.wraps(original)
        def load(path: Any, *args: Any, **kwargs: Any) -> Any:
            with self.timeline.span("read_weights"):
                self.bytes_read += os.path.getsize(path)
                return original(path, *args, **kwargs)

        return load

    def _pretrained(self, original: Any) -> Any:
        @functools.wraps(original)
        def from_pretrained(cls: type, *args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            self.vocoder_loads += 1
            with self.timeline.filled("build"):
                vocoder = original(cls, *args, **kwargs)
            log.info("vocoder loaded", extra=pairs(times=self.vocoder_loads, took=time.perf_counter() - began))
            return vocoder

        return from_pretrained


class _Torch:
    """The module torch with another ``load``, for use in one module only."""

    def __init__(self, torch: Any, load: Any) -> None:
        self._torch, self.load = torch, load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)
