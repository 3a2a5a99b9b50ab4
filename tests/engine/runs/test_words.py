"""Word times are kept beside a run, belong to the samples they were heard in, and damage is no error."""

from __future__ import annotations

import dataclasses
import shutil
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.engine.asr.recogniser import Word
from workbench.engine.errors import Cancelled, RunError
from workbench.engine.runs import store
from workbench.engine.runs.measured import words
from workbench.engine.settings import SynthesisSettings

TEXT = "One two three, four five. Six seven eight."


@pytest.fixture
def run(tiny_engine: Any, voice: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=24))
    store.save_run(made)

    def hear(wave: np.ndarray, rate: int, *, language: str = "") -> tuple[Word, ...]:
        return (Word(0.0, len(wave) / rate, f"{len(wave)}", 0.5),)

    ears = SimpleNamespace(words=hear, spec=SimpleNamespace(name="someone"))
    monkeypatch.setattr(words, "load_recogniser", lambda **_: ears)
    return made


def test_words_are_kept_chunk_by_chunk_and_added_to(run: Any) -> None:
    folder = store.run_folder(run.id)
    assert words.read_words(folder) == words.Words()
    words.hear_words(run, [1])
    kept = words.read_words(folder)
    assert kept.of(run.chunks[0].wave) is None and kept.recogniser == "someone"
    assert kept.of(run.chunks[1].wave)[0].text == str(run.chunks[1].n_samples)
    words.hear_words(run, [0])
    assert len(words.read_words(folder).chunks) == 2
    assert store.load_run(run.id).id == run.id  # a file more beside it is no damage


def test_another_take_of_a_chunk_has_no_words(run: Any) -> None:
    found = words.hear_words(run, [0, 1])
    other = dataclasses.replace(run.chunks[0], wave=run.chunks[0].wave * np.float32(0.5))
    assert found.of(run.chunks[0].wave) and found.of(other.wave) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2, "recogniser": "", "chunks": {}}',
     b'{"format":1,"recogniser":"x","chunks":{"a":[[0,NaN,"x",1]]}}',
     b'{"format":1,"recogniser":"x","chunks":{"a":[[-1,1,"x",1]]}}', b"\xff" * 100],
)  # fmt: skip
def test_a_damaged_file_counts_as_none(run: Any, content: bytes) -> None:
    (store.run_folder(run.id) / words.NAME).write_bytes(content)
    assert words.read_words(store.run_folder(run.id)) == words.Words()


def test_cancel_and_a_deleted_run_leave_nothing(run: Any) -> None:
    def stop(done: int, whole: int) -> None:
        if done:
            raise Cancelled()

    with pytest.raises(Cancelled):
        words.hear_words(run, [0, 1], on_chunk=stop)
    assert not (store.run_folder(run.id) / words.NAME).exists()
    shutil.rmtree(store.run_folder(run.id))
    with pytest.raises(RunError):
        words.hear_words(run, [0])


def test_heard_words_are_a_tier_of_the_textgrid_without_gaps(run: Any) -> None:
    from workbench.engine.runs.exports import textgrid

    assert [name for name, _ in textgrid.tiers(run)] == ["chunks"]
    words.hear_words(run, [0])
    assert [name for name, _ in textgrid.tiers(run)] == ["chunks"]  # not all of it was heard
    words.hear_words(run, list(range(1, len(run.chunks))))
    found = dict(textgrid.tiers(run))["words"]
    assert [text for _, _, text in found if text] == [str(c.n_samples) for c in run.chunks]
    assert found[0][0] == 0 and found[-1][1] == pytest.approx(run.audio_seconds)
    assert all(a[1] == b[0] for a, b in pairwise(found))
    assert 'name = "words"' in textgrid.text_grid(run)
