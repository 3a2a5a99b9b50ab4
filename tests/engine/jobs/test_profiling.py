"""A profiled run: the same speech, and one trace that Perfetto can load."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
from typing import Any

import pytest

from workbench.engine.errors import SettingsError
from workbench.engine.jobs import profiling
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs.exports.trace import apart, trace_json
from workbench.engine.runs.store import load_run, profile_of, save_run
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.costs import points_of
from workbench.engine.speech.requests import Remake

QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=40)
TEXT = "The first one is here. And then a second follows it!"


@pytest.fixture(scope="module")
def profiled(tiny_engine: Any, voice: Any) -> Any:
    """A profiled run of two chunks."""
    pool = EnginePool()
    pool.add(tiny_engine)
    pool.remember(voice)
    return pool.speak(tiny_engine.request(TEXT, voice, QUICK).replace(profile=True, reuse=True))


def trace_of(run: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gzip.decompress(run.profile))["traceEvents"]
    return found


def assert_nested_or_apart(events: list[dict[str, Any]]) -> None:
    """What trace processors ask for: on one track, a slice ends before another begins, or within it."""
    tracks: dict[Any, list[tuple[float, float]]] = {}
    for event in events:
        if event["ph"] == "X":
            tracks.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for slices in tracks.values():
        ends: list[float] = []
        for start, end in sorted(slices, key=lambda s: (s[0], -s[1])):
            while ends and ends[-1] <= start + 1e-3:
                ends.pop()
            assert not ends or end <= ends[-1] + 1e-3
            ends.append(end)


def test_the_speech_is_the_same_and_nothing_of_it_reused(profiled: Any, tiny_engine: Any, voice: Any) -> None:
    assert profiled.wave.tobytes() == tiny_engine.run(TEXT, voice, QUICK).wave.tobytes()
    assert profiled.n_reused == 0 and profiled.request.profile


def test_operations_lie_beside_the_stages_on_one_axis(profiled: Any) -> None:
    slices = [e for e in trace_of(profiled) if e["ph"] == "X"]
    stages = [e for e in slices if e["cat"] == "stage"]
    spans = profiled.spans
    assert len(stages) == len(spans)
    operations = [e for e in slices if e["cat"] == "cpu_op"]
    assert len(operations) > 100 and {e["pid"] for e in operations}.isdisjoint({e["pid"] for e in stages})
    solving = [(e["ts"], e["ts"] + e["dur"]) for e in stages if e["name"] == "ode.step"]
    within = [e for e in operations if any(a - 500 <= e["ts"] and e["ts"] + e["dur"] <= b + 500 for a, b in solving)]
    assert len(within) > 0.4 * len(operations), "the two clocks are half a millisecond apart at most"
    assert min(e["ts"] for e in slices) >= -1.0
    assert all(isinstance(e["pid"], int) and isinstance(e["tid"], int) for e in slices)


def test_slices_of_a_track_are_nested_or_apart(profiled: Any) -> None:
    assert_nested_or_apart(trace_of(profiled))
    assert_nested_or_apart(json.loads(trace_json(profiled))["traceEvents"])


def test_it_says_nothing_of_this_machine(profiled: Any) -> None:
    import socket

    found = gzip.decompress(profiled.profile).decode()
    assert "host_name" not in found and f'"{socket.gethostname()}"' not in found


def test_a_profile_is_saved_with_its_run_and_its_times_teach_nothing(profiled: Any) -> None:
    save_run(profiled)
    assert profile_of(profiled.id) == profiled.profile
    again = load_run(profiled.id)
    assert again.request.profile and again.profile is None
    document = profiled.as_dict() | {"plans": [dataclasses.asdict(c.chunk) for c in profiled.chunks]}
    assert points_of([document], profiled.model, profiled.device, profiled.dtype) == []


def test_a_run_without_a_profile_has_none(tiny_engine: Any, voice: Any) -> None:
    run = tiny_engine.run("Some words.", voice, QUICK)
    save_run(run)
    assert run.profile is None and profile_of(run.id) is None


def test_a_remade_chunk_is_not_profiled(profiled: Any, tiny_engine: Any, voice: Any) -> None:
    pool = EnginePool()
    pool.add(tiny_engine)
    pool.remember(voice)
    assert pool.speak(profiled.request.replace(remake=Remake(profiled.id, 1, seed=7)), base=profiled).profile is None


def test_a_book_is_not_profiled(tiny_engine: Any, voice: Any) -> None:
    assert profiling.check_size(QUICK, 10) is None
    for settings, n_chunks in ((SynthesisSettings(nfe_step=10), 101), (QUICK, 65)):
        with pytest.raises(SettingsError, match=f"{n_chunks} chunks"):
            profiling.check_size(settings, n_chunks)
    assert profiling.check_size(QUICK, 64) is None
    with pytest.raises(SettingsError, match="evaluations"):
        profiling.check_size(SynthesisSettings(nfe_step=128, ode_method="rk4"), 2)


def slice_of(ts: float, dur: float, tid: Any = 1, pid: int = 1) -> dict[str, Any]:
    return {"name": f"{ts}+{dur}", "ph": "X", "pid": pid, "tid": tid, "ts": ts, "dur": dur}


def test_what_overlaps_goes_to_a_further_track_of_the_same_name() -> None:
    name = {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "stream 7"}}
    found = apart([name, slice_of(0, 100), slice_of(50, 100), slice_of(60, 20), slice_of(0, 100, tid=2)])
    assert_nested_or_apart(found)
    assert {(e["name"], e["tid"]) for e in found if e["ph"] == "X"} == {
        ("0+100", 1), ("50+100", 2_000_000_000), ("60+20", 1), ("0+100", 2)
    }  # fmt: skip
    assert {e["args"]["name"] for e in found if e["ph"] == "M"} == {"stream 7", "stream 7 (2)"}


def test_rounding_is_cut_and_moves_nothing() -> None:
    found = apart([slice_of(0, 100), slice_of(90, 10.4)])
    assert {e["tid"] for e in found} == {1} and [e["dur"] for e in found] == [100, 10]


@pytest.mark.parametrize("seed", range(5))
def test_any_slices_come_apart_and_none_is_lost(seed: int) -> None:
    draw = random.Random(seed)
    slices = [slice_of(draw.randrange(300), draw.randrange(80), tid=draw.randrange(2)) for _ in range(200)]
    found = apart(slices)
    assert_nested_or_apart(found)
    assert sorted(e["name"] for e in found if e["ph"] == "X") == sorted(e["name"] for e in slices)


def test_clocks_are_set_by_the_shortest_mark(profiled: Any) -> None:
    """The profiler's clock stands at 1,000,000 us where ours stands at 10 s; the first mark was interrupted."""
    events = [
        {"name": "workbench.clock", "ph": "X", "pid": 9, "tid": 9, "ts": 900_000.0, "dur": 90_000.0},
        {"name": "workbench.clock", "ph": "X", "pid": 9, "tid": 9, "ts": 999_999.0, "dur": 2.0},
        {"name": "product", "ph": "X", "pid": 9, "tid": 9, "ts": 3_000_000.0, "dur": 5.0},
    ]
    run = dataclasses.replace(profiled, spans=profiled.spans[-1:])
    began = 11.0
    found = json.loads(profiling.merged(run, events, [9.0, 10.0], began))["traceEvents"]
    load = min(s.start_seconds for s in run.spans)
    product = next(e for e in found if e["name"] == "product")
    assert product["ts"] == pytest.approx((12.0 - began - load) * 1e6) and product["dur"] == 5.0
