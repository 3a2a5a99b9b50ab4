"""A small network that says something, and a work folder after each step of the recipe."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.training.toy import NAMES, NARROW, load_toy, small_vocoder_plan, source, toy_phonemes, training_of
from training.demo_voice.acoustic import network
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.corpus.teach import TeachJob, teach
from training.demo_voice.texts.plan import PlanSize, make_plan
from training.demo_voice.vocoder.training import VocoderTraining, clips_of


@pytest.fixture
def small_cfm() -> Any:
    """Upstream's CFM, two narrow layers; fresh ones have gates and an output of zero, which would say nothing."""
    torch.manual_seed(2)
    cfm = network.build_cfm(network.ARCH | {"dim": 64, "depth": 2, "heads": 1, "text_dim": 48, "conv_layers": 2})
    network.open_gates(cfm.transformer)
    torch.nn.init.normal_(cfm.transformer.proj_out.weight, std=0.1)
    return cfm


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """A work folder with a plan and a corpus."""
    folder = tmp_path_factory.mktemp("demo-voice")
    made = make_plan(NAMES, PlanSize(14, 14, blends=2), source(), toy_phonemes)
    made.write(folder / "plan.json")
    teach(TeachJob(folder, folder, "cpu", per_shard=8), load_toy)
    return folder


@pytest.fixture(scope="session")
def trained(planned):
    """The same after both trainings."""
    acoustic = training_of(planned, 4)
    acoustic.run()
    known, made = clips_of(
        Corpus.load(planned, wave=True), acoustic.average, small_vocoder_plan(3), torch.device("cpu")
    )
    assert made is not None and len(made.table) > 0
    VocoderTraining(small_vocoder_plan(3), planned / "vocoder", known, made, config=NARROW).run()
    return planned
