"""Workers on a Ray cluster, or on a Ray started on this machine. Needs the packages of ``requirements-cluster.txt``.

Each actor holds the engines of one worker. Ray places actors by CPUs and GPUs and does not restart them; this module
replaces a lost actor and speaks its task again. Outcomes return to the driver, so workers need no shared folder for
runs. They need the models in their own or a shared cache (``WORKBENCH_HOME``).
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from workbench.engine.errors import EngineError, SettingsError
from workbench.engine.files.places import home
from workbench.engine.sweeps.executors import ATTEMPTS, given_up
from workbench.engine.sweeps.worker import Outcome, Task, Worker

log = logging.getLogger("workbench.sweeps")
_CHECK_SECONDS = 0.2


class Ray:
    """Workers of a Ray cluster.

    Args:
        workers: number of actors.
        threads: threads of torch and CPUs of each actor; 0 divides the cores of the cluster.
        address: of the cluster; "auto": the cluster of this machine; "": start one on loopback.

    Raises:
        SettingsError: Ray is not installed.
    """

    def __init__(self, workers: int = 2, threads: int = 0, address: str = "") -> None:
        if find_spec("ray") is None:
            raise SettingsError(
                "The executor ray needs the package ray.", remedy="pip install -r requirements-cluster.txt"
            )
        self._n, self._threads, self._address = workers, threads, address

    def run(self, tasks: Sequence[Task], check: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Yield outcomes as they are finished."""
        import ray

        mine = not ray.is_initialized()
        if mine:
            _start(self._address, self._n)
        try:
            yield from self._spoken(tasks, check)
        finally:
            if mine:
                ray.shutdown()

    def _spoken(self, tasks: Sequence[Task], check: Callable[[], None]) -> Iterator[Outcome]:
        import ray
        from ray.exceptions import RayActorError, RayError

        threads = self._threads or max(1, int(ray.cluster_resources().get("CPU", 1)) // self._n)
        waiting, attempts = deque(tasks), dict.fromkeys((task.key for task in tasks), 0)
        idle = [self._hire(f"ray {k + 1}", threads, tasks) for k in range(min(self._n, len(tasks)))]
        at_work: dict[Any, tuple[tuple[str, Any], Task]] = {}
        try:
            while waiting or at_work:
                check()
                while waiting and idle:
                    hand, task = idle.pop(), waiting.popleft()
                    attempts[task.key] += 1
                    at_work[hand[1].do.remote(task)] = hand, task
                ready, _ = ray.wait(list(at_work), num_returns=1, timeout=_CHECK_SECONDS)
                for reference in ready:
                    (name, actor), task = at_work.pop(reference)
                    try:
                        outcome = replace(ray.get(reference), attempts=attempts[task.key])
                    except RayActorError as error:
                        log.warning("worker lost name=%s: %s", name, str(error).splitlines()[0])
                        idle.append(self._hire(name, threads, tasks))
                        if attempts[task.key] < ATTEMPTS:
                            waiting.appendleft(task)
                            continue
                        outcome = given_up(task.key, "Ray's log")
                    except RayError as error:
                        idle.append((name, actor))
                        first = (str(error).splitlines() or [""])[-1][:200]
                        outcome = Outcome(task.key, error=f"{type(error).__name__}: {first}")
                    else:
                        idle.append((name, actor))
                    yield outcome
        finally:
            for _, actor in [*idle, *(hand for hand, _ in at_work.values())]:
                ray.kill(actor)

    def _hire(self, name: str, threads: int, tasks: Sequence[Task]) -> tuple[str, Any]:
        import ray

        # "auto" uses a GPU if the cluster has one
        wants_gpu = any(t.request.load.device.startswith("cuda") or t.request.load.device == "auto" for t in tasks)
        n_gpus = ray.cluster_resources().get("GPU", 0)
        share = min(1.0, n_gpus / self._n) if wants_gpu else 0
        kind = ray.remote(num_cpus=threads, num_gpus=share, max_restarts=0)(Worker)
        return name, kind.remote(name, threads)


def _start(address: str, workers: int) -> None:
    """Connect to the cluster at ``address``, or start one on loopback. Raises EngineError."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    quiet = {"log_to_driver": False, "logging_level": logging.WARNING, "configure_logging": False}
    # the same home, so that a worker on this machine finds the same models
    surroundings = {"env_vars": {"WORKBENCH_HOME": str(home())}}
    here = {"num_cpus": max(os.cpu_count() or 1, workers), "include_dashboard": False,
            "_node_ip_address": "127.0.0.1", "runtime_env": surroundings}  # fmt: skip
    try:
        try:
            ray.init(**({"address": address} if address else here), **quiet)
        except Exception as error:  # Ray gives itself 30 s to start, too few on a busy machine; it raises many kinds
            if address or isinstance(error, ValueError):
                raise
            log.warning("Ray did not start, trying again: %s", error)
            ray.shutdown()
            ray.init(**here, **quiet)
    except Exception as error:
        ray.shutdown()
        first = (str(error).splitlines() or [""])[0][:200]
        where = f"at {address}" if address else "on this machine"
        raise EngineError(f"Ray cannot be reached {where}: {first}.", remedy="See `ray status`.") from error
