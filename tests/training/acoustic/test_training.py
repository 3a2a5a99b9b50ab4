"""The acoustic model learns, and goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch

from tests.training.toy import SMALL, acoustic_plan, padded, training_of
from training.demo_voice.acoustic import network, training
from training.demo_voice.corpus import rows
from training.demo_voice.corpus.corpus import Corpus
from training.demo_voice.errors import CorpusError
from training.demo_voice.texts import characters


def test_training_resumes_where_it_stopped(trained):
    before = torch.load(trained / "acoustic" / "acoustic.pt", weights_only=True)
    assert before["step"] == 4 and before["arch"] == SMALL
    again = training_of(trained, 6)
    assert again.resume() and again.step == 4
    again.run()
    after = torch.load(trained / "acoustic" / "acoustic.pt", weights_only=True)
    assert after["step"] == 6 and after["seconds"] >= before["seconds"]
    changed = [k for k in before["learner"] if not torch.equal(before["learner"][k], after["learner"][k])]
    assert len(changed) > len(before["learner"]) / 2


def test_a_small_corpus_trains_on_the_rows_that_it_can_fill(planned, caplog):
    composer = rows.Composer(Corpus.load(planned))
    plan = dataclasses.replace(acoustic_plan(2), lengths=((160, 0.2), (50_000, 0.8)))
    with caplog.at_level("INFO", logger="training.demo_voice"):
        drawn = iter(training.Rows(composer, plan, 0))
    assert {next(drawn)["index"].shape[1] for _ in range(4)} == {160} and "50000" in caplog.text
    with pytest.raises(CorpusError, match="too small"):
        training.Rows(composer, dataclasses.replace(plan, lengths=((50_000, 1.0),)), 0)


def test_training_learns(planned, tmp_path):
    one = training.Training(acoustic_plan(60), tmp_path, Corpus.load(planned), training.begin(SMALL, None))
    composer, rng, found = rows.Composer(one.corpus), random.Random(1), []
    for one.step in range(1, 41):
        drawn = rows.batch(composer, 2, 256, rng)
        found.append(one.one_step({k: torch.as_tensor(v) for k, v in drawn.items()})["flow"])
    assert np.mean(found[-8:]) < 0.8 * np.mean(found[:8])


def test_the_adversary_for_harmonics_is_taught_too(planned, tmp_path):
    plan_ = acoustic_plan(4, harmonics_weight=0.1)
    one = training.Training(plan_, tmp_path, Corpus.load(planned), training.begin(SMALL, None))
    before = {k: v.clone() for k, v in one.adversary.state_dict().items()}
    drawn = rows.batch(rows.Composer(one.corpus, rows.RowPlan(drop=0.0)), 4, 256, random.Random(1))
    one.step = 1
    found = one.one_step({k: torch.as_tensor(v) for k, v in drawn.items()})
    assert {"harmonics", "adversary"} <= set(found)
    assert any(not torch.equal(v, before[k]) for k, v in one.adversary.state_dict().items())


def test_a_deeper_model_begins_where_the_shallower_one_is(small_cfm):
    known = small_cfm.transformer.state_dict()
    deeper = network.build_cfm(SMALL | {"depth": 4})
    deeper.transformer.load_state_dict(network.grown(known, 4))
    ids, _ = padded([characters.tokens("One small step.")])
    x, cond, time = torch.randn(1, 77, 100), torch.randn(1, 77, 100), torch.tensor([0.3])
    with torch.no_grad():
        found = [
            model.transformer.eval()(x=x, cond=cond, text=ids, time=time, drop_text=False)
            for model in (small_cfm, deeper)
        ]
    assert torch.allclose(*found, atol=1e-5)
