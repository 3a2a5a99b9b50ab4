"""The benchmarks of whole runs on the tiny engine: their cost by size, of an edit, and of being watched."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.engine.checks.test_bench import spread_is_sound
from workbench.engine.checks.bench.edit import edit
from workbench.engine.checks.bench.observe import _bare, observe
from workbench.engine.checks.bench.scale import scale
from workbench.engine.errors import SettingsError
from workbench.engine.reuse.store import ChunkStore
from workbench.engine.runs.parts.making import Making, begin_aside
from workbench.engine.runs.store import list_runs
from workbench.engine.settings import SynthesisSettings


def test_a_chunk_is_measured_in_runs_of_every_size(tiny_engine: Any, voice: Any) -> None:
    told: list[str] = []
    found = scale(tiny_engine, voice, nfe_step=1, largest=4, rounds=2, on_round=told.append)
    assert [row["chunks"] for row in found["sizes"]] == [1, 3, 4] and len(told) == 2
    assert all(spread_is_sound(row["seconds_a_chunk"], 2) and row["run_bytes"] > 0 for row in found["sizes"])
    assert all(spread_is_sound(row["over_one_alone"], 2) for row in found["sizes"])
    assert found["is_constant"] == (found["largest_deviation"] <= 0.05)


def test_a_cost_is_told_over_what_a_chunk_alone_costs_meanwhile(
    tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, speed, fulfil = 0.0, 1.0, tiny_engine.fulfil

    def at_a_pace(request: Any, voice: Any, *, on_chunk: Any = None, **how: Any) -> Any:
        def a_second_later(result: Any) -> None:
            nonlocal now, speed
            now, speed = now + speed, speed * 1.01  # the machine becomes slower from chunk to chunk
            if on_chunk:
                on_chunk(result)

        return fulfil(request, voice, on_chunk=a_second_later, **how)

    monkeypatch.setattr(tiny_engine, "fulfil", at_a_pace)
    monkeypatch.setattr("workbench.engine.checks.bench.scale.time", SimpleNamespace(perf_counter=lambda: now))
    found = scale(tiny_engine, voice, nfe_step=1, largest=10, rounds=1)
    seconds = [row["seconds_a_chunk"]["median"] for row in found["sizes"]]
    assert seconds[-1] > 1.4 * seconds[0] and found["largest_deviation"] < 0.01 and found["is_constant"]


def test_a_long_run_is_measured_with_its_chunks_on_disk_which_are_gone_afterwards(
    tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.engine.rules.LONG_RUN_CHUNKS", 3)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept: list[int] = []
    keep = Making.keep
    monkeypatch.setattr(Making, "keep", lambda self, result: kept.append(result.chunk.index) or keep(self, result))
    found = scale(tiny_engine, voice, nfe_step=1, largest=5, rounds=1, begin_long=begin_aside)
    held = {row["chunks"]: row["run_bytes"] for row in found["sizes"]}
    assert held[3] > held[1] > 0 == held[5] and kept == [0, 1, 2, 3, 4] * 2
    assert not list(tmp_path.iterdir()) and not list_runs()
    most = max(row["beside_bytes"] for row in found["sizes"])
    assert found["is_memory_flat"] == (most <= found["memory_tolerance_bytes"])


def test_an_edited_chunk_is_measured_and_the_shelf_given_back(tiny_engine: Any, voice: Any, tmp_path: Path) -> None:
    own = tiny_engine.shelf = ChunkStore(tmp_path / "own")
    try:
        found = edit(tiny_engine, voice, nfe_step=2, n_chunks=4, rounds=2)
        assert tiny_engine.shelf is own and own.n_bytes() == 0
    finally:
        tiny_engine.shelf = None
    assert found["reused_chunks"] == [3, 3] and found["same_samples"] is True
    assert spread_is_sound(found["edited_over_whole"], 2) and found["edited_over_whole"]["median"] < 1


def test_the_bare_side_speaks_the_very_same(tiny_engine: Any, voice: Any) -> None:
    import torch

    settings = SynthesisSettings(nfe_step=2)
    (result,) = tiny_engine.run("Some words.", voice, settings).chunks
    bare = _bare(tiny_engine, voice, torch.from_numpy(voice.mel.copy()), settings, result.chunk)
    np.testing.assert_array_equal(bare / np.float32(voice.gain(settings.target_rms)), result.wave)


def test_a_watched_run_is_compared_with_a_bare_one(tiny_engine: Any, voice: Any) -> None:
    found = observe(tiny_engine, voice, nfe_step=2, rounds=3)
    assert (
        spread_is_sound(found["cost"], 3) and spread_is_sound(found["cpu_cost"], 3) and found["reports"] == 4 * 3
    )  # a first run and three rounds of 0, 1, 2
    assert found["is_within"] == (found["cost"]["median"] <= 0.02)


@pytest.mark.parametrize("bench", [scale, edit, observe])
def test_counts_below_one_are_refused(bench: Any, tiny_engine: Any, voice: Any) -> None:
    with pytest.raises(SettingsError, match="rounds is 0"):
        bench(tiny_engine, voice, rounds=0)
