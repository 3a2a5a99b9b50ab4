"""The vocoder goes on where it was stopped, its discriminators too."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.training.toy import NARROW, small_vocoder_plan
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.errors import CorpusError
from training.demo_voice.vocoder.retrace import retrace
from training.demo_voice.vocoder.training import VocoderTraining, clips_of


def test_a_corpus_that_is_too_small_to_be_said_again_is_an_error_that_says_what_to_do(trained):
    small = Corpus.load(trained)
    few = dataclasses.replace(
        small, **{k: getattr(small, k)[:2] for k in ("first", "frames", "start", "end", "speaker", "ids")}
    )
    with pytest.raises(CorpusError, match="--retraced 0"):
        retrace(None, few, torch.from_numpy(few.mel), 1, 512, 1)


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
