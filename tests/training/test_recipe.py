"""A voice out of the recipe's checkpoints, and what each step says when it comes too early."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

import workbench
from tests.training.toy import ToyTeacher, toy_phonemes, toy_styles
from training.demo_voice import cli, export
from training.demo_voice.errors import TeacherError
from training.demo_voice.teacher import kokoro
from training.demo_voice.teacher.voices import REFERENCES
from workbench.engine.speech.voices import load_voice


def test_a_voice_is_put_together_and_the_engine_speaks_with_it(trained, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "demo-voice"
    styles = toy_styles([voice for voice, _ in REFERENCES.values()])
    lock = export.assemble(trained, folder, "toy", ToyTeacher(), styles, toy_phonemes)
    assert {"model_toy.safetensors", "vocos/model.safetensors", "voices/nora.flac"} <= set(lock["files"])
    listed = json.loads((folder / "voices" / "voices.json").read_text())
    assert [e["name"] for e in listed] == list(REFERENCES)
    wave, rate = soundfile.read(folder / listed[0]["file"])
    assert rate == 24_000 and abs(len(wave) / rate - listed[0]["seconds"]) < 0.01
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    engine = workbench.load_engine("demo-voice", device="cpu", dtype="fp32")
    average = torch.load(trained / "acoustic" / "acoustic.pt", weights_only=True)["average"]
    there = engine.loaded.cfm.transformer.state_dict()
    assert all(torch.allclose(there[k], v.half().float()) for k, v in average.items())
    run = engine.run("The gate is open.", load_voice("Arthur"), workbench.SynthesisSettings(nfe_step=2))
    assert np.isfinite(run.wave).all() and len(run.wave) > 12_000


def test_a_step_that_comes_too_early_names_the_one_before(tmp_path, capsys):
    for words, missing in ((["acoustic"], "plan"), (["teach"], "plan"), (["assemble"], "fetch")):
        with pytest.raises(SystemExit) as ended:
            cli.main(
                [*words, "--work", str(tmp_path), *(["--teacher", str(tmp_path)] if words != ["acoustic"] else [])]
            )
        assert ended.value.code == 2
        assert f"training.demo_voice {missing}" in capsys.readouterr().err.replace("\n", " ")


def test_a_missing_teacher_is_said_with_its_remedy(tmp_path):
    with pytest.raises(TeacherError, match="fetch"):
        kokoro.load_styles(tmp_path)
