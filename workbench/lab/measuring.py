"""The loading lab: measure ways to load a model against states of the network, each in a fresh process.

Repeats the measurement with which this project began (SWivid/F5-TTS#75): 169 characters took more than two minutes
while the vocoder was loaded inside the loop over chunks and the Hub did not answer, and 25 s when it was loaded once.
Uses the real client, a real cache, a server on loopback, and the library's own time-outs.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.engine.errors import LabError, SettingsError
from workbench.engine.settings import LabLoadSettings
from workbench.engine.speech.text import check_text
from workbench.lab.strategies import BUG, OURS, STRATEGIES
from workbench.lab.text_169 import TEXT_169, TEXT_169_CHUNK_BYTES

_ROOT = str(Path(__file__).resolve().parents[2])  # so that cells find the package from any folder
DEFAULT_TIMEOUT_SECONDS = 10  # of huggingface_hub, for the request whether a cached file is still the newest
# figures reported in the issue
SOURCE = {
    "url": "https://github.com/SWivid/F5-TTS/issues/75", "characters": 169, "gpu": "RTX 2080 Ti",
    "bug_seconds": 120.0, "fixed_seconds": 25.0, "ratio": 4.8, "words": "more than 2 minutes, 25 s after the fix",
}  # fmt: skip
NETWORKS = {
    "answering": "The Hub answers at once.",
    "slow": "The Hub answers after a quarter of the time-out.",
    "refusing": "The connection is refused at once.",
    "blackhole": "The server accepts the connection and never answers, as a firewall or a dead proxy does.",
    "offline": "HF_HUB_OFFLINE=1 in the environment, and a black hole.",
    "local-files": "local_files_only=True in every call of hf_hub_download, and a black hole.",
}


@dataclass(frozen=True)
class LabPlan:
    """The cells to measure and their settings.

    Attributes:
        strategies: names of ``STRATEGIES``.
        networks: names of ``NETWORKS``.
        text: spoken in every cell.
        model: name in the catalogue. Random weights replace a released model that is not on this machine.
        timeout_seconds: time-out of the Hub's client, whole seconds as huggingface_hub requires. Its default is 10; use
            1 or 2 in class.
        runs: how often the text is spoken in one cell.
        nfe_step: ODE steps; 5 is the smallest pruned grid, so that speaking is short beside the waiting.
        max_chunk_bytes: largest chunk.
        load: how every strategy builds its models.
        limit_seconds: a cell that takes longer is stopped.
        log_json: log of the cells as JSON lines.
    """

    strategies: Sequence[str] = (BUG, OURS)
    networks: Sequence[str] = ("blackhole",)
    text: str = TEXT_169
    model: str = "demo-voice"
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    runs: int = 1
    nfe_step: int = 5
    max_chunk_bytes: int = TEXT_169_CHUNK_BYTES
    load: LabLoadSettings = LabLoadSettings()
    limit_seconds: float = 900.0
    log_json: bool = False

    def __post_init__(self) -> None:
        for kind, chosen, known in (
            ("strategy", self.strategies, STRATEGIES),
            ("network", self.networks, NETWORKS),
        ):
            unknown = [name for name in chosen if name not in known]
            if unknown or not chosen:
                raise SettingsError(f"There is no {kind} {unknown[0] if unknown else ''!r}.",
                                    remedy=f"Choose from {', '.join(known)}.")  # fmt: skip
        if self.timeout_seconds != int(self.timeout_seconds) or not 1 <= self.timeout_seconds <= 60:
            raise SettingsError(f"The time-out is {self.timeout_seconds} s.", remedy="Choose whole seconds, 1 to 60.")
        if not 1 <= self.runs <= 20:
            raise SettingsError(f"The number of runs is {self.runs}.", remedy="Choose 1 to 20.")
        if not 1 <= self.limit_seconds <= 7200:
            raise SettingsError(f"The limit is {self.limit_seconds} s.", remedy="Choose 1 to 7200 s.")
        check_text(self.text)

    @property
    def cells(self) -> list[dict[str, str]]:
        """Strategy and network of each cell, in the order of the measurement."""
        return [
            {"strategy": s, "network": n} for n in dict.fromkeys(self.networks) for s in dict.fromkeys(self.strategies)
        ]

    @property
    def delay_seconds(self) -> float:
        """Delay of the slow Hub's answers."""
        return self.timeout_seconds / 4

    def order(self) -> dict[str, Any]:
        """The order for the keeper. Raises SettingsError or ModelError for invalid values."""
        from workbench.engine.catalog import get_model
        from workbench.engine.settings import SynthesisSettings

        settings = SynthesisSettings(nfe_step=self.nfe_step, max_chunk_bytes=self.max_chunk_bytes)
        return {
            "cells": self.cells, "model": get_model(self.model).name, "text": self.text, "runs": self.runs,
            "settings": settings.as_dict(), "load": self.load.as_dict(), "timeout_seconds": int(self.timeout_seconds),
            "delay_seconds": self.delay_seconds, "limit_seconds": self.limit_seconds, "log_json": self.log_json,
        }  # fmt: skip


def predict(strategy: str, n_chunks: int, timeout_seconds: float, runs: int = 1) -> tuple[int, float]:
    """(requests, seconds lost) of ``strategy`` with a black hole: each request costs one time-out.

    A cached file of the revision "main" costs one request. The vocoder has two files, the acoustic model one.
    """
    requests = {BUG: 2 * n_chunks * runs, "reload-per-run": 3 * runs, "lazy-first-use": 3, "load-once-hub": 3, OURS: 0}
    return requests[strategy], requests[strategy] * timeout_seconds


@dataclass
class LabState:
    """Progress of a measurement. Written by the thread that runs it, read by pages.

    Attributes:
        doing: current activity, as a phrase.
        cells: reports of the finished cells.
        spans: finished spans of the current cell.
        current: strategy and network of the current cell; None between cells.
        open: unfinished span of the current cell: name, start in seconds, and ``time.monotonic`` when it was reported.
        prepared: contents of the cells' cache.
        folder: temporary folder of the lab.
        error: (what, remedy) after a failure.
        done: whether all cells were measured.
    """

    doing: str = "starting"
    cells: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    current: dict[str, str] | None = None
    open: tuple[str, float, float] | None = None
    prepared: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    error: tuple[str, str] | None = None
    done: bool = False

    def take(self, event: dict[str, Any]) -> None:
        """Update the state from one event of the keeper."""
        kind = event["event"]
        if kind == "began":
            self.folder = event["folder"]
        elif kind == "preparing":
            self.doing = f"filling the cache with {event['model']}"
        elif kind == "prepared":
            self.prepared = {k: v for k, v in event.items() if k != "event"}
        elif kind == "cell began":
            self.current, self.spans = {"strategy": event["strategy"], "network": event["network"]}, []
            self.open = None
            self.doing = "starting a fresh process"
        elif kind == "doing":
            self.doing = event["name"]
            self.open = (event["name"], event["at_seconds"], time.monotonic())
        elif kind == "span":
            self.spans, self.open = [*self.spans, event], None
        elif kind == "cell":
            self.cells = [*self.cells, event["cell"]]
            self.current, self.spans = None, []
        elif kind == "error":
            self.error = (event["what"], event["remedy"])
        elif kind == "done":
            self.done = True


def run(
    plan: LabPlan,
    *,
    state: LabState | None = None,
    check: Callable[[], None] | None = None,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure every cell of ``plan``, one after the other, and return the document.

    Args:
        plan: the cells to measure.
        state: updated during the measurement.
        check: called several times a second; raise ``errors.Cancelled`` from it to stop at once.
        on_event: called with every event.

    Returns:
        The document of ``document``: cells, ratio (total time of the bug over ours), ratios by network, settings.

    Raises:
        LabError: the lab could not be set up, or its keeper was killed.
    """
    state = state or LabState()
    events: queue.Queue[dict[str, Any] | None] = queue.Queue()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "workbench.lab.keeper", json.dumps(plan.order())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))},
    )  # fmt: skip
    reader = threading.Thread(target=_read, args=(keeper, events), name="lab", daemon=True)
    reader.start()
    try:
        while (event := _next(events, check)) is not None:
            state.take(event)
            if on_event:
                on_event(event)
    finally:
        _end(keeper, reader, state)
    if state.error:
        raise LabError(state.error[0], remedy=state.error[1])
    if not state.done:
        raise LabError("The lab's keeper process was killed.", remedy="Run it again.")
    return document(plan, state)


def _read(keeper: subprocess.Popen[str], events: queue.Queue[dict[str, Any] | None]) -> None:
    for line in keeper.stdout or ():
        events.put(json.loads(line))
    events.put(None)


def _next(events: queue.Queue[dict[str, Any] | None], check: Callable[[], None] | None) -> dict[str, Any] | None:
    while True:
        if check:
            check()
        try:
            return events.get(timeout=0.2)
        except queue.Empty:
            continue


def _end(keeper: subprocess.Popen[str], reader: threading.Thread, state: LabState) -> None:
    """Let the keeper remove its folder and end; remove the folder here if the keeper is dead."""
    assert keeper.stdin is not None and keeper.stdout is not None
    keeper.stdin.close()
    try:
        keeper.wait(15)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    reader.join(2)
    keeper.stdout.close()
    if state.folder:
        shutil.rmtree(state.folder, ignore_errors=True)


def document(plan: LabPlan, state: LabState) -> dict[str, Any]:
    """The JSON document of ``workbench lab loading``."""
    ratios = {network: ratio(state.cells, network) for network in dict.fromkeys(plan.networks)}
    known = [ratios[n] for n in ("blackhole", *ratios) if ratios.get(n) is not None]
    return {
        "text_chars": len(plan.text), "n_chunks": max((c.get("n_chunks", 0) for c in state.cells), default=0),
        "text": plan.text, "model": plan.model, "random_weights": state.prepared.get("random_weights"),
        "weights_bytes": state.prepared.get("weights_bytes"), "timeout_seconds": plan.timeout_seconds,
        "runs": plan.runs, "nfe_step": plan.nfe_step, "cells": state.cells, "ratio": known[0] if known else None,
        "ratios": ratios, "run_ratios": {n: ratio(state.cells, n, "run_seconds") for n in ratios}, "source": SOURCE,
    }  # fmt: skip


def ratio(cells: Sequence[dict[str, Any]], network: str, of: str = "total_seconds") -> float | None:
    """Time of the bug over ours in ``network``; None if one of the two cells is not finished.

    Args:
        cells: measured cells.
        network: one of ``NETWORKS``.
        of: "total_seconds", the whole process; or "run_seconds", from the request to the sound in a running app, which
            the issue reports.
    """
    own = [c for c in cells if c["network"] == network and c["state"] == "finished"]
    seconds = {c["strategy"]: sum(c[of]) if isinstance(c[of], list) else c[of] for c in own}
    return seconds[BUG] / seconds[OURS] if BUG in seconds and OURS in seconds else None
