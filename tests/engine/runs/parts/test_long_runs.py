"""A long run: stopped and gone on with, chunk by chunk on disk, and the same to the last bit as one made in memory."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine import rules
from workbench.engine.errors import Cancelled, OutputError, RunError, TextError
from workbench.engine.runs import exports, store
from workbench.engine.runs.index import chunk_rows
from workbench.engine.runs.parts import making, unfinished
from workbench.engine.runs.parts.stored import StoredChunk
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes

TEXT = "One boat is here. Two boats are there. [pause 0.3s] Three more came. Four went away. Five stayed on. Six sank."
QUICK = SynthesisSettings(nfe_step=2, max_chunk_bytes=20)
N_CHUNKS = 6
COMPARED = ("wave", "mel", "starts", "n_samples", "audio_seconds")


@pytest.fixture(autouse=True)
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 3)


@pytest.fixture
def engine(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tiny_engine, "keep", store.save_run)
    monkeypatch.setattr(tiny_engine, "begin_long", making.begin)
    return tiny_engine


@pytest.fixture(scope="module")
def whole(tiny_engine: Any, voice: Any) -> Any:
    """The same, in memory and in one go."""
    run = tiny_engine.fulfil(tiny_engine.request(TEXT, voice, QUICK), voice)
    assert len(run.chunks) == N_CHUNKS and not any(isinstance(c, StoredChunk) for c in run.chunks)
    return run


def stop_after(n: int) -> Any:
    """Stops a run when it has made ``n`` chunks."""

    def on_step(progress: Any) -> None:
        if progress.chunk_index == n:
            raise Cancelled

    return on_step


def stopped(engine: Any, voice: Any, n: int, text: str = TEXT) -> Path:
    """The folder of a run that was stopped when ``n`` chunks were made."""
    with pytest.raises(Cancelled):
        engine.run(text, voice, QUICK, on_step=stop_after(n))
    left = unfinished.every()[0]
    assert (left.n_done, left.n_chunks, left.text, left.problem) == (n, N_CHUNKS, text, "")
    return unfinished.folder_of(left.id)


def made_anew(engine: Any, voice: Any) -> tuple[Any, set[int]]:
    """The run that goes on, and which of its chunks were made."""
    made = set()
    run = engine.run(TEXT, voice, QUICK, on_step=lambda progress: made.add(progress.chunk_index))
    return run, made


def assert_same(run: Any, whole: Any) -> None:
    for name in COMPARED:
        assert np.array_equal(getattr(run, name), getattr(whole, name)), name
    assert [c.chunk for c in run.chunks] == [c.chunk for c in whole.chunks]


def test_a_long_run_lies_chunk_by_chunk_and_is_the_same(engine: Any, voice: Any, whole: Any) -> None:
    run = engine.run(TEXT, voice, QUICK)
    folder = store.run_folder(run.id)
    assert sorted(p.name for p in folder.iterdir()) == ["audio.wav", "parts", "reference.wav", "run.json"]
    assert all(isinstance(c, StoredChunk) for c in run.chunks) and unfinished.every() == []
    back = store.load_run(run.id)
    for found in (run, back):
        assert_same(found, whole)
    assert (folder / "audio.wav").read_bytes() == to_bytes(whole.wave, whole.sample_rate)
    assert back.as_dict() == run.as_dict() and back.spans == run.spans
    names = {(s.name, s.chunk_index) for s in back.spans}
    assert {("ode.step", 5), ("vocoder", 0), ("pause", 1)} <= names
    wave, rate = store.load_wave(run.id, 4)
    assert np.array_equal(wave, whole.chunks[4].wave) and rate == whole.sample_rate
    (listed,) = store.list_runs()
    assert listed.n_chunks == N_CHUNKS and listed.seconds == whole.audio_seconds and listed.text == TEXT
    assert max(listed.envelope) == pytest.approx(float(np.abs(whole.wave).max()), abs=1e-3)
    assert listed.n_bytes == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert [row["text"] for row in chunk_rows([run.id])[run.id]] == [c.chunk.text for c in whole.chunks]


def test_every_export_of_a_long_run_is_that_of_the_run_in_memory(
    engine: Any, voice: Any, whole: Any, tmp_path: Path
) -> None:
    back = store.load_run(engine.run(TEXT, voice, QUICK).id)
    for name in ("wav", "flac", "textgrid"):
        assert exports.get(name).make(back) == exports.get(name).make(whole)
    for found in exports.every():
        found.write(back, path := tmp_path / f"x{found.suffix}")
        if found.name != "zip":
            assert path.read_bytes() == found.make(back)
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        assert f"chunks/{N_CHUNKS:03d}.wav" in packed.namelist() and packed.testzip() is None
        assert packed.read("speech.wav") == to_bytes(whole.wave, whole.sample_rate)


@pytest.mark.parametrize("n", [0, 1, 4, 5])
def test_what_was_stopped_goes_on_and_makes_only_the_rest(engine: Any, voice: Any, whole: Any, n: int) -> None:
    stopped(engine, voice, n)
    run, made = made_anew(engine, voice)
    assert made == set(range(n, N_CHUNKS))
    assert_same(store.load_run(run.id), whole)
    assert unfinished.every() == [] and len(store.list_runs()) == 1


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", ["request.json", "chunks.jsonl"])
def test_a_pipe_is_not_waited_for(engine: Any, voice: Any, whole: Any, name: str) -> None:
    pipe(stopped(engine, voice, 2) / name)
    unfinished.every()
    run, made = made_anew(engine, voice)
    assert made == set(range(N_CHUNKS))
    assert_same(run, whole)


def test_a_long_run_is_spoken_again_and_compared(engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.engine.jobs.pool import EnginePool
    from workbench.engine.jobs.rerun import rerun

    run = engine.run(TEXT, voice, QUICK)
    pool = EnginePool()
    monkeypatch.setattr(pool, "engine_for", lambda request: engine)
    assert rerun(run.id, pool=pool).same
    one_bit_of_speech(store.run_folder(run.id) / "parts" / "00002.npz")
    found = rerun(run.id, pool=pool)
    assert [c["same"] for c in found.chunks] == [True, True, False, True, True, True] and unfinished.every() == []


def one_bit_of_speech(path: Path) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["wave"][10] += np.float32(0.25)
    np.savez(path, **arrays)


@pytest.mark.parametrize("damage", [pipe, cut_short, one_bit, Path.unlink, lambda p: p.write_bytes(b"")])
def test_a_damaged_chunk_is_made_again(engine: Any, voice: Any, whole: Any, damage: Any) -> None:
    damage(stopped(engine, voice, 4) / "parts" / "00001.npz")
    run, made = made_anew(engine, voice)
    assert made == {1, 4, 5}
    assert_same(run, whole)


@pytest.mark.parametrize(
    "ends", [lambda b: b[:-40], lambda b: b + b"\n{", lambda b: b"\xff\x00" + b, lambda b: b.replace(b"seed", b"need")]
)
def test_a_damaged_journal_costs_chunks_and_nothing_else(engine: Any, voice: Any, whole: Any, ends: Any) -> None:
    journal = stopped(engine, voice, 4) / "chunks.jsonl"
    journal.write_bytes(ends(journal.read_bytes()))
    run, made = made_anew(engine, voice)
    assert made >= {4, 5}
    assert_same(store.load_run(run.id), whole)


def test_a_line_cut_short_spoils_no_other(engine: Any, voice: Any) -> None:
    journal = stopped(engine, voice, 2) / "chunks.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    with pytest.raises(Cancelled):
        engine.run(TEXT, voice, QUICK, on_step=stop_after(4))
    assert made_anew(engine, voice)[1] == {4, 5}


@pytest.mark.parametrize(
    "changes", [{"seed": 5}, {"nfe_step": 3}, {"speed": 1.2}, {"target_rms": 0.05}, {"cfg_strength": 1.0}]
)
def test_another_request_takes_nothing_of_it(engine: Any, voice: Any, changes: dict[str, Any]) -> None:
    left = stopped(engine, voice, 2)
    made = set()
    settings = QUICK.replace(**changes)
    run = engine.run(TEXT, voice, settings, on_step=lambda p: made.add(p.chunk_index))
    assert made == set(range(len(run.chunks))) and left.is_dir()


def test_other_words_take_nothing_of_it(engine: Any, voice: Any) -> None:
    left = stopped(engine, voice, 2)
    other = stopped(engine, voice, 1, TEXT.replace("Six", "Ten"))
    assert left != other and len(unfinished.every()) == 2


def test_one_that_is_being_made_is_left_alone(engine: Any, voice: Any) -> None:
    folder = stopped(engine, voice, 2)
    run_id = folder.name.removesuffix(".partial")
    lock = unfinished.hold(folder)
    try:
        assert made_anew(engine, voice)[1] == set(range(N_CHUNKS))
        with pytest.raises(RunError, match="being made"):
            unfinished.drop(run_id)
        with pytest.raises(RunError, match="being made"):
            engine.fulfil(engine.request(TEXT, voice, QUICK), voice, run_id=run_id, begin_long=making.begin)
    finally:
        lock.release()
    assert folder.is_dir()


def test_it_does_not_go_on_with_other_weights(engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = stopped(engine, voice, 2).name.removesuffix(".partial")
    monkeypatch.setitem(engine.loaded.weights, "acoustic", "f" * 64)
    with pytest.raises(RunError, match=r"was begun with cpu, fp32.*go on with cpu, fp32, .*acoustic ffff"):
        engine.fulfil(engine.request(TEXT, voice, QUICK), voice, run_id=run_id, begin_long=making.begin)


def test_another_number_of_threads_is_said(engine: Any, voice: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = stopped(engine, voice, 2) / "request.json"
    known = json.loads(path.read_bytes())
    known["environment"]["threads"] = "64"
    path.write_text(json.dumps(known))
    made_anew(engine, voice)
    assert "threads 64, now" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"request": 3}', b"\xff", b"[" * 100_000])
def test_one_that_cannot_be_read_is_listed_and_can_be_deleted(engine: Any, voice: Any, content: bytes) -> None:
    folder = stopped(engine, voice, 2)
    (folder / "request.json").write_bytes(content)
    (left,) = unfinished.every()
    assert "cannot be read" in left.problem and "runs rm" in left.problem
    with pytest.raises(RunError, match="cannot be read"):
        unfinished.request_of(left.id)
    assert made_anew(engine, voice)[1] == set(range(N_CHUNKS))
    assert store.delete_run(left.id) > 1000 and not folder.exists()


def test_nothing_is_lost_where_the_run_cannot_be_saved(
    engine: Any, voice: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("workbench.engine.runs.files.write_sound", _full_disk)
        with pytest.warns(UserWarning, match="No space"):
            run = engine.run(TEXT, voice, QUICK)
    assert_same(run, whole)
    assert unfinished.every()[0].n_done == N_CHUNKS and store.list_runs() == []
    run, made = made_anew(engine, voice)
    assert made == set()
    assert store.list_runs()[0].id == run.id and unfinished.every() == []


def _full_disk(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_stops_it_with_the_line_that_goes_on(
    engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.engine.runs.parts import stored

    real, calls = stored.write_whole, []

    def write(path: Path, content: Any) -> Path:
        calls.append(path)
        return _full_disk() if len(calls) == 3 else real(path, content)  # type: ignore[func-returns-value]

    with monkeypatch.context() as patch:
        patch.setattr(stored, "write_whole", write)
        with pytest.raises(OutputError, match=r"Chunk 3 .*No space.*runs resume 2"):
            engine.run(TEXT, voice, QUICK)
    assert made_anew(engine, voice)[1] == set(range(2, N_CHUNKS))


def test_speech_that_is_not_finite_keeps_what_was_made_before(
    engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine._speak

    def speak(chunk: Any, *args: Any) -> Any:
        made = real(chunk, *args)
        return dataclasses.replace(made, wave=made.wave * np.float32(np.nan)) if chunk.index == 2 else made

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_speak", speak)
        with pytest.raises(OutputError, match="not numbers"):
            engine.run(TEXT, voice, QUICK)
    assert unfinished.every()[0].n_done == 2


def test_a_chunk_of_a_long_run_is_remade_and_the_others_are_kept(engine: Any, voice: Any, whole: Any) -> None:
    first = engine.run(TEXT, voice, QUICK)
    second = store.load_run(engine.remake(store.load_run(first.id), voice, 2, seed=77).id)
    store.delete_run(first.id)  # the files are its own
    assert [np.array_equal(a.wave, b.wave) for a, b in zip(second.chunks, whole.chunks, strict=True)] == [
        True, True, False, True, True, True,
    ]  # fmt: skip
    assert second.chunks[2].seed == 77 and second.is_remade


def test_trajectories_of_a_long_run_come_back(engine: Any, voice: Any) -> None:
    settings = QUICK.replace(keep_trajectory=True)
    run = engine.run(TEXT, voice, settings)
    plain = engine.fulfil(engine.request(TEXT, voice, settings), voice)
    back = store.load_run(run.id)
    assert np.array_equal(back.chunks[3].trajectory.states, plain.chunks[3].trajectory.states)
    assert store.list_runs()[0].has_trajectory


def test_a_missing_or_damaged_chunk_of_a_saved_run_is_named(engine: Any, voice: Any) -> None:
    run = engine.run(TEXT, voice, QUICK)
    part = store.run_folder(run.id) / "parts" / "00003.npz"
    one_bit(part)
    back = store.load_run(run.id)
    assert len(back.chunks[2].wave)
    with pytest.raises(RunError, match=rf"{run.id} cannot be read: chunk 4"):
        _ = back.wave
    part.unlink()
    with pytest.raises(RunError, match=r"parts/00003\.npz is missing"):
        store.load_run(run.id)


def test_what_could_not_be_saved_is_refused_before_the_first_chunk(
    engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MAX_BYTES", 3_000)
    with pytest.raises(TextError, match=r"makes 6 chunks; one run can hold about \d"):
        engine.run(TEXT, voice, QUICK, on_step=lambda _: pytest.fail("it was begun"))
    assert unfinished.every() == []


def test_a_run_that_is_not_to_be_saved_is_in_memory(engine: Any, voice: Any) -> None:
    run = engine.run(TEXT, voice, QUICK, save=False)
    assert not any(isinstance(c, StoredChunk) for c in run.chunks) and not store.runs_root().exists()


def test_a_long_run_in_memory_is_saved_in_the_same_way(engine: Any, voice: Any, whole: Any) -> None:
    folder = store.save_run(dataclasses.replace(whole))
    assert len(list((folder / "parts").iterdir())) == N_CHUNKS
    assert_same(store.load_run(whole.id), whole)
    assert io.BytesIO((folder / "audio.wav").read_bytes()).read(4) == b"RIFF"


def test_a_system_that_renames_no_folder_with_open_files_is_no_obstacle(
    engine: Any, voice: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows does: whether the lock in the folder is open is seen in the table of open files."""
    usual = Path.rename

    def is_open(folder: Path) -> bool:
        held = Path(f"/proc/{os.getpid()}/fd")
        return any(os.path.realpath(each).startswith(f"{folder}{os.sep}") for each in held.iterdir())

    def rename(path: Path, target: Path) -> Path:
        if is_open(path):
            raise PermissionError(13, "The process cannot access the file")
        return usual(path, target)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    monkeypatch.setattr(Path, "rename", rename)
    stopped(engine, voice, 2)
    run, made = made_anew(engine, voice)
    assert made == set(range(2, N_CHUNKS)) and unfinished.every() == []
    assert_same(store.load_run(run.id), whole)
    folder = stopped(engine, voice, 1)
    assert unfinished.drop(folder.name.removesuffix(unfinished.SUFFIX)) > 0 and not folder.exists()
