"""An evaluation over several workers gives the same sounds as one, and each utterance is spoken once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workbench.engine.evaluation import Evaluation
from workbench.engine.runs.store import list_runs, load_run
from workbench.engine.sweeps.executors import executor


@pytest.mark.cluster
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["process", "ray"])
def test_workers_speak_each_utterance_once(opened: Callable[..., Evaluation], name: str) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="ray is not installed (requirements-cluster.txt)")
    texts = [f"Words of mine, {word}." for word in "abcdefgh"]
    alone = opened(*texts, out="alone").run()
    document = opened(*texts, out="many").run(executor(name, 2, threads=1))
    assert document["n_spoken"] == 8 and len(list_runs()) == 16
    for one, other in zip(alone["utterances"], document["utterances"], strict=True):
        assert np.array_equal(load_run(one["run"]).wave, load_run(other["run"]).wave)
