"""Parity with upstream's ``CFM.sample`` and ``infer_batch_process``, and tests of the deliberate differences."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.engine.model import upstream
from workbench.engine.errors import Cancelled
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.sampling import Flow, initial_noise, solve, text_embedded, time_grid
from workbench.engine.model.stopwatch import StepClock
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine
from workbench.engine.speech.text import conditioning_text

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
def tiny_engine(tiny_engine):
    """The tiny engine by upstream's own operations."""
    return Engine(dataclasses.replace(tiny_engine.loaded, backend=Eager()))


@pytest.fixture
def demo_engine(demo_engine):
    return Engine(dataclasses.replace(demo_engine.loaded, backend=Eager()))


def both(engine, voice, settings):
    """(our mel and wave, upstream's) of the same chunk: CFM.sample and vocoder.decode on the same weights."""
    (chunk,) = engine.plan(TEXT, voice, settings)
    (ours,) = engine.synthesize(TEXT, voice, settings)
    loaded = engine.loaded
    cond = torch.from_numpy(voice.mel)[None]
    cfm = loaded.cfm
    cfm.odeint_kwargs = {"method": settings.ode_method}
    with torch.inference_mode():
        out, _ = cfm.sample(
            cond=cond,
            text=[loaded.tokens(conditioning_text(voice.ref_text) + chunk.text)],
            duration=chunk.duration_frames,
            steps=settings.nfe_step,
            cfg_strength=settings.cfg_strength,
            sway_sampling_coef=settings.sway_sampling_coef,
            use_epss=settings.use_epss,
            seed=chunk.seed,
        )
        mel = out[:, voice.frames :]
        wave = loaded.vocoder.decode(mel.permute(0, 2, 1))[0] / voice.gain(settings.target_rms)
    return ours, mel[0].numpy(), wave.numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {"nfe_step": 7},
        {"nfe_step": 4, "sway_sampling_coef": 0.3, "seed": 5},
        {"nfe_step": 3, "cfg_strength": 0.0},
        {"nfe_step": 3, "ode_method": "midpoint"},
        {"nfe_step": 5, "use_epss": False, "cfg_strength": 1.0, "speed": 1.3},
    ],
    ids=str,
)
def test_parity_on_the_tiny_engine(tiny_engine, voice, changes):
    ours, mel, wave = both(tiny_engine, voice, SynthesisSettings(**changes))
    np.testing.assert_allclose(ours.mel, mel, atol=1e-4)
    np.testing.assert_allclose(ours.wave, wave, atol=1e-4)


@pytest.mark.slow
def test_parity_on_the_demo_voice(demo_engine, voice):
    ours, mel, wave = both(demo_engine, voice, SynthesisSettings(nfe_step=5, seed=3))
    np.testing.assert_allclose(ours.mel, mel, atol=1e-4)
    np.testing.assert_allclose(ours.wave, wave, atol=1e-4)


def test_upstream_leaks_the_last_reference_frame_into_every_chunk(tiny_engine, voice):
    """Its mel has samples // hop + 1 frames, but it cuts samples // hop: the speech begins in the past."""
    settings = SynthesisSettings(nfe_step=5)
    (chunk,) = tiny_engine.plan(TEXT, voice, settings)
    (ours,) = tiny_engine.synthesize(TEXT, voice, settings)
    call = upstream.function("infer_batch_process")
    cfm = tiny_engine.loaded.cfm
    cfm.odeint_kwargs = {"method": "euler"}
    real = cfm.sample
    cfm.sample = lambda **given: real(**given, seed=chunk.seed)
    try:
        _, _, mel = next(call((torch.from_numpy(voice.audio)[None], 24000), voice.ref_text, [chunk.text], cfm,
                              tiny_engine.loaded.vocoder, progress=None, nfe_step=5, device="cpu"))  # fmt: skip
    finally:
        del cfm.sample
    assert mel.shape[1] == len(ours.mel) + 1
    np.testing.assert_allclose(mel[:, 0], voice.mel[-1], atol=1e-3, err_msg="its first frame is the reference's last")
    np.testing.assert_allclose(mel[:, 1:].T, ours.mel, atol=1e-3)


def test_upstream_leaves_a_broken_call_in_its_cache_and_we_do_not(tiny_engine, voice):
    """A cancelled ``CFM.sample`` never reaches ``clear_cache``: the next call fails, or speaks the old text."""
    loaded = tiny_engine.loaded
    backbone = loaded.cfm.transformer

    def broken(*_, **__):
        raise KeyboardInterrupt

    hook = backbone.norm_out.register_forward_hook(broken)
    with pytest.raises(KeyboardInterrupt):
        loaded.cfm.sample(
            cond=torch.from_numpy(voice.mel)[None], text=[list("abc")], duration=800, steps=2, cfg_strength=2.0
        )
    assert backbone.text_cond is not None
    backbone.clear_cache()
    with pytest.raises(KeyboardInterrupt):
        list(tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=2)))
    hook.remove()
    assert backbone.text_cond is None
    assert len(list(tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=2)))) == 1


def test_the_noise_is_upstreams_and_the_global_generator_is_left_alone():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    ours = initial_noise(42, 50, 100)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(42)
    assert torch.equal(ours, torch.randn(50, 100))


@pytest.mark.parametrize("steps", [1, 5, 6, 7, 8, 10, 12, 16, 32])
@pytest.mark.parametrize("sway", [-1.0, 0.0, 0.5, None])
def test_time_grids_rise_from_zero_to_one(steps, sway):
    grid = time_grid(SynthesisSettings(nfe_step=steps, sway_sampling_coef=sway))
    assert len(grid) == steps + 1
    assert grid[0] == pytest.approx(0, abs=1e-6)
    assert grid[-1] == pytest.approx(1, abs=1e-6)
    assert (grid.diff() > 0).all()


def test_with_zeroed_output_layers_the_flow_is_zero_and_the_result_is_the_noise(tiny_engine, voice):
    """An oracle that needs no second implementation: upstream initialises these layers to zero."""
    model = tiny_engine.loaded.cfm.transformer
    kept = [p.clone() for p in model.proj_out.parameters()]
    try:
        for parameter in model.proj_out.parameters():
            parameter.data.zero_()
        flow = Flow(tiny_engine.loaded.cfm, torch.from_numpy(voice.mel.copy()), list(TEXT), 700, 2.0)
        with torch.inference_mode(), text_embedded(flow):
            found = solve(flow, SynthesisSettings(nfe_step=4), 9, voice.frames)
        assert torch.equal(found.mel, initial_noise(9, 700, 100)[voice.frames :])
    finally:
        for parameter, value in zip(model.proj_out.parameters(), kept, strict=True):
            parameter.data.copy_(value)


@pytest.mark.parametrize(("method", "per_step"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_evaluations_are_counted_not_assumed(tiny_engine, voice, method, per_step):
    (found,) = tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=3, ode_method=method))
    assert found.timing.n_evaluations == 3 * per_step
    assert len(found.timing.step_seconds) == 3


def test_the_trajectory_leads_from_the_noise_to_the_mel(tiny_engine, voice):
    settings = SynthesisSettings(nfe_step=6, keep_trajectory=True)
    (found,) = tiny_engine.synthesize(TEXT, voice, settings)
    path = found.trajectory
    assert path.states.shape == (7, *found.mel.shape)
    noise = initial_noise(found.seed, found.chunk.duration_frames, 100)[voice.frames :]
    np.testing.assert_allclose(path.states[0], noise, atol=2e-3)
    np.testing.assert_allclose(path.states[-1], found.mel, atol=2e-2)
    moved = np.sqrt(np.mean((path.states[1].astype(np.float32) - path.states[0]) ** 2))
    assert path.distances[0] == pytest.approx(moved, rel=0.02)


def test_the_trajectory_is_bounded_in_memory(tiny_engine, voice, monkeypatch):
    from workbench.engine import rules

    monkeypatch.setattr(rules, "TRAJECTORY_MAX_BYTES", 200_000)
    (found,) = tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=16, keep_trajectory=True))
    assert found.trajectory.states.nbytes <= 200_000 + found.mel.size * 4
    assert found.trajectory.times[0] == 0
    assert found.trajectory.times[-1] == pytest.approx(1)
    assert len(found.trajectory.distances) == 16, "distances are kept for every step"


def test_cancelling_takes_effect_within_one_step(tiny_engine, voice):
    seen = []

    def stop_at_three(at):
        seen.append(at.step)
        if at.step == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=32), on_step=stop_at_three))
    assert seen == [0, 1, 2, 3]
    assert len(list(tiny_engine.synthesize(TEXT, voice, SynthesisSettings(nfe_step=2)))) == 1


def test_a_gpu_has_the_next_step_to_do_while_one_is_reported(tiny_engine, voice, monkeypatch):
    waited = []

    class Events(StepClock):
        ahead = 1

        def wait(self, block):
            waited.append(block)

    monkeypatch.setattr("workbench.engine.model.sampling.StepClock", Events)
    loaded, settings, seen = tiny_engine.loaded, SynthesisSettings(nfe_step=5), []
    flow = Flow(loaded.cfm, torch.from_numpy(voice.mel), loaded.tokens(TEXT), voice.frames + 40, 2.0)
    with torch.inference_mode(), text_embedded(flow):
        solve(flow, settings, 0, voice.frames, on_step=lambda done, n: seen.append((done, flow.n_evaluations)))
    assert seen == [(0, 0), (1, 2), (2, 3), (3, 4), (4, 5), (5, 5)] and waited == [0, 1, 2, 3, 4]
