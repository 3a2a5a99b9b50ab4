"""The store of chunks on disk: damage, limits, other processes, and folders that cannot be written."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.reuse.spoken import FAST, SENTENCES, speak
from workbench.engine.errors import SettingsError
from workbench.engine.reuse import store
from workbench.engine.reuse.store import ChunkStore


def files(engine: Any) -> list[Path]:
    return sorted(engine.shelf.folder.rglob("*.chunk"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _other_name(path: Path) -> None:
    name = path.name
    other = sorted(path.parents[1].rglob("*.chunk"))[0]
    content = other.read_bytes()
    path.write_bytes(content if other.name != name else b"")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "a bit is another": _flip,
    "it ends early": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "it is empty": lambda path: path.write_bytes(b""),
    "something follows": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "it is another chunk": _other_name,
    "it is text": lambda path: path.write_text("F5CHUNK1\n" + "0" * 64 + "\n{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_made_again_and_mended(
    damage: str, shelved: Any, voice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = speak(shelved, voice, SENTENCES[:2])
    DAMAGES[damage](files(shelved)[1])
    with caplog.at_level("WARNING"):
        again = speak(shelved, voice, SENTENCES[:2])
    assert again.n_reused == 1 and again.wave.tobytes() == first.wave.tobytes()
    assert "a kept chunk is damaged and removed" in caplog.text
    assert speak(shelved, voice, SENTENCES[:2]).n_reused == 2


def test_a_sealed_file_of_a_newer_kind_is_a_miss(shelved: Any, voice: Any) -> None:
    """Its checksum is right, but what it says of itself is not what is read here."""
    import hashlib

    speak(shelved, voice, SENTENCES[:1])
    (path,) = files(shelved)
    for body in (b"[]\n", b"{}\n", b'{"key": "x", "n_samples": -1, "mel_shape": 3}\n', b"\xff\xfe"):
        path.write_bytes(b"F5CHUNK1\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        assert speak(shelved, voice, SENTENCES[:1]).n_reused == 0


def test_the_least_recently_used_go_first(shelved: Any, voice: Any) -> None:
    for sentence in SENTENCES[:4]:
        speak(shelved, voice, [sentence])
    sizes = [path.stat().st_size for path in files(shelved)]
    for age, path in enumerate(sorted(files(shelved), key=lambda p: p.stat().st_mtime_ns)):
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    speak(shelved, voice, [SENTENCES[0]])  # used again: the second is the oldest now
    shelved.shelf = ChunkStore(shelved.shelf.folder, max_bytes=sum(sizes))
    speak(shelved, voice, [SENTENCES[4]])
    assert shelved.shelf.n_bytes() <= sum(sizes)
    assert [speak(shelved, voice, [s]).n_reused for s in (SENTENCES[4], SENTENCES[0], SENTENCES[1])] == [1, 1, 0]


def test_it_never_holds_more_than_its_limit_however_many_write(tiny_engine: Any, voice: Any, tmp_path: Path) -> None:
    (chunk,) = tiny_engine.plan(SENTENCES[0], voice, FAST)
    wave, mel = np.zeros(5_000, np.float32), np.zeros((20, 100), np.float32)
    stores = [ChunkStore(tmp_path / "chunks", max_bytes=300_000) for _ in range(3)]

    def write(shelf: ChunkStore, first: int) -> None:
        for seed in range(first, first + 40):
            shelf.keep(tiny_engine.loaded, voice, FAST, dataclasses.replace(chunk, seed=seed), wave, mel)

    threads = [threading.Thread(target=write, args=(one, 100 * k)) for k, one in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # each counts what it wrote itself, and all that is there when it clears
    assert 0 < stores[0].n_bytes() <= 3 * 300_000
    last = dataclasses.replace(chunk, seed=999)
    fresh = ChunkStore(tmp_path / "chunks", max_bytes=300_000)
    fresh.keep(tiny_engine.loaded, voice, FAST, last, wave, mel)
    assert fresh.n_bytes() <= 300_000 and fresh.find(tiny_engine.loaded, voice, FAST, last) is not None
    assert not list((tmp_path / "chunks").rglob("*.part"))


def test_a_draft_of_a_killed_process_is_swept_when_room_is_made(shelved: Any, voice: Any) -> None:
    speak(shelved, voice, SENTENCES[:1])
    old, young = (files(shelved)[0].with_name(name) for name in (".old.part", ".young.part"))
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (1_000_000, 1_000_000))
    assert shelved.shelf.clear() > 0
    assert not old.exists() and young.exists() and files(shelved) == []


def test_a_folder_that_cannot_be_written_costs_no_speech(
    tiny_engine: Any, voice: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chunks").write_text("a file in its place")
    tiny_engine.shelf = ChunkStore(tmp_path / "chunks")
    try:
        with caplog.at_level("WARNING"):
            assert speak(tiny_engine, voice, SENTENCES).n_reused == 0
    finally:
        tiny_engine.shelf = None
    assert caplog.text.count("chunks cannot be kept") == 1


@pytest.mark.parametrize(("given", "n_bytes"), [("", 512_000_000), ("2", 2_000_000), ("0", 0), ("0.5", 500_000)])
def test_the_environment_sets_the_limit(given: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, given)
    assert ChunkStore().max_bytes == n_bytes


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf", "512MB"])
def test_a_limit_that_is_no_number_is_said(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, given)
    with pytest.raises(SettingsError, match=store.VARIABLE):
        store.limit_bytes()


def test_a_limit_of_nothing_keeps_nothing(shelved: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, "0")
    speak(shelved, voice, SENTENCES[:1])
    assert files(shelved) == [] and speak(shelved, voice, SENTENCES[:1]).n_reused == 0


def test_it_lies_in_the_home_of_this_moment(_own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ChunkStore().folder == _own_home / "cache" / "chunks"
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    assert ChunkStore().folder == tmp_path / "cache" / "chunks"
