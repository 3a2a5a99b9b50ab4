"""A book on the command line: killed, interrupted, gone on with, and the same bytes as in one go."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.helpers import last_json
from tests.conftest import TINY_ARCH
from workbench.engine import rules
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.runs.parts import unfinished
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import load_voice

N_CHAPTERS, N_SENTENCES = 10, 29  # and a heading each: 300 chunks
GROWTH_MAX_BYTES = 40e6  # 200 chunks of 2 s hold 60 MB of wave and mel, and as much again where they are joined
SETTINGS = SynthesisSettings(nfe_step=1, max_chunk_bytes=40, seed=3)
FLAGS = ("--model", "tiny", "--device", "cpu", "--dtype", "fp32", "--nfe-step", "1", "--max-chunk-bytes", "40",
         "--seed", "3", "--no-reuse")  # fmt: skip


def book(n_chapters: int = N_CHAPTERS, n_sentences: int = N_SENTENCES) -> str:
    """A text of chapters, each sentence a chunk of its own."""
    words = ("boats", "rivers", "lanterns", "winters", "letters", "bridges", "sparrows")
    parts = []
    for chapter in range(n_chapters):
        said = [f"The {words[(chapter + k) % 7]} of {words[k % 5]} went home." for k in range(n_sentences)]
        parts += [f"Chapter {words[chapter % 7]}", " ".join(said)]
    return "\n\n".join(parts)


@pytest.fixture
def tiny_model(tiny_folder: Path, tmp_path: Path) -> None:
    """The tiny model in the cache, by the name "tiny"."""
    from workbench.engine.cache import import_model

    described = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24_000}}
    (source := tmp_path / "source").mkdir()
    shutil.copytree(tiny_folder, source, dirs_exist_ok=True)
    (source / "config.yaml").write_text(yaml.safe_dump({"model": described}), encoding="utf-8")
    import_model(source, name="tiny")


def begun(words: list[str], folder: Path, n_chunks: int) -> subprocess.Popen[str]:
    """The command line in a process of its own that has made ``n_chunks``."""
    process = subprocess.Popen([sys.executable, "-m", "workbench", *words], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = unfinished.every()
        if found and found[0].n_done >= n_chunks:
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"not {n_chunks} chunks in time: {process.communicate()}")


@pytest.mark.slow
@pytest.mark.cluster
def test_a_book_that_was_killed_and_interrupted_is_the_same_in_the_end(tiny_model: None, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(book())
    voice = load_voice("nature-en")
    request = SpeechRequest(book(), voice.ref, SETTINGS, "tiny", load=LoadSettings(device="cpu", dtype="fp32"),
                            reuse=False)  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "LONG_RUN_CHUNKS", 10**6)  # in one go, in memory
        whole = EnginePool().speak(request)
    assert len(whole.chunks) == N_CHAPTERS * (N_SENTENCES + 1)

    words = ["synth", "--text-file", "book.txt", "--voice", "nature-en", "--out", "book.wav", *FLAGS]
    process = begun(words, tmp_path, 50)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = unfinished.every()
    assert 50 <= left.n_done < left.n_chunks == len(whole.chunks) and store.list_runs() == []

    process = begun(words, tmp_path, left.n_done + 20)  # the same command
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    (left,) = unfinished.every()
    assert process.returncode == 130 and "Traceback" not in said
    assert f"{left.n_done} of {left.n_chunks} chunks are kept" in said
    line = shlex.split(said.strip().splitlines()[-1].partition("Go on with: ")[2])
    assert line == ["workbench", "runs", "resume", left.id, "--out", "book.wav"]

    done = subprocess.run([sys.executable, "-m", *line, "--json"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = to_bytes(whole.wave, whole.sample_rate)
    assert (tmp_path / "book.wav").read_bytes() == expected
    run = store.load_run(left.id)
    assert (store.run_folder(left.id) / "audio.wav").read_bytes() == expected
    assert unfinished.every() == [] and json.loads(done.stdout)["saved"] == str(store.run_folder(left.id))
    memory = [sample.memory_bytes for sample in run.utilisation]
    assert max(memory) - memory[len(memory) // 4] < GROWTH_MAX_BYTES


@pytest.fixture
def short(tiny_model: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command to speak a small book, long by a smaller bound, in this process."""
    monkeypatch.setattr(rules, "LONG_RUN_CHUNKS", 4)
    (tmp_path / "book.txt").write_text("The beginning of it.\n\n" + book(2, 3))
    return ("synth", "--text-file", "book.txt", "--voice", "nature-en", *FLAGS)


def test_a_file_for_each_chapter_or_chunk(call, short, tmp_path):
    code, out, _ = call(*short, "--files", "chapter", "--out", "book.flac", "--json")
    found = last_json(out)
    assert code == 0 and found["out"] == "book"
    names = sorted(os.listdir(tmp_path / "book"))
    assert (
        names == ["1.flac", "2 Chapter boats.flac", "3 Chapter rivers.flac"] and not (tmp_path / "book.flac").exists()
    )
    assert call("runs", "export", found["id"], "--files", "chunk", "--out", "each.wav", "--json")[0] == 0
    assert sorted(os.listdir(tmp_path / "each")) == [f"{k}.wav" for k in range(1, 10)]
    run = store.load_run(found["id"])
    assert (tmp_path / "each" / "4.wav").read_bytes() == to_bytes(run.chunks[3].wave, run.sample_rate)
    assert call(*short, "--files", "chapter", "--json")[0] == 0 and call(*short, "--files", "chapter")[0] == 0
    assert len(os.listdir(tmp_path / "speech")) == len(os.listdir(tmp_path / "speech-2")) == 3


@pytest.mark.parametrize(
    "words, said",
    [
        (("--files", "page"), "'page' is no way to part a run. Choose one of chapter, chunk, passage, speaker."),
        (("--files", "chapter", "--out", "x.txt"), "Cannot tell the type"),
        (("--out", "nowhere/x.wav"), "Cannot write"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_the_work(call, short, words, said):
    code, out, err = call(*short, *words)
    assert (code, out) == (2, "") and said in " ".join(err.split()) and unfinished.every() == []


def test_unfinished_runs_are_listed_gone_on_with_and_deleted(call, short, tmp_path, monkeypatch):
    from workbench.engine.runs.parts.making import Making

    real, kept = Making.keep, []

    def keep(self: Making, result: Any) -> Any:
        if len(kept) == 3:
            raise KeyboardInterrupt
        kept.append(result.chunk.index)
        return real(self, result)

    with monkeypatch.context() as patch:
        patch.setattr(Making, "keep", keep)
        code, _, err = call(*short, "--out", "it's.wav", "--files", "chunk")
    (left,) = unfinished.every()
    assert code == 130 and "3 of 9 chunks are kept" in err
    assert f"""workbench runs resume {left.id} --out 'it'"'"'s.wav' --files chunk""" in " ".join(err.split())
    assert last_json(call("runs", "ls", "--json")[1])["unfinished"][0]["n_done"] == 3
    assert f"{left.id}: unfinished, 3 of 9 chunks" in call("runs", "ls")[1]
    code, out, _ = call("runs", "resume", left.id, "--json")
    assert code == 0 and last_json(out)["id"] == left.id and (tmp_path / "speech.wav").is_file()
    code, _, err = call("runs", "resume", left.id)
    assert code == 2 and f"The run {left.id} is finished." in err
    code, _, err = call("runs", "resume", "20250101-000000-abcdef")
    assert code == 2 and "There is no unfinished run" in err

    kept.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Making, "keep", keep)
        call(*short)
    (left,) = unfinished.every()
    assert call("runs", "rm", left.id, "--yes")[0] == 0 and unfinished.every() == []


def test_a_book_that_is_not_to_be_saved_leaves_its_file_alone(call, short, tmp_path):
    assert call(*short, "--no-save", "--out", "a.wav")[0] == 0
    assert (tmp_path / "a.wav").is_file() and store.list_runs() == [] and unfinished.every() == []
