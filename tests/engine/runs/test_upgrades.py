"""Runs of older formats stay readable: listed, exported, spoken again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.runs import exports, store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import read_audio
from workbench.engine.speech.requests import Remake
from workbench.engine.speech.voices import restore_voice

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runs"
FORMAT_1 = "20261126-200236-d58ba07188bac"  # written by the last program before format 2, with the ninth demo voice
TEXT = "The first sentence is here. The second one follows it."


def test_a_run_of_format_1_is_listed_loaded_and_exported() -> None:
    folder = Path(shutil.copytree(FIXTURES / FORMAT_1, store.runs_root() / FORMAT_1))
    ((listed,), broken) = store.scan()
    assert broken == [] and (listed.voice, listed.n_chunks, listed.remade_chunk) == ("Nora", 2, None)
    run = store.load_run(FORMAT_1)
    assert run.text == "Good night. Sleep well." and run.settings == SynthesisSettings(
        nfe_step=5, max_chunk_bytes=12, seed=7
    )
    assert (run.request.model, run.request.load.dtype, run.request.remake, run.reference) == (
        "demo-voice", "fp32", None, None,
    )  # fmt: skip
    assert np.abs(read_audio(folder / "audio.wav", 24_000) - run.wave).max() < 1e-4
    made = {found.name: found.make(run) for found in exports.every()}
    assert all(b"Good night." in made[name] and b"Sleep well." in made[name] for name in ("srt", "vtt"))  # short files
    assert all(len(content) > 100 for name, content in made.items() if name not in ("srt", "vtt"))


def as_format_1(folder: Path) -> Path:
    """The run in ``folder`` as the program before format 2 would have written it."""
    (folder / "reference.wav").unlink()
    document = json.loads((folder / "run.json").read_text())
    for name in ("request", "weights"):
        del document[name]
    (folder / "run.json").write_text(json.dumps(document | {"format_version": 1}))
    return folder


def test_a_run_of_format_1_is_remade_where_its_voice_is_bundled(tiny_engine: Any, voice: Any) -> None:
    chosen = SynthesisSettings(nfe_step=2, max_chunk_bytes=40, seed=5)
    made = tiny_engine.run(TEXT, voice, chosen)
    as_format_1(store.save_run(made))
    old = store.load_run(made.id)
    speaker = restore_voice(old.request.voice)
    remade = tiny_engine.remake(old, speaker, 1, seed=6)  # which the old seed of chunk 1 was
    assert np.array_equal(remade.wave, made.wave) and remade.reference is not None
    assert store.load_run(store.save_run(remade).name).request.remake == Remake(made.id, 1, 6)


def test_the_times_of_a_remade_run_of_format_1_are_those_of_all_its_chunks(tiny_engine: Any, voice: Any) -> None:
    made = tiny_engine.run(TEXT, voice, SynthesisSettings(nfe_step=2, max_chunk_bytes=40))
    folder = as_format_1(store.save_run(tiny_engine.remake(made, voice, 1, seed=9)))
    document = json.loads((folder / "run.json").read_text())
    of_one = document["chunks"][1]["total_seconds"]
    document |= {"total_seconds": of_one, "time_to_first_audio_seconds": of_one}  # as it was
    (folder / "run.json").write_text(json.dumps(document))
    (listed,) = store.list_runs()
    assert listed.total_seconds == pytest.approx(sum(c["total_seconds"] for c in document["chunks"]))
    assert listed.first_audio_seconds == document["chunks"][0]["total_seconds"]
    assert (listed.parent, listed.remade_chunk) == (made.id, 1)
