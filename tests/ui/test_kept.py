"""What pages keep is bounded by its bytes, for all pages together."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.engine.settings import MelConfig
from workbench.ui import resources
from workbench.ui.kept import Kept, array_bytes
from workbench.ui.runs import sources

MB = 2**20


class Big:
    """A run of ``n`` MB, and as much again once its mel is computed."""

    def __init__(self, n: int) -> None:
        self.chunks = (SimpleNamespace(wave=np.zeros(n * MB, np.uint8), text="some words"),)
        self.mel_config, self.starts, self.sample_rate, self.text = MelConfig(), [0], 24_000, "some words"
        self.fade_samples, self.request = 0, SimpleNamespace(voice=SimpleNamespace(language="en"))
        self.n = n

    @property
    def wave(self) -> np.ndarray:
        return self.chunks[0].wave

    @cached_property
    def mel(self) -> np.ndarray:
        return np.zeros((self.n * MB // 400, 100), np.float32)


def test_an_array_counts_once_and_byte_strings_and_computed_properties_count_too() -> None:
    run = Big(3)
    assert array_bytes(run, set()) == 3 * MB
    views = [run, run.wave[::2], {"again": run.wave[5:]}, (b"1234", 5, None, "text")]
    assert array_bytes(views, set()) == 3 * MB + 4
    _ = run.mel
    assert array_bytes(run, set()) == 3 * MB + run.mel.nbytes


def test_the_oldest_go_and_what_was_used_last_stays() -> None:
    kept, made = Kept(10 * MB), []

    def get(name: str, n: int = 4) -> Big:
        return kept.get(name, lambda: (made.append(name), Big(n))[1])

    first = get("a")
    get("b")
    assert get("a") is first
    get("c")
    assert get("a") is first and made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"] and kept.n_bytes == 8 * MB
    huge = get("huge", 30)
    assert get("huge", 30) is huge and kept.n_bytes == 30 * MB  # alone, but kept


def test_what_grew_while_it_was_used_is_counted() -> None:
    kept = Kept(10 * MB)
    first = kept.get("a", lambda: Big(4))
    kept.get("b", lambda: Big(1))
    assert kept.get("a", lambda: Big(4)) is first
    _ = first.mel
    kept.get("c", lambda: Big(4))  # 4 + 4 + 4: without the mel all three would fit
    assert kept.n_bytes == 4 * MB and kept.get("a", lambda: Big(4)) is not first


def test_one_makes_it_the_others_wait_and_a_failure_is_not_kept() -> None:
    kept, made, gate = Kept(), [], threading.Event()

    def make() -> Big:
        gate.wait(10)
        made.append(1)
        return Big(1)

    threads = [threading.Thread(target=kept.get, args=("a", make)) for _ in range(6)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        kept.get("b", lambda: 1 / 0)
    assert kept.get("b", lambda: 7) == 7


@pytest.mark.usefixtures("_fresh_caches")
def test_many_long_runs_looked_at_on_all_pages_stay_within_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.engine.runs.store.load_run", lambda run_id, trajectories: Big(20))
    for place in ("engine.runs.store", "engine.runs.paths", "ui.runs.sources"):
        monkeypatch.setattr(f"workbench.{place}.run_folder", lambda run_id: tmp_path)
    monkeypatch.setattr("workbench.engine.signal.audio.to_bytes", lambda wave, *_: bytes(len(wave) // 2))
    monkeypatch.setattr("workbench.ui.runs.sources.chunk_intervals", lambda run: ())
    reads: list[Any] = []
    for number in range(25):
        run = resources.saved_run(f"run {number}")
        source = sources.of_run(f"run {number}", None)
        assert source.wave is run.wave  # read once for both
        _ = sources.measurable(source).model_decibels
        reads.append(sources.sound(source))
        assert resources.kept().n_bytes <= resources.kept().limit_bytes + 100 * MB  # what this run has computed since
    assert resources.saved_run("run 24") is run


def test_a_new_version_replaces_the_others_of_the_same_thing() -> None:
    kept = Kept()
    for version in range(5):
        assert kept.get(("run", "a", version), lambda version=version: {"v": version}, versions_of=2) == {"v": version}
    kept.get(("run", "b", 0), dict, versions_of=2)
    kept.get(("takes", "a", 0), dict)
    assert list(kept._values) == [("run", "a", 4), ("run", "b", 0), ("takes", "a", 0)]
