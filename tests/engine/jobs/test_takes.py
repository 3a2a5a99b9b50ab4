"""A chunk is made again as a take: the same bytes for the same words, seed and settings, and what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import Cancelled, RunError, SettingsError, TextError
from workbench.engine.jobs.queue import CANCELLED, DONE, FAILED, JobManager
from workbench.engine.jobs.rerun import rerun
from workbench.engine.jobs.takes import TakeJob, fresh_seed, make_take
from workbench.engine.runs import store
from workbench.engine.runs.parts import making
from workbench.engine.runs.takes import choosing
from workbench.engine.settings import SynthesisSettings

TEXT = "The first sentence is here. The second one has 12 words. A third one ends the story. The fourth is here too."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=40, seed=3)


@pytest.fixture
def saved(tiny_engine: Any, voice: Any) -> Any:
    run = tiny_engine.run(TEXT, voice, QUICK, save=False)
    store.save_run(run)
    assert len(run.chunks) == 4
    return run


def test_a_take_with_the_same_seed_has_the_same_bytes(pool: Any, saved: Any) -> None:
    take = make_take(saved.id, 1, pool=pool, seed=saved.chunks[1].seed)
    found = choosing.read_take(saved.id, 1, take.number)
    assert np.array_equal(found.wave, saved.chunks[1].wave) and np.array_equal(found.mel, saved.chunks[1].mel)
    assert take.chunk == saved.chunks[1].chunk and not take.is_chosen and take.words is None


def test_a_take_sounds_as_in_a_run_with_its_seed(pool: Any, saved: Any, tiny_engine: Any, voice: Any) -> None:
    take = make_take(saved.id, 2, pool=pool, seed=41, choose=True)
    other = tiny_engine.run(TEXT, voice, QUICK.replace(seed=39), save=False)
    run = store.load_run(saved.id)
    assert take.is_chosen and run.chunks[2].seed == 41 == other.chunks[2].seed
    assert np.array_equal(run.chunks[2].wave, other.chunks[2].wave)


def test_a_seed_that_nothing_in_the_run_has_is_taken(pool: Any, saved: Any) -> None:
    assert [c.seed for c in saved.chunks] == [3, 4, 5, 6]
    assert [fresh_seed(choosing.takes_of(saved.id), k) for k in range(4)] == [7, 7, 7, 7]
    assert make_take(saved.id, 1, pool=pool).seed == 7
    assert make_take(saved.id, 1, pool=pool).seed == 8 == fresh_seed(choosing.takes_of(saved.id), 0) - 1


def test_words_and_speed_of_a_take_and_of_those_made_from_it(
    pool: Any, saved: Any, voice: Any, tiny_engine: Any
) -> None:
    faster = make_take(saved.id, 1, pool=pool, speed=1.5)
    assert faster.audio_seconds < saved.chunks[1].audio_seconds and faster.speed == 1.5 and faster.words is None
    assert faster.chunk.text == saved.chunks[1].chunk.text
    (alone,) = tiny_engine.plan(saved.chunks[1].chunk.written, voice, QUICK.replace(speed=1.5, max_chunk_bytes=None))
    assert faster.chunk.duration_frames == alone.duration_frames
    other = make_take(saved.id, 1, pool=pool, words="  Now it has 7 words. ", parent=faster.number, choose=True)
    assert (other.words, other.speed, other.parent) == ("Now it has 7 words.", 1.5, 2)
    assert "seven" in other.chunk.text
    run = store.load_run(saved.id)
    assert "is here. Now it has 7 words. A third" in run.text
    again = make_take(saved.id, 1, pool=pool, seed=other.seed)  # of the chosen one, with its words and speed
    assert (again.words, again.speed, again.parent) == (other.words, 1.5, 3)
    wave = choosing.read_take(saved.id, 1, again.number).wave
    assert np.array_equal(wave, run.chunks[1].wave)


def test_a_run_with_other_takes_is_spoken_again_and_is_the_same(pool: Any, saved: Any) -> None:
    make_take(saved.id, 1, pool=pool, speed=1.3, words="Quite other words.", choose=True)
    make_take(saved.id, 3, pool=pool, choose=True)
    assert rerun(saved.id, pool=pool).same


def test_a_chunk_of_a_run_with_takes_is_remade_as_a_run(pool: Any, saved: Any, voice: Any, tiny_engine: Any) -> None:
    make_take(saved.id, 1, pool=pool, choose=True)
    base = store.load_run(saved.id)
    other = tiny_engine.remake(base, voice, 2, seed=77, save=False)
    store.save_run(other)
    back = store.load_run(other.id)
    assert back.takes == () and [c.seed for c in back.chunks] == [3, 7, 77, 6]
    assert np.array_equal(back.chunks[1].wave, base.chunks[1].wave)


def test_takes_of_a_long_run(pool: Any, voice: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.rules.LONG_RUN_CHUNKS", 2)
    monkeypatch.setattr(tiny_engine, "begin_long", making.begin)
    monkeypatch.setattr(tiny_engine, "keep", store.save_run)
    run = tiny_engine.run(TEXT, voice, QUICK)
    assert (store.run_folder(run.id) / "parts").is_dir()
    before = (store.run_folder(run.id) / "audio.wav").read_bytes()
    take = make_take(run.id, 2, pool=pool, choose=True)
    back = store.load_run(run.id)
    assert np.array_equal(back.chunks[2].wave, choosing.read_take(run.id, 2, take.number).wave)
    assert np.array_equal(store.load_wave(run.id, 2)[0], back.chunks[2].wave)
    assert back.takes == (1, 1, 2, 1) and back.total_seconds == pytest.approx(
        sum(c.timing.total_seconds for c in back.chunks), abs=1e-4
    )
    assert rerun(run.id, pool=pool).same
    choosing.undo(run.id)
    assert (store.run_folder(run.id) / "audio.wav").read_bytes() == before


def test_what_cannot_be_made_is_no_take(pool: Any, saved: Any) -> None:
    for kind, wanted, said in (
        (RunError, {"chunk": 9}, "no chunk 10"), (RunError, {"parent": 4}, "no take 4"),
        (TextError, {"words": " "}, "text"), (TextError, {"words": "", "chunk": 0}, "text"),
        (SettingsError, {"speed": 99.0}, "speed"),
        (SettingsError, {"words": "One sentence. " * 300}, "one chunk"),
    ):  # fmt: skip
        with pytest.raises(kind, match=said):
            make_take(saved.id, **{"chunk": 1, "pool": pool} | wanted)

    def stop(progress: Any) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        make_take(saved.id, 1, pool=pool, on_step=stop)
    assert choosing.takes_of(saved.id).chunks == []


def test_a_job_makes_a_take(pool: Any, saved: Any) -> None:
    manager = JobManager(pool)
    job = manager.submit(TakeJob(saved.id, 1, seed=9))
    assert job.wait(30) == DONE and job.result.seed == 9 and (job.step, job.n_steps) == (2, 2)
    refused = manager.submit(TakeJob(saved.id, 1, words="!"))
    assert refused.wait(30) == FAILED and refused.error
    with pytest.raises(RunError, match="no chunk 8"):
        manager.submit(TakeJob(saved.id, 7))
    held = TakeJob(saved.id, 2)
    held.cancel()
    assert held.state == CANCELLED and choosing.takes_of(saved.id).count(2) == 1


def test_measures_are_those_of_the_takes_that_are_chosen(pool: Any, saved: Any) -> None:
    from workbench.engine.runs.measured.files import read_measured
    from workbench.engine.runs.measured.making import measure_run

    folder = store.run_folder(saved.id)
    first, _ = measure_run(saved.id, ["clipped_percent", "level_dbfs"])
    make_take(saved.id, 1, pool=pool, choose=True)
    found = read_measured(folder)
    assert found is not None and found.outdated == (1,) and found.run == {} and found.chunks[1] == {}
    assert found.chunks[0] == first.chunks[0] and store.summarise(saved.id).measured == {}
    choosing.undo(saved.id)
    assert read_measured(folder) == first
    choosing.redo(saved.id)
    second, _ = measure_run(saved.id, ["clipped_percent", "level_dbfs"])
    assert second.takes == (1, 2, 1, 1) and second.outdated == () and read_measured(folder) == second
    assert choosing.takes_of(saved.id).of(1)[1].measured["level_dbfs"] == second.chunks[1]["level_dbfs"]
    choosing.undo(saved.id)
    found = read_measured(folder)
    assert found is not None and found.outdated == (1,)


def test_a_take_of_a_script_is_spoken_by_its_voice_with_its_settings(pool: Any, tiny_engine: Any, voice: Any) -> None:
    from workbench.engine.speech.passages.script import Passage, Script, Speaker
    from workbench.engine.speech.voices import load_voice

    other = load_voice()
    assert other.id != voice.id
    pool.remember(other)
    text = "Nobody came. Who is there now? It is only me."
    cuts = [(0, 12, "A", {}), (13, 30, "B", {"speed": 1.4, "nfe_step": 3}), (31, len(text), "A", {"seed": 40})]
    script = Script(
        (Speaker("A", voice.ref), Speaker("B", other.ref)),
        tuple(Passage(low, high, who, own) for low, high, who, own in cuts),
        0.2,
    )
    request = tiny_engine.request(text, voice, QUICK).replace(script=script)
    run = pool.speak(request)
    store.save_run(run)
    assert [c.chunk.passage for c in run.chunks] == [0, 1, 2]
    same = make_take(run.id, 1, pool=pool, seed=run.chunks[1].seed)
    assert np.array_equal(choosing.read_take(run.id, 1, same.number).wave, run.chunks[1].wave)
    assert same.speed is None and len(same.timing.step_seconds) == 3
    words = make_take(run.id, 1, pool=pool, words="Is anybody there?", choose=True)
    back = store.load_run(run.id)
    assert back.text == "Nobody came. Is anybody there? It is only me." and words.chunk.passage == 1
    parts = [back.text[p.start : p.end].strip() for p in back.request.script.passages]
    assert parts == ["Nobody came.", "Is anybody there?", "It is only me."]
    assert back.audio_seconds == store.read_document(run.id)["audio_seconds"]
    assert rerun(run.id, pool=pool).same
    choosing.undo(run.id)
    assert store.load_run(run.id).request.script == back.request.script.replace(passages=script.passages)
