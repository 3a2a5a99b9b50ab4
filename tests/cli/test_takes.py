"""``workbench runs takes, take, choose, undo``: chunks are counted from 1, as in every table; mistakes are one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.helpers import last_json
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings


@pytest.fixture
def run(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", lambda *args, **kwargs: tiny_engine)
    found = tiny_engine.run("One two three. Four five six.", voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=20))
    monkeypatch.setattr(EnginePool, "voice", lambda *args: voice)
    store.save_run(found)
    return found


def test_takes_are_made_listed_chosen_and_undone(call, run, tmp_path):
    assert "has one take" in call("runs", "takes", run.id)[1]
    code, out, _ = call("runs", "take", run.id, "2", "--seed", "9")
    assert code == 0 and "take 2 of chunk 2: seed 9" in out and f"runs choose {run.id} 2 2" in out
    made = last_json(
        call("runs", "take", run.id, "2", "--text", "Seven eight.", "--speed", "1.2", "--choose", "--json")[1]
    )
    assert (made["chunk"], made["take"], made["chosen"], made["speed"], made["text"]) == (
        1,
        3,
        True,
        1.2,
        "Seven eight.",
    )
    assert store.load_run(run.id).text == "One two three. Seven eight."
    listed = last_json(call("runs", "takes", run.id, "--json")[1])
    assert listed["chosen"] == [1, 3] and [t["take"] for t in listed["takes"]] == [1, 2, 3] and listed["can_undo"]
    code, out, _ = call("runs", "choose", run.id, "2", "2")
    assert code == 0 and "Takes of" in out and "* is chosen" in out
    assert store.load_run(run.id).chunks[1].seed == 9
    out = call("runs", "show", run.id)[1]
    assert "made again and chosen: chunk 2: take 2" in out
    assert last_json(call("runs", "undo", run.id, "--json")[1])["chosen"] == [1, 3]
    assert last_json(call("runs", "redo", run.id, "--json")[1])["chosen"] == [1, 2]
    (line,) = (line for line in call("runs", "ls")[1].splitlines() if run.id in line)
    assert "1 take" in line


def test_the_sound_of_a_take_is_written_though_it_is_not_chosen(call, run, tmp_path):
    call("runs", "take", run.id, "1", "--seed", "9")
    code, out, _ = call("runs", "save-take", run.id, "1", "1", "--out", "one.wav")
    assert code == 0 and "one.wav" in out
    wave, rate = soundfile.read(tmp_path / "one.wav")
    assert rate == 24_000 and np.abs(wave - run.chunks[0].wave).max() < 1e-4
    assert last_json(call("runs", "save-take", run.id, "1", "2", "--out", "two.flac", "--json")[1])["take"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("take", "0"), "has no chunk 0"), (("take", "3"), "has no chunk 3"), (("choose", "1", "2"), "has no take 2"),
        (("undo",), "no choice to undo"), (("redo",), "no choice to redo"), (("take", "1", "--speed", "0"), "speed"),
        (("take", "1", "--text", "一二三"), ""), (("save-take", "1", "1", "--out", "x.mp3"), "mp3"),
        (("take", "1", "--from", "4"), "has no take 4"), (("take", "1", "--text", " "), "text is empty"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_the_model_is_loaded(call, run, words, said, monkeypatch):
    if "一二三" not in words:  # only the model knows its letters
        monkeypatch.setattr(EnginePool, "engine_for", lambda *args: pytest.fail("it was loaded"))
    code, out, err = call("runs", words[0], run.id, *words[1:])
    assert code == 2 and out == "" and said in err and len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_a_chunk_that_fails_is_left_out_if_asked_for(call, tiny_engine, monkeypatch, voice):
    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", lambda *args, **kwargs: tiny_engine)
    real = tiny_engine._speak

    def broken(chunk, *args):
        if chunk.index == 1:
            raise RuntimeError("no memory")
        return real(chunk, *args)

    monkeypatch.setattr(tiny_engine, "_speak", broken)
    words = (
        "synth",
        "One two three. Four five six.",
        "--voice",
        "nature-en",
        "--nfe-step",
        "1",
        "--max-chunk-bytes",
        "20",
    )
    code, out, err = call(*words, "--skip-failed", "--no-reuse")
    assert code == 0 and "chunk 2 could not be made, silence is in its place" in out
    (run,) = store.list_runs()
    assert run.n_failed == 1 and store.load_run(run.id).failed == [1]
    code, _, err = call(*words, "--skip-failed", "--workers", "2", "--executor", "process")
    assert code == 2 and "--skip-failed" in err
