"""Chunks that were made before: the same samples, found by what decides them and by nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import TINY_SPEC
from tests.engine.reuse.spoken import FAST, SENTENCES, reused, speak
from workbench.engine import measures
from workbench.engine.errors import Cancelled
from workbench.engine.measures import CHUNK, RUN, Times
from workbench.engine.model.loading import load
from workbench.engine.reuse import keys
from workbench.engine.reuse.keys import ACT_ELSEWHERE, key_of
from workbench.engine.reuse.store import ChunkStore
from workbench.engine.runs.exports import get
from workbench.engine.runs.store import load_run, save_run, summarise
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.speech.costs import points_of
from workbench.engine.speech.synthesis import Engine
from workbench.engine.timing import FIRST_RUN, NEW_LENGTH, REUSED, WARM, Progress


def test_an_edited_sentence_costs_one_chunk_and_the_speech_is_what_it_would_be(shelved: Any, voice: Any) -> None:
    assert reused(speak(shelved, voice, SENTENCES)) == [False] * 6
    edited = [*SENTENCES[:3], "Here is another one in its place.", *SENTENCES[4:]]
    run = speak(shelved, voice, edited)
    assert reused(run) == [True, True, True, False, True, True] and run.n_reused == 5
    made = shelved.run(" ".join(edited), voice, FAST)
    assert made.n_reused == 0
    assert run.wave.tobytes() == made.wave.tobytes() and run.mel.tobytes() == made.mel.tobytes()
    assert reused(speak(shelved, voice, edited)) == [True] * 6


def test_another_engine_on_the_same_folder_finds_them(shelved: Any, voice: Any, tiny_folder: Path) -> None:
    first = speak(shelved, voice, SENTENCES[:2])
    other = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))
    other.shelf = ChunkStore(shelved.shelf.folder)
    again = speak(other, voice, SENTENCES[:2])
    assert reused(again) == [True, True] and again.wave.tobytes() == first.wave.tobytes()


def test_a_sentence_put_in_before_moves_the_seeds_of_those_after_it(shelved: Any, voice: Any) -> None:
    """A chunk's noise is seed + index: the same request gives the same bytes, whatever was kept before it."""
    speak(shelved, voice, SENTENCES)
    run = speak(shelved, voice, [SENTENCES[0], "One more sentence stands here now.", *SENTENCES[1:]])
    assert reused(run) == [True] + [False] * 6
    assert run.wave.tobytes() == shelved.run(run.text, voice, FAST).wave.tobytes()


OTHERS: dict[str, Any] = {
    "nfe_step": 3, "cfg_strength": 1.5, "sway_sampling_coef": None, "ode_method": "midpoint", "use_epss": False,
    "target_rms": 0.2,
}  # fmt: skip


def test_every_setting_is_in_the_key_or_acts_elsewhere() -> None:
    names = {f.name for f in dataclasses.fields(SynthesisSettings)}
    assert names == set(OTHERS) | ACT_ELSEWHERE and not set(OTHERS) & ACT_ELSEWHERE


@pytest.mark.parametrize("name", OTHERS)
def test_a_setting_that_decides_the_sound_is_a_miss(shelved: Any, voice: Any, name: str) -> None:
    speak(shelved, voice, SENTENCES[:1])
    assert reused(speak(shelved, voice, SENTENCES[:1], FAST.replace(**{name: OTHERS[name]}))) == [False]


@pytest.mark.parametrize("change", [{"cross_fade_duration": 0.0}, {"max_chunk_bytes": 46}, {"numbers": "off"}], ids=str)
def test_a_setting_that_does_not_reach_the_chunk_is_a_hit(shelved: Any, voice: Any, change: dict[str, Any]) -> None:
    speak(shelved, voice, SENTENCES[:2])
    run = speak(shelved, voice, SENTENCES[:2], FAST.replace(**change))
    assert reused(run) == [True, True]
    assert run.wave.tobytes() == shelved.run(run.text, voice, FAST.replace(**change)).wave.tobytes()


@pytest.mark.parametrize("change", [{"seed": 5}, {"speed": 1.2}, {"fix_duration": 20.0}], ids=str)
def test_what_acts_through_the_plan_is_a_miss(shelved: Any, voice: Any, change: dict[str, Any]) -> None:
    speak(shelved, voice, SENTENCES[:2])
    assert reused(speak(shelved, voice, SENTENCES[:2], FAST.replace(**change))) == [False, False]


def test_whole_numbers_and_decimals_are_one_setting(tiny_engine: Any, voice: Any) -> None:
    (chunk,) = tiny_engine.plan(SENTENCES[0], voice, FAST)
    key = key_of(tiny_engine.loaded, voice, FAST.replace(cfg_strength=2), chunk)
    assert key == key_of(tiny_engine.loaded, voice, FAST, chunk)
    assert key == key_of(tiny_engine.loaded, voice, FAST, dataclasses.replace(chunk, index=7, pause_seconds=1.0))


def _other_weight(engine: Any) -> None:
    engine.loaded.cfm.transformer.proj_out.bias.data[0] += 1e-3


def _other_vocoder(engine: Any) -> None:
    engine.loaded.vocoder.head.out.bias.data[0] += 1e-3


def _other_vocabulary(engine: Any) -> None:
    found = engine.loaded.cfm.vocab_char_map
    found["a"], found["b"] = found["b"], found["a"]


def _other_format(engine: Any) -> None:
    engine.loaded = dataclasses.replace(engine.loaded, dtype="bf16")


def _other_device(engine: Any) -> None:
    engine.loaded = dataclasses.replace(engine.loaded, device="mps")


def _other_backend(engine: Any) -> None:
    engine.loaded = dataclasses.replace(engine.loaded, backend=SimpleNamespace(recorded="another"))


def _other_threads(engine: Any) -> None:
    engine.patch.setattr(keys, "_threads", lambda: 99)


def _other_code(engine: Any) -> None:
    engine.patch.setattr(keys, "REVISION", keys.REVISION + 1)


@pytest.mark.parametrize(
    "change",
    [
        _other_weight,
        _other_vocoder,
        _other_vocabulary,
        _other_format,
        _other_device,
        _other_backend,
        _other_threads,
        _other_code,
    ],
)
def test_another_model_machine_or_code_is_a_miss(
    change: Callable[[Any], None], tiny_engine: Any, voice: Any, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (chunk,) = tiny_engine.plan(SENTENCES[0], voice, FAST)
    own = key_of(tiny_engine.loaded, voice, FAST, chunk)
    other: Any = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))
    assert key_of(other.loaded, voice, FAST, chunk) == own
    other = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))
    other.patch = monkeypatch
    change(other)
    assert key_of(other.loaded, voice, FAST, chunk) != own


def test_nothing_is_reused_unless_the_request_allows_it(shelved: Any, voice: Any) -> None:
    speak(shelved, voice, SENTENCES[:1])
    assert shelved.run(SENTENCES[0], voice, FAST).n_reused == 0
    assert shelved.run(SENTENCES[0], voice, FAST, reuse=True).n_reused == 1


def test_a_trajectory_is_made_and_its_chunk_kept(shelved: Any, voice: Any) -> None:
    with_states = FAST.replace(keep_trajectory=True)
    for _ in range(2):
        run = speak(shelved, voice, SENTENCES[:1], with_states)
        assert reused(run) == [False] and run.chunks[0].trajectory is not None
    assert reused(speak(shelved, voice, SENTENCES[:1])) == [True]


# Honest times --------------------------------------------------------------------------------------------------------


def test_a_reused_chunk_has_no_speed_and_the_run_says_so(shelved: Any, voice: Any) -> None:
    speak(shelved, voice, SENTENCES)
    run = speak(shelved, voice, [*SENTENCES[:5], "The last one is new."])
    rows = run.as_dict()["chunks"]
    assert [row["made"] for row in rows[:5]] == [REUSED] * 5 and rows[5]["made"] in (NEW_LENGTH, WARM)
    assert all(row["rtf"] is None and row["ode_seconds"] == 0 and row["step_seconds"] == [] for row in rows[:5])
    of_chunks = [measures.values(CHUNK, Times.of_chunk(row)) for row in rows]
    assert all(value is None for row in of_chunks[:5] for value in row.values())
    new = run.chunks[5]
    reading = sum(c.timing.total_seconds for c in run.chunks[:5])
    assert run.rtf == pytest.approx((run.total_seconds - reading) / new.audio_seconds)
    assert measures.values(RUN, Times.of_run(run.as_dict()))["rtf"] == pytest.approx(run.rtf)
    spans = {(s.name, s.chunk_index) for s in run.spans if s.start_seconds >= 0}
    assert {("reuse", k) for k in range(5)} <= spans and not {("ode", k) for k in range(5)} & spans
    assert ("ode", 5) in spans and ("keep", 5) in spans


def test_a_run_of_reused_chunks_is_saved_listed_and_exported(shelved: Any, voice: Any) -> None:
    speak(shelved, voice, SENTENCES[:2])
    run = speak(shelved, voice, SENTENCES[:2])
    assert run.rtf is None and run.n_reused == 2
    save_run(run)
    again = load_run(run.id)
    assert reused(again) == [True, True] and again.rtf is None and again.wave.tobytes() == run.wave.tobytes()
    listed = summarise(run.id)
    assert listed.rtf is None and listed.n_reused == 2 and listed.n_chunks == 2
    sheet = get("csv").make(run).decode().splitlines()
    assert sheet[0].split(",")[8] == "made" and [line.split(",")[8] for line in sheet[1:]] == [REUSED] * 2
    document = run.as_dict() | {"plans": [dataclasses.asdict(c.chunk) for c in run.chunks]}
    assert points_of([document], run.model, run.device, run.dtype) == []


def test_the_first_run_and_new_lengths_are_told_from_warm_ones(voice: Any, tiny_folder: Path) -> None:
    engine = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))
    texts = ["Some words to say.", "Some words to say.", "Some more words to say.", "Some words to say."]
    made = [engine.run(text, voice, FAST).chunks[0].timing.made for text in texts]
    assert made == [FIRST_RUN, WARM, NEW_LENGTH, WARM]


def test_a_reused_chunk_is_reported_and_can_be_stopped_at(shelved: Any, voice: Any) -> None:
    speak(shelved, voice, SENTENCES)
    seen: list[Progress] = []
    speak(shelved, voice, SENTENCES, on_step=seen.append)
    assert seen == [Progress(k, 6, 2, 2) for k in range(6)]

    def stop(progress: Progress) -> None:
        if progress.chunk_index == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        speak(shelved, voice, SENTENCES, on_step=stop)


def test_what_was_finished_before_a_cancel_is_there_the_next_time(shelved: Any, voice: Any) -> None:
    def stop(progress: Progress) -> None:
        if progress.chunk_index == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        speak(shelved, voice, SENTENCES, on_step=stop)
    assert reused(speak(shelved, voice, SENTENCES)) == [True, True, False, False, False, False]
