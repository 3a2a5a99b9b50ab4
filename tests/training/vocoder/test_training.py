"""The vocoder goes on where it was stopped, its discriminators too."""

from __future__ import annotations

import torch

from tests.training.toy import NARROW, small_vocoder_plan
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.vocoder.training import VocoderTraining, clips_of


def test_the_vocoder_resumes_with_its_discriminators(trained):
    state = torch.load(trained / "vocoder" / "vocoder.pt", weights_only=True)
    assert state["step"] == 3 and state["judges"]
    known, _ = clips_of(Corpus.load(trained, wave=True), None, small_vocoder_plan(4), torch.device("cpu"))
    again = VocoderTraining(small_vocoder_plan(4), trained / "vocoder", known, config=NARROW)
    assert again.resume() and again.adversarial_step > 0
    again.run()
    assert torch.load(trained / "vocoder" / "vocoder.pt", weights_only=True)["step"] == 4
    columns = (trained / "vocoder" / "vocoder.csv").read_text().splitlines()
    assert len(columns) == 3 and float(columns[-1].split(",")[6]) != 0, "the discriminators' mark"
