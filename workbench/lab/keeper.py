"""Own the lab's temporary folder, its loopback Hub and the process of each cell, and remove them at the end.

Runs as a process of its own, ``python -m workbench.lab.keeper JSON``, which ends when its standard input is closed:
nothing is left even if the process that started the lab is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.lab.cell import speaker
from workbench.lab.loopback_hub import LoopbackHub

LOG_LINES = 200
PREPARE_SECONDS = 900.0  # writing random weights of 1.35 GB on a slow disk
FOLDER_PREFIX = "workbench-lab-"
_BEHAVIOUR = {"answering": "answering", "slow": "slow", "refusing": "refusing"}  # all other networks use the black hole
_FORGOTTEN = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
              "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
              "http_proxy", "https_proxy", "all_proxy")  # fmt: skip


class Keeper:
    """Runs the cells of ``order`` one after the other and reports events to ``say``."""

    def __init__(self, order: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        self.order, self.say = order, say
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._child: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Kill the process of the current cell and start no other."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def run(self) -> None:
        """Run all cells and remove the temporary folder."""
        try:
            self.say({"event": "began", "folder": str(self.folder), "pid": os.getpid()})
            prepared = self._prepare()
            for index, cell in enumerate(self.order["cells"] if prepared else ()):
                if not self._stopped:
                    self.say({"event": "cell began", "index": index, **cell})
                    self.say({"event": "cell", "index": index, "cell": self._cell(cell, prepared)})
            if not self._stopped:
                self.say({"event": "done"})
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> dict[str, Any]:
        """Fill the cache of the cells; returns {} after a failure, which is reported."""
        self.say({"event": "preparing", "model": self.order["model"]})
        order = {"task": "prepare", "model": self.order["model"], "hub": str(self.folder / "hub")}
        report, problem, _ = self._child_report(order, dict(os.environ), lambda event: None)
        if not report:
            self.say({"event": "error", **problem})
            return {}
        self.say({"event": "prepared", **report})
        return report

    def _cell(self, cell: dict[str, str], prepared: dict[str, Any]) -> dict[str, Any]:
        network, timeout = cell["network"], self.order["timeout_seconds"]
        hub = LoopbackHub(self.folder / "hub", _BEHAVIOUR.get(network, "blackhole"), self.order["delay_seconds"])
        with hub:
            environment = self._environment(network, hub.endpoint, timeout)
            order = {key: self.order[key] for key in ("model", "text", "runs", "settings", "load")} | {
                "task": "cell", "repo": prepared["repo"], "weights": prepared["weights"], **cell,
            }  # fmt: skip
            report, problem, log = self._child_report(order, environment, self.say)
            arrived = [request.as_dict() for request in hub.requests]
        state = "finished" if report else problem["state"]
        if state == "failed":
            state = f"failed: {problem['what']}"
        return {**cell, "state": state, **report, "server_requests": len(arrived), "server_log": arrived, "log": log}

    def _environment(self, network: str, endpoint: str, timeout: int) -> dict[str, str]:
        """The user's own environment, with the Hub's address and cache replaced, and neither token nor proxy."""
        # waiting threads sleep: spinning threads make a measurement on a busy machine ten times slower
        environment = {"OMP_WAIT_POLICY": "PASSIVE"}
        environment |= {key: value for key, value in os.environ.items() if key not in _FORGOTTEN}
        environment |= {
            "HF_HOME": str(self.folder / "home"), "HF_HUB_CACHE": str(self.folder / "hub"), "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "*", "no_proxy": "*",
        }  # fmt: skip
        if timeout != 10:  # 10 s is the library's default
            environment["HF_HUB_ETAG_TIMEOUT"] = str(timeout)
        if network == "offline":
            environment["HF_HUB_OFFLINE"] = "1"
        return environment

    def _child_report(
        self, order: dict[str, Any], environment: dict[str, str], heard: Callable[[dict[str, Any]], None]
    ) -> tuple[dict[str, Any], dict[str, str], list[str]]:
        """Run ``order`` in a fresh process; returns (report, problem, log), report or problem is empty."""
        with self._lock:
            if self._stopped:
                return {}, {"state": "cancelled", "what": "Cancelled.", "remedy": ""}, []
            order |= {"ordered_at": time.perf_counter()}
            self._child = subprocess.Popen(
                [sys.executable, "-m", "workbench.lab.cell", json.dumps(order)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
                encoding="utf-8", errors="replace",
            )  # fmt: skip
        child, log, expired = self._child, deque[str](maxlen=LOG_LINES), threading.Event()
        orders, events, complaints = child.stdin, child.stdout, child.stderr
        assert orders and events and complaints  # pipes, as asked for above

        def expire() -> None:
            expired.set()
            child.kill()

        seconds = self.order["limit_seconds"] if order["task"] == "cell" else PREPARE_SECONDS
        limit = threading.Timer(seconds, expire)
        limit.start()
        reader = threading.Thread(target=lambda: log.extend(map(str.rstrip, complaints)), daemon=True)
        reader.start()
        report, error = {}, {}
        try:
            for line in events:
                event = json.loads(line)
                if event["event"] == "report":
                    report = event["report"]
                elif event["event"] == "error":
                    error = {"state": "failed", "what": event["what"], "remedy": event["remedy"]}
                else:
                    heard(event)
        finally:
            limit.cancel()
            child.kill()
            child.wait()
            reader.join(2)
            for pipe in (orders, events, complaints):
                pipe.close()
        return report, {} if report else error or self._why(child.returncode, expired.is_set(), log), list(log)

    def _why(self, code: int, expired: bool, log: deque[str]) -> dict[str, str]:
        """The reason for a missing report, as state, what and remedy."""
        if self._stopped:
            return {"state": "cancelled", "what": "Cancelled.", "remedy": ""}
        if expired:
            return {"state": "stopped at the limit", "what": "It took too long.", "remedy": "Raise the limit."}
        last = log[-1] if log else "no message"
        return {"state": "failed", "what": f"The process ended with code {code}: {last}.", "remedy": "See its log."}


def main() -> None:
    """Run the lab of the first argument, a JSON document."""
    keeper = Keeper(json.loads(sys.argv[1]), speaker())

    def watch_input() -> None:
        while os.read(0, 1024):
            pass
        keeper.stop()

    def on_signal(number: int, frame: Any) -> None:
        # not in the handler itself, which may have interrupted the owner of the lock
        threading.Thread(target=keeper.stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threading.Thread(target=watch_input, name="watch input", daemon=True).start()
    with contextlib.suppress(BrokenPipeError):  # the reader has ended
        keeper.run()


if __name__ == "__main__":
    main()
