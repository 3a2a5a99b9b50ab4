"""The benchmarks' logic on the tiny engine: what they report, not how fast it is."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.engine.model.backends.recording import Fake
from workbench.engine.checks.bench import against, app, ceiling, closely, report, sampling
from workbench.engine.model.backends.graphs import Graphs
from workbench.engine.model.backends.lean.field import Lean
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine


def spread_is_sound(found: dict[str, Any], n: int) -> bool:
    return found["n"] == n and found["low"] <= found["q1"] <= found["median"] <= found["q3"] <= found["high"]


def test_sides_are_timed_in_turn_each_round_in_the_other_order() -> None:
    order: list[str] = []
    told: list[str] = []
    found = sampling.in_turn({n: lambda n=n: order.append(n) for n in "abc"}, 3, on_round=told.append)  # type: ignore[misc]
    assert "".join(order) == "abc" + "cba" + "abc"
    assert all(len(seconds) == 3 for seconds in found.seconds.values()) and len(told) == 3
    assert found.ratios("a", "a") == [1.0] * 3 and all(peak.n_bytes > 10**6 for peak in found.peaks.values())


@pytest.mark.parametrize(
    ("samples", "expected"), [([3.0], (3, 3, 3)), ([1.0, 2.0], (1.25, 1.5, 1.75)), ([1, 2, 3, 4, 5], (2, 3, 4))]
)
def test_quartiles(samples: list[float], expected: tuple[float, ...]) -> None:
    found = sampling.quartiles(samples)
    assert (found["q1"], found["median"], found["q3"]) == expected and found["iqr"] == expected[2] - expected[0]


def test_the_highest_memory_of_a_block_is_seen() -> None:
    with sampling.peak_memory(interval_seconds=0.001) as peak:
        before = peak.n_bytes
        block = np.ones(2**25)  # 256 MB
    assert peak.n_bytes - before > 200e6 and block[0] == 1 and peak.gpu_bytes is None


# The ceiling ---------------------------------------------------------------------------------------------------------


def test_the_operations_of_a_step_are_those_of_its_layers(tiny_engine: Any) -> None:
    """Counted by PyTorch itself in fp32, where it knows every operation but the attention of this device."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from workbench.engine.model.sampling import Flow, text_embedded

    loaded, n = tiny_engine.loaded, 300
    counter = FlopCounterMode(display=False)
    flow = Flow(loaded.cfm, torch.zeros(16, 100), loaded.tokens("one"), n, 0.0)
    with torch.no_grad(), text_embedded(flow), counter:
        flow(torch.tensor(0.5), torch.zeros(1, n, 100))
    seen = counter.get_flop_counts()["Global"]
    own = sum(flops for operation, flops in seen.items() if "attention" not in str(operation))
    attention = 4 * n * n * 32  # heads 2 x 16, one block
    assert ceiling.step_flops(loaded, n, guided=False) == pytest.approx(own + attention, rel=0.02)
    assert ceiling.step_flops(loaded, n, 4) == 8 * ceiling.step_flops(loaded, n, guided=False)


def test_the_rate_of_products_is_one_that_a_machine_can_have() -> None:
    assert 1e8 < ceiling.gemm_flops("cpu", "fp32", side=128) < 1e14


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [([], 0), ([(0, 1), (2, 3)], 2), ([(2, 3), (0, 1), (0.5, 2.5)], 3), ([(0, 4), (1, 2)], 4), ([(1, 1)], 0)],
)
def test_what_overlaps_on_a_gpu_counts_once(spans: list[tuple[float, float]], seconds: float) -> None:
    assert ceiling.busy_seconds(spans) == seconds


def test_the_work_of_a_gpu_is_read_from_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a profiler that saw two kernels, one of them twice at once, a range of the user's and work of the host."""
    import torch.profiler

    ran: list[str] = []

    def event(kind: str, start: float, end: float, **more: Any) -> SimpleNamespace:
        device = SimpleNamespace(name=kind)
        return SimpleNamespace(device_type=device, time_range=SimpleNamespace(start=start, end=end), **more)

    class Profile:
        def __init__(self, activities: list[Any]) -> None:
            assert [activity.name for activity in activities] == ["CUDA"]

        def __enter__(self) -> Profile:
            return self

        def __exit__(self, *error: object) -> None:
            ran.append("profiled")

        def events(self) -> list[SimpleNamespace]:
            return [event("CUDA", 0, 3e3), event("CUDA", 1e3, 2e3), event("CUDA", 5e3, 6e3),
                    event("CUDA", 0, 9e6, is_user_annotation=True), event("CPU", 0, 9e6)]  # fmt: skip

    clock = iter((10.0, 10.016))
    monkeypatch.setattr(torch.profiler, "profile", Profile)
    monkeypatch.setattr(ceiling, "synchronizer", lambda device: lambda: ran.append(device))
    monkeypatch.setattr(ceiling.time, "perf_counter", lambda: next(clock))
    found = ceiling.gpu_use(lambda: ran.append("run"), "cuda:1")
    assert found == pytest.approx({"kernel_seconds": 0.004, "idle_share": 0.75})
    assert ran == ["cuda:1", "run", "cuda:1", "profiled"]
    assert ceiling.gpu_use(lambda: None, "cpu") is None


# The benchmarks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_bench(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``bench engine`` on the tiny model."""
    monkeypatch.setattr(against, "load_engine", lambda *args, **kwargs: tiny_engine)
    return tiny_engine


def test_upstream_and_ours_are_compared(tiny_bench: Any) -> None:
    found = against.against_upstream(n_chunks=2, nfe_step=2, rounds=2)
    assert found["chunks"] == 2 and len(found["ratios"]) == 2
    assert found["ratios"][0] == found["upstream_seconds"][0] / found["ours_seconds"][0]
    for group in ("first_run_seconds", "new_length_seconds", "warm_seconds", "peak_memory_bytes", "audio_seconds"):
        assert set(found[group]) == {"upstream", "ours"}
    assert found["audio_seconds"]["ours"] == pytest.approx(found["audio_seconds"]["upstream"], abs=0.03)
    assert spread_is_sound(found["step_milliseconds"], 2 * 2 * 2)  # rounds, chunks, steps
    assert 0 < found["ceiling_share"] < 1 and found["rtf"]["ours"] > 0
    assert found["first_run_preparations_seconds"] == {"compile": 0, "capture": 0}
    unknown = {name for name, value in found.items() if value in (None, {"upstream": None, "ours": None})}
    assert unknown == set(found["not_measured"]) and "step_at_1000_frames" in unknown
    assert all(found["not_measured"].values())
    json.dumps(found)


def test_our_side_is_looked_at_closely(tiny_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "new_lengths", functools.partial(closely.new_lengths, n_runs=4))
    monkeypatch.setattr(against, "step_at", functools.partial(closely.step_at, n_frames=200, n_steps=3))
    found = against.against_upstream(n_chunks=1, sentences=2, nfe_step=2, rounds=1, closely=True)
    assert found["chunks"] == 1 and found["text_bytes"] > 150
    step, lengths = found["step_at_1000_frames"], found["random_lengths"]
    assert spread_is_sound(step["milliseconds"], 3) and 0 < step["ceiling_share"] < 1 and step["flops"] > 0
    difference = found["mel_difference"]
    assert difference["eager"] == 0 < difference["ours"] < 1e-5 < difference["fp32_deviation"], "lean and eager in fp32"
    assert lengths["runs"] == 4 and 1 < lengths["lengths"] <= 4 and lengths["frames"][0] < lengths["frames"][1]
    assert all(spread_is_sound(lengths["milliseconds"][name], 4) for name in ("first", "again"))
    assert lengths["captures"] == lengths["compilations"] == 0
    assert lengths["memory_growth_bytes"] == lengths["memory_bytes"]["end"] - lengths["memory_bytes"]["half"]
    assert set(found["not_measured"]) == set(against._GPU_ONLY)


def test_what_a_new_length_costs_is_seen(tiny_engine: Any, voice: Any) -> None:
    """Lean in graphs that are none: each of a few buckets is recorded once, at the first of its lengths."""
    lean = Lean(tiny_engine.loaded.cfm, Graphs(Fake()), fill_up=True)
    engine = Engine(dataclasses.replace(tiny_engine.loaded, backend=lean))
    told: list[str] = []
    found = closely.new_lengths(engine, voice, SynthesisSettings(nfe_step=1), n_runs=6, on_round=told.append)
    assert 0 < found["captures"] <= len(lean.graphs) and len(told) == 2
    assert found["captures_second_half"] < found["captures"]
    assert found["slowest_new_length_milliseconds"] <= found["milliseconds"]["first"]["high"]
    again = closely.new_lengths(engine, voice, SynthesisSettings(nfe_step=1), n_runs=6)
    assert again["captures"] == 0 and again["frames"] == found["frames"], "the texts are the same in each bench"


def test_nearness_is_that_of_the_backend(tiny_engine: Any, tiny_folder: Path, voice: Any) -> None:
    from tests.conftest import TINY_SPEC
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings

    halves = load(TINY_SPEC, LoadSettings(device="cpu", dtype="bf16", backend="lean"), folder=tiny_folder)
    settings = SynthesisSettings(nfe_step=3)
    (chunk,) = tiny_engine.plan("Some words.", voice, settings)
    found = closely.mel_differences(halves, tiny_engine.loaded.cfm, voice, settings, chunk)
    assert 0 < found["ours"] < 2 * found["eager"] < found["fp32_deviation"] and found["ours"] != found["eager"]


def test_upstream_is_never_handed_a_model_of_two_formats(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA both are fp16. Ours keeps times and text in fp32, and upstream took its format from one of these."""
    from tests.conftest import TINY_SPEC
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings

    engine = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="bf16"), folder=tiny_folder))
    monkeypatch.setattr(against, "load_engine", lambda *args, **kwargs: engine)
    monkeypatch.setattr(against, "upstream_dtype", lambda device: "bf16")
    found = against.against_upstream(n_chunks=1, nfe_step=1, rounds=1)
    assert (found["dtype"], found["upstream_dtype"]) == ("bf16", "bf16") and found["ratio"] > 0


# The app -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (b"\x30\x00", 0),
        (b"\x0a\x03abc\x30\x02", 2),
        (b"\x2a\x80\x01" + bytes(128) + b"\x30\x96\x01", 150),
        (b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x30\x03", 3),
        (b"\x0a\x01\x30", None),  # within another field
        (b"", None),
        (b"\x0a\x7fcut", None),
        (b"\x30\x80", None),
        (b"\xff\xff", None),
        (b"\x0b", None),  # a group: none is written any more
    ],
    ids=str,
)
def test_a_field_of_a_message_is_found(message: bytes, value: int | None) -> None:
    assert app.field_of(message, 6) == value


def test_the_fields_that_are_looked_at_are_streamlits() -> None:
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)
    message.metadata.cacheable = True
    assert app.field_of(message.SerializeToString(), app._SCRIPT_FINISHED) == app._SUCCESSFULLY
    assert BackMsg.FromString(app._RERUN).WhichOneof("type") == "rerun_script"


def test_starts_are_counted_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[int] = []

    def start(sessions: int) -> dict[str, float]:
        starts.append(sessions)
        return {"usable_seconds": float(len(starts)), "preload_seconds": 4.0, "session_bytes": 1e6}

    monkeypatch.setattr(app, "_start", start)
    found = app.app(rounds=2, sessions=5)
    assert starts == [1, 5, 5] and found["usable_seconds"]["median"] == 2.5 and found["is_within"]


@pytest.mark.slow
def test_the_app_is_started_and_looked_at_for_real() -> None:
    figures = app._start(2)
    assert 0 < figures["listening_seconds"] < figures["usable_seconds"]
    assert figures["listening_seconds"] < figures["preload_seconds"] and figures["ready_bytes"] > 1e8


# The report ----------------------------------------------------------------------------------------------------------

DOCUMENT = {
    "benchmark": "scale", "share": 0.123456, "gpu": None, "is_constant": True, "names": [1, 2.5],
    "cost": sampling.quartiles([1.0, 2.0, 3.0]), "memory": {"upstream": 1_000_000},
    "sizes": [{"chunks": 3, "seconds_a_chunk": sampling.quartiles([0.5])}], "note": "<b> | </b>",
}  # fmt: skip


def test_a_document_becomes_a_table() -> None:
    lines = report.markdown(DOCUMENT).splitlines()
    assert lines[:2] == ["| what | value |", "|---|---|"]
    assert {"| share | 0.1235 |", "| gpu | - |", "| is constant | yes |", "| names | 1, 2.5 |",
            "| cost | 2 [1.5 to 2.5], n = 3 |", "| memory: upstream | 1,000,000 |",
            "| 3 chunks: seconds a chunk | 0.5 [0.5 to 0.5], n = 1 |",
            "| note | <b> \\| </b> |"} <= set(lines)  # fmt: skip
    page = report.html(DOCUMENT)
    assert "<td>&lt;b&gt; | &lt;/b&gt;</td>" in page and page.startswith("<!doctype html>")


def test_the_subject_names_machine_and_format(tiny_engine: Any) -> None:
    found = sampling.subject(tiny_engine, SynthesisSettings(nfe_step=3))
    assert (found["device"], found["dtype"], found["nfe_step"]) == ("cpu", "fp32", 3)
    assert found["environment"]["torch"] and found["random_weights"] is False
    other = SimpleNamespace(loaded=dataclasses.replace(tiny_engine.loaded, files=None))
    assert sampling.subject(other, SynthesisSettings())["random_weights"] is True
