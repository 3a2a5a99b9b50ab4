"""Training on what the model itself makes: the states are those of upstream's sampler, and the critic hears them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.demo_voice import acoustic, critic, learning
from training.demo_voice.corpus import Corpus
from training.demo_voice.harmonics import Adversary, loose_distance
from training.demo_voice.rhythm import matching_frames
from training.demo_voice.rows import RowPlan, make_batch

PHONES = 20


@pytest.fixture
def corpus():
    """Six utterances of noise in one group: only their shapes matter."""
    draw = np.random.default_rng(0)
    found = Corpus([], [], [], [], [list(range(6))])
    for n_chars in (9, 12, 15, 20, 24, 30):
        n = 5 * n_chars
        found.mel.append(draw.normal(-4, 2, (n, 100)).astype(np.float16))
        found.phones.append(np.repeat(draw.integers(2, PHONES, -(-n // 5)), 5)[:n].astype(np.uint8))
        found.ids.append(draw.integers(1, 27, n_chars).astype(np.uint8))
        found.words.append(np.array([[0, 0], [n // 2, n_chars // 2]]))
    return found


@pytest.fixture
def learner(small_cfm):
    made = learning.Learner(small_cfm, PHONES, 1)
    made.cfm = small_cfm
    return made


def rows(corpus, n_rows, **kind):
    return make_batch(corpus, n_rows, 224, RowPlan(**{"drop": 0.0, "free": 0.0, "span": 0.0} | kind), random.Random(3))


def test_its_own_states_are_those_of_upstreams_sampler(corpus, learner):
    batch = rows(corpus, 1)
    reference = batch.mel[:, : int((~batch.masked).sum())]
    options = {"cfg_strength": 2.0, "sway_sampling_coef": None, "use_epss": False, "seed": 5}
    sampled, _ = learner.cfm.sample(reference, batch.ids, 224, steps=1, **options)
    torch.manual_seed(5)
    noise = torch.randn(224, 100)[None]
    own = learner.own_state(batch, torch.ones(1), noise, n_steps=1)
    assert torch.allclose(own[batch.masked], sampled[batch.masked], atol=1e-4)
    assert not torch.allclose(own, noise, atol=0.1)


def test_its_own_states_begin_at_the_noise_and_are_the_same_for_both_halves_of_guidance(corpus, learner):
    batch = rows(corpus, 2)
    noise, time_ = torch.randn_like(batch.mel), torch.tensor([0.7, 0.0])
    states = []
    for drop in (False, True):
        batch.drop = torch.full((2,), drop)
        states.append(learner.own_state(batch, time_, noise, 3))
    assert torch.equal(states[0], states[1]) and torch.equal(states[0][1], noise[1])
    assert not torch.allclose(states[0][0], learning.noised(batch, time_, noise)[0], atol=0.1)


def test_a_row_without_text_and_reference_does_not_depend_on_them(corpus, learner):
    batch = rows(corpus, 1)
    batch.drop = torch.tensor([True])
    x, time_ = torch.randn_like(batch.mel), torch.tensor([0.3])
    first, _ = learner(batch, time_, x, 0)
    batch.mel, batch.ids = batch.mel + 1, (batch.ids + 3) % 27
    assert torch.equal(learner(batch, time_, x, 0)[0], first)


def judged(learner, batch, time_, x):
    """The velocity with guidance of one half, written out."""
    with_text = learner(batch, time_, x, 0)[0]
    free = learner(replace(batch, drop=torch.ones_like(batch.drop)), time_, x, 0)[0]
    return torch.where(batch.drop[:, None, None], free, 1.5 * with_text - 0.5 * free)


def test_the_flow_loss_is_the_squared_error_of_a_velocity_with_a_little_guidance(corpus, learner):
    batch = rows(corpus, 3, free=1.0)
    batch.drop = torch.tensor([False, True, False])
    torch.manual_seed(7)
    found = learning.losses(learner, batch, low_share=0.5, read_block=0)
    torch.manual_seed(7)
    noise = torch.randn_like(batch.mel)
    time_ = learning.draw_times(3, 0.5, noise.device)
    velocity = judged(learner, batch, time_, learning.noised(batch, time_, noise))
    assert torch.allclose(found["flow"], (velocity - (batch.mel - noise)).square().mean(), rtol=0.02)  # bf16 perhaps


def test_what_is_judged_is_what_sampling_follows_at_that_strength(corpus, learner):
    batch = rows(corpus, 2)
    batch.drop = torch.tensor([False, True])
    reference = batch.mel[:1, : int((~batch.masked[0]).sum())]
    options = {"cfg_strength": learning.JUDGED, "sway_sampling_coef": None, "use_epss": False, "seed": 5}
    sampled, _ = learner.cfm.sample(reference, batch.ids[:1], 224, steps=1, **options)
    torch.manual_seed(5)
    noise, begin = torch.randn(224, 100).expand(2, -1, -1), torch.zeros(2)
    velocity, _ = learner(batch, begin, noise, 0)
    guided = learner.guided(batch, begin, noise, velocity)
    told = batch.masked[0]
    assert torch.allclose((noise + guided)[0][told], sampled[0][told], atol=1e-4)
    assert torch.equal(guided[1], velocity[1])  # what guidance goes away from is not guided itself


def test_errors_at_states_of_its_own_count_less_as_the_way_gets_shorter(corpus, learner):
    batch = rows(corpus, 4)
    batch.drop = torch.tensor([False, True, False, True])
    torch.manual_seed(8)
    found = learning.losses(learner, batch, low_share=0.5, read_block=0, own_steps=2)
    torch.manual_seed(8)
    noise = torch.randn_like(batch.mel)
    time_ = learning.draw_own_times(4, 2, noise.device)
    x = learner.own_state(batch, time_, noise, 2)
    left = (1 - time_)[:, None, None]
    guess = x + left * judged(learner, batch, time_, x)
    frames = matching_frames(guess.detach(), batch.mel, batch.masked)
    error = loose_distance(guess, batch.mel.gather(1, frames[..., None].expand_as(guess))) * left[..., 0] ** 2
    assert torch.allclose(
        found["flow"], (error * learning.frame_weights(batch.masked)).sum(), rtol=0.02
    )  # bf16 perhaps


def test_a_row_counts_by_the_root_of_its_new_frames():
    masked = torch.zeros(3, 500, dtype=torch.bool)
    masked[0, -400:] = masked[1, -4:] = True
    weight = learning.frame_weights(masked)
    assert torch.isclose(weight.sum(), torch.ones(())) and not weight[~masked].any()
    assert torch.isclose(weight[0].sum(), 10 * weight[1].sum())
    assert not learning.frame_weights(masked[2:]).any()


def test_the_adversary_is_asked_at_states_of_its_own_only_and_learns_beside_the_model(corpus, learner, tmp_path):
    adversary = Adversary(8)
    found = learning.losses(learner, rows(corpus, 3), low_share=1.0, read_block=0, adversary=adversary)
    assert "harmonics" not in found
    plan = acoustic.AcousticPlan(
        steps=6, batch_frames=480, own_share=(1.0, 1.0), own_lengths=(160,), critic_weight=0.0, warmup=1
    )
    training = acoustic.Training(plan, tmp_path, corpus, None, learner)
    before = [p.clone() for p in training.adversary.parameters()]
    training.run(report_every=2, save_every=6)
    assert all(not torch.equal(b, p) for b, p in zip(before, training.adversary.parameters(), strict=True))
    curve = [line.split(",") for line in (tmp_path / "acoustic.csv").read_text().splitlines()]
    at = curve[0].index("own_harmonics")
    assert all(float(row[at]) > 0 for row in curve[1:])
    other = acoustic.Training(plan, tmp_path, corpus, None, learner)
    assert other.resume() and all(
        torch.equal(p, q) for p, q in zip(training.adversary.parameters(), other.adversary.parameters(), strict=True)
    )


def silent_around(corpus, kind, n_frames=448):
    """Frames of new words, and how many of them are silent before and after the speech, for forty rows."""
    for seed in range(40):
        plan = RowPlan(**{"drop": 0.0, "free": 0.0, "span": 0.0, "unlike": 0.0} | kind)
        batch = make_batch(corpus, 1, n_frames, plan, random.Random(seed))
        spoken = torch.nonzero(batch.phones[0][batch.masked[0]])
        n_new = int(batch.masked.sum())
        yield n_new, int(spoken[0]), n_new - 1 - int(spoken[-1])


def test_new_words_stand_between_silences_and_a_few_keep_their_time(corpus):
    for n_new, before, after in silent_around(corpus, {"free": 1.0, "short": 0.0}):
        assert n_new == 448 and 1 <= before <= 6 and 1 <= after <= 13
    shares = [(before + after) / n_new for n_new, before, after in silent_around(corpus, {"brief": 1.0, "short": 0.0})]
    assert 0 < max(shares) < 0.12


def test_a_word_is_not_drawn_out_to_the_time_that_upstreams_rule_gives_it(corpus):
    found = list(silent_around(corpus, {"short": 1.0}))
    assert all(n_new > 100 for n_new, _, _ in found)  # nine characters, recorded in 45 frames, at 0.3 of the speed
    assert all(n_new - before - after <= 1.6 * 45 + 2 for n_new, before, after in found)


def test_the_critic_teaches_the_model_and_learns_nothing_itself(corpus, learner):
    torch.manual_seed(3)
    judge = critic.Critic(PHONES, hidden=16).eval().requires_grad_(False)
    found = learning.losses(learner, rows(corpus, 3), low_share=1.0, read_block=0, critic=judge, own_steps=2)
    found["critic"].backward()
    assert learner.transformer.proj_out.weight.grad.abs().sum() > 0
    assert learner.phone_head.weight.grad is None and all(p.grad is None for p in judge.parameters())


def test_the_critic_hears_only_what_sampling_makes(corpus, learner):
    judge = critic.Critic(PHONES, hidden=16).eval().requires_grad_(False)
    assert "critic" not in learning.losses(learner, rows(corpus, 3), low_share=1.0, read_block=0, critic=judge)


def test_the_critics_loss_falls_when_it_hears_what_it_wants(corpus):
    torch.manual_seed(4)
    judge = critic.Critic(PHONES, hidden=16).eval().requires_grad_(False)
    mel = torch.from_numpy(corpus.mel[0].astype(np.float32))[None].requires_grad_()
    wanted = torch.from_numpy(corpus.phones[0].astype(np.int64))[None]
    optimizer, heard = torch.optim.Adam([mel], 0.3), []
    for _ in range(60):
        loss = judge.loss(mel, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        heard.append(float(loss.detach()))
    assert heard[-1] < 0.5 * heard[0]


def test_a_share_of_the_steps_begins_at_states_of_its_own(corpus, learner, tmp_path):
    plan = acoustic.AcousticPlan(
        steps=4, batch_frames=224, own_share=(1.0, 1.0), own_lengths=(160,), curriculum=((10**9, {224: 1}),)
    )
    training = acoustic.Training(plan, tmp_path, corpus, None, learner)
    kinds = [training._kind_of_step(random.Random(k)) for k in range(20)]
    assert {length for length, _ in kinds} == {160} and {steps for _, steps in kinds} == {2, 3}
    training.run(report_every=2)
    header, *lines = (tmp_path / "acoustic.csv").read_text().splitlines()
    last = dict(zip(header.split(","), map(float, lines[-1].split(",")), strict=True))
    assert last["own_flow"] > 0 and last["own_phone"] > 0 and last["flow"] == 0
