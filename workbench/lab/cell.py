"""One cell of the lab: one strategy and one network in a fresh process. ``python -m workbench.lab.cell JSON``.

Writes one JSON document a line to standard output: spans that begin, spans that have ended, and the report. The process
ends when its standard input is closed, that is, when the process that started it has ended.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.engine import logs
from workbench.engine.errors import WorkbenchError
from workbench.engine.logs import pairs
from workbench.engine.monitor import Monitor
from workbench.engine.timing import Span
from workbench.lab.probe import LiveTimeline, Probe, top_level

IDLE_PERCENT = 5.0  # of one core; below this the process counts as waiting
MAX_SAMPLES = 400
log = logging.getLogger("workbench.lab")


class Workload:
    """What a strategy uses: the chunks of the text, the voice, and the measured steps of a run.

    Args:
        order: model, text, settings of synthesis and of loading, sent by ``keeper``.
        probe: counts the calls of the libraries.
    """

    def __init__(self, order: dict[str, Any], probe: Probe) -> None:
        from workbench.engine import cache
        from workbench.engine.catalog import get_model
        from workbench.engine.model.devices import choose_device, waiting_for
        from workbench.engine.rules import WINDOW_FRAMES
        from workbench.engine.settings import LoadSettings, SynthesisSettings
        from workbench.engine.speech.text import number_languages
        from workbench.engine.speech.voices import load_voice
        from workbench.engine.text.preparing import prepare

        self.model, self.repo, self.weights = order["model"], order["repo"], order["weights"]
        self.text, self.n_runs = order["text"], order["runs"]
        self.settings = SynthesisSettings(**order["settings"])
        self.probe, self.timeline = probe, probe.timeline
        self.spec = get_model(self.model)
        self.load: LoadSettings = LoadSettings.from_dict(order["load"])
        self.device = choose_device(self.load.device)
        # calls return early on a GPU: without waiting, the time would go to the wrong stage
        self.timeline.synchronize = waiting_for(self.device)
        self.files = cache.resolve(self.spec)
        self.voice = load_voice(mel_config=self.spec.mel)
        _ = self.voice.mel
        languages = number_languages(self.spec.languages, self.voice.language, self.settings)
        words = prepare(self.text, frozenset(cache.read_vocabulary(self.files.vocab).tokens), languages)
        self.chunks = self.voice.plan(words.check(), self.settings, WINDOW_FRAMES[self.spec.backbone])
        self.run_seconds: list[float] = []
        self._waves = hashlib.sha256()

    def runs(self) -> Iterator[list[Any]]:
        """Yield the chunks of the text once for each run, and time each run."""
        for index in range(self.n_runs):
            began = self.timeline.now()
            self.timeline.say({"event": "run", "index": index})
            yield self.chunks
            self.run_seconds.append(self.timeline.now() - began)
            took = self.run_seconds[-1]
            log.info("run finished", extra=pairs(index=index, chunks=len(self.chunks), took=took))

    def local_weights(self) -> str:
        """Local path of the acoustic model's weights."""
        return str(self.files.weights)

    def acoustic(self, path: str) -> Any:
        """The acoustic model read from ``path``, on the device."""
        from workbench.engine.model import devices, loading

        began = self.timeline.now()
        files = replace(self.files, weights=Path(path))
        cfm, _ = loading.load_acoustic(self.spec, files, self.timeline)
        self.probe.bytes_read += os.path.getsize(path)
        with self.timeline.span("to_device"):
            cfm = loading.placed(cfm, self.device, devices.choose_dtype(self.load.dtype, self.device))
        log.info("acoustic model loaded", extra=pairs(name=self.spec.name, took=self.timeline.now() - began))
        return cfm

    def note_load(self, engine: Any) -> None:
        """Add the spans and bytes of an engine that has just been loaded."""
        shift = self.timeline.now() - engine.loaded.spans[-1].end_seconds
        for span in engine.loaded.spans:
            self.timeline.add(span.name, shift + span.start_seconds, span.seconds)
        for path in (engine.loaded.files.weights, engine.loaded.files.vocoder_weights):
            self.probe.bytes_read += os.path.getsize(path)

    def sample(self, cfm: Any, chunk: Any) -> Any:
        """The mel of ``chunk``, float32 [frames, n_mels], on the device."""
        import torch
        from f5_tts.model.utils import convert_char_to_pinyin

        from workbench.engine.model.sampling import Flow, solve, text_embedded
        from workbench.engine.speech.text import conditioning_text

        began = self.timeline.now()
        with torch.inference_mode():
            cond = torch.from_numpy(self.voice.mel.copy()).to(self.device)
            tokens = convert_char_to_pinyin([conditioning_text(self.voice.ref_text) + chunk.text])[0]
            flow = Flow(cfm, cond, tokens, chunk.duration_frames, self.settings.cfg_strength)
            with text_embedded(flow):
                self.timeline.add("text", began, self.timeline.now() - began, chunk.index)
                with self.timeline.span("ode", chunk.index):
                    return solve(flow, self.settings, chunk.seed, self.voice.frames).mel

    def decode(self, vocoder: Any, mel: Any) -> None:
        """Decode ``mel`` and add the samples to the checksum."""
        import torch

        with self.timeline.span("to_device"):
            vocoder = vocoder.to(self.device)
        with self.timeline.span("vocoder"), torch.inference_mode():
            wave = vocoder.decode(mel.T[None])[0] / self.voice.gain(self.settings.target_rms)
            self._waves.update(wave.cpu().numpy().tobytes())

    def keep(self, *results: Any) -> None:
        """Add the samples of chunks that an engine has spoken to the checksum."""
        for result in results:
            self._waves.update(result.wave.tobytes())

    @property
    def audio_sha256(self) -> str:
        """sha256 of all samples. The same for every strategy, since they differ only in loading."""
        return self._waves.hexdigest()


def run_cell(order: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run the strategy of ``order`` from the first import to the last sample, and return its report."""
    from workbench.engine.checks.network import watch_network
    from workbench.lab.strategies import STRATEGIES

    timeline = LiveTimeline(began=_began(order), say=say)
    probe = Probe(timeline)
    gpu = "cuda:0" if os.path.exists("/proc/driver/nvidia") and order["load"]["device"] != "cpu" else "cpu"
    with watch_network() as heard:
        say({"event": "doing", "name": "import", "at_seconds": timeline.now()})
        with Monitor(gpu) as monitor:
            offset = timeline.now()
            _import_everything()
            probe.install(local_files_only=order["network"] == "local-files")
            timeline.add("import", 0.0, timeline.now())
            with timeline.filled("reference_mel"):
                work = Workload(order, probe)
            STRATEGIES[order["strategy"]].function(work)
            total = timeline.now()
        connects = [h for h in heard if h.startswith("socket.connect")]
    return _report(work, total, connects, monitor, offset)


def _began(order: dict[str, Any]) -> float:
    """Time of the order on this process's clock; the present time if the two processes' clocks differ."""
    now = time.perf_counter()
    return order["ordered_at"] if 0 <= now - order["ordered_at"] < 600 else now


def _import_everything() -> None:
    """Import what any strategy needs, so that imports cost all strategies the same and are one span."""
    from workbench.engine import upstream

    upstream.install()
    for name in ("torch", "f5_tts.model.cfm", "f5_tts.model.backbones.dit", "f5_tts.model.backbones.unett", "vocos",
                 "huggingface_hub.file_download", "torchdiffeq"):  # fmt: skip
        importlib.import_module(name)
    from workbench.engine.speech import synthesis  # noqa: F401


def _report(work: Workload, total: float, connects: list[str], monitor: Monitor, offset: float) -> dict[str, Any]:
    from workbench.engine.model.loading import load_counts

    probe, spans = work.probe, top_level(work.timeline.spans)
    loads = load_counts(work.spec.name)
    loads["vocoder"] += probe.vocoder_loads
    synthesis = _seconds(spans, "reference_mel", "text", "ode", "vocoder")
    return {
        "total_seconds": total, "loads": max(loads.values()), "loads_by_kind": loads, "requests": probe.requests,
        "timeouts": probe.timeouts, "connects": len(connects), "network_wait_seconds": probe.wait_seconds,
        "load_seconds": _seconds(spans, "read_weights", "build", "to_device", "warmup"),
        "import_seconds": _seconds(spans, "import"), "resolve_seconds": _seconds(spans, "resolve"),
        "synthesis_seconds": synthesis, "run_seconds": work.run_seconds,
        "accounted_share": sum(s.seconds for s in spans) / total, "idle_share": _idle_share(monitor),
        "bytes_read": probe.bytes_read, "n_chunks": len(work.chunks), "device": work.device,
        "attempts": probe.attempts, "audio_sha256": work.audio_sha256,
        "spans": [s.as_dict() for s in spans], "utilisation": _samples(monitor, offset),
    }  # fmt: skip


def _seconds(spans: list[Span], *names: str) -> float:
    return sum(s.seconds for s in spans if s.name in names)


def _idle_share(monitor: Monitor) -> float:
    """Share of the time, 0 to 1, in which this process used less than ``IDLE_PERCENT`` of one core."""
    cores, last, idle = os.cpu_count() or 1, 0.0, 0.0
    for sample in monitor.samples:
        idle += (sample.seconds - last) if sample.process_cpu_percent * cores < IDLE_PERCENT else 0.0
        last = sample.seconds
    return idle / last if last else 0.0


def _samples(monitor: Monitor, offset: float) -> list[dict[str, Any]]:
    every = -(-len(monitor.samples) // MAX_SAMPLES) or 1
    return [s.as_dict() | {"seconds": s.seconds + offset} for s in monitor.samples[::every]]


def end_with_input() -> None:
    """End this process when its standard input is closed, which happens however the parent process ends."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="end with input", daemon=True).start()


def speaker() -> Callable[[dict[str, Any]], None]:
    """A function that writes JSON lines to standard output; output of libraries goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(document: dict[str, Any]) -> None:
        with lock:
            out.write(json.dumps(document) + "\n")
            out.flush()

    return say


def main() -> None:
    """Run the order in the first argument, a JSON document: measure a cell, or prepare the weights."""
    end_with_input()
    say, order = speaker(), json.loads(sys.argv[1])
    logs.to_stderr(verbose=True, as_json=order.get("log_json", False))
    try:
        if order["task"] == "prepare":
            from workbench.lab.files import prepare

            say({"event": "report", "report": prepare(order["model"], Path(order["hub"]))})
        else:
            say({"event": "report", "report": run_cell(order, say)})
    except WorkbenchError as error:
        say({"event": "error", "what": error.what, "remedy": error.remedy})


if __name__ == "__main__":
    main()
