"""The vocoder learns on mels as the acoustic model makes them, in the rhythm of the audio that belongs to them."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from training.demo_voice import corpus, network, retrace, vocoder
from training.demo_voice.rows import MEL_FLOOR
from training.demo_voice.texts import CorpusError
from workbench.engine.signal.mel import mel_spectrogram


@pytest.fixture
def transformer(small_cfm):
    return small_cfm.eval().transformer


def again(transformer, start, n_steps=4):
    torch.manual_seed(5)
    mel = torch.randn(60, 100)
    ids = network.tokens("a reference of some words"), network.tokens("new words")
    return mel, retrace.retrace(transformer, torch.randn(90, 100), mel, ids, start, n_steps)


def test_the_nearer_the_start_is_to_the_recording_the_nearer_is_the_end(transformer):
    apart = []
    for start in (0.0, 0.5, 0.95, 1.0):
        mel, made = again(transformer, start)
        assert made.shape == mel.shape and made.isfinite().all()
        apart.append(float((made - mel).abs().mean()))
    assert apart[0] > apart[1] > apart[2] > apart[3] and apart[3] < 1e-3


def test_from_noise_it_is_upstreams_sampler(small_cfm, transformer):
    reference, mel = torch.randn(90, 100), torch.zeros(60, 100)
    ids = network.tokens("a reference of some words"), network.tokens("new words")
    torch.manual_seed(5)
    made = retrace.retrace(transformer, reference, mel, ids, 0.0, 6)
    whole = torch.cat([reference, torch.full((5, 100), MEL_FLOOR)])[None]
    tokens = torch.tensor([[*ids[0], 0, *ids[1]]])
    options = {"cfg_strength": 2.0, "sway_sampling_coef": -1.0, "use_epss": False, "seed": 5}
    out, _ = small_cfm.sample(whole, tokens, 155, steps=6, **options)
    assert torch.allclose(made, out[0, 95:], atol=1e-3)


@pytest.fixture
def shard(tmp_path):
    """Two groups of three utterances; the audio of the second one's longer two was kept."""
    draw = np.random.default_rng(0)
    lengths, rows, mels = [90, 40, 120, 130, 30, 160], [], []
    waves = [draw.normal(0, 0.1, (n - 1) * 256).astype(np.float32) for n in lengths]
    for i, wave in enumerate(waves):
        mels.append(mel_spectrogram(wave))
        rows.append((i // 3, len(mels[-1]), 4 + i, 1))
    ids = draw.integers(1, 27, sum(r[2] for r in rows)).astype(np.uint8)
    flat = {"mel": np.concatenate(mels).astype(np.float16), "ids": ids, "rows": np.array(rows)}
    flat |= {"phones": np.zeros(sum(map(len, mels)), np.uint8), "words": np.zeros((len(rows), 2), np.int64)}
    np.savez(tmp_path / "shard-0.npz", **flat)
    kept = [3, 5]
    audio = np.concatenate([waves[i] for i in kept])
    np.savez(tmp_path / "audio-0.npz", lengths=[len(waves[i]) for i in kept], utterances=kept, audio=audio)
    return tmp_path, waves


def test_audio_that_was_kept_knows_its_utterance(shard):
    folder, waves = shard
    data = corpus.Corpus.load(folder)
    for i, wave in corpus.kept_audio(folder):
        assert np.array_equal(wave, waves[i])
        assert np.abs(mel_spectrogram(wave) - data.mel[i]).max() < 0.02


def test_audio_of_an_earlier_version_is_refused_with_a_remedy(shard):
    folder, _ = shard
    with np.load(folder / "audio-0.npz") as kept:
        old = {k: kept[k] for k in ("lengths", "audio")}
    np.savez(folder / "audio-0.npz", **old)
    with pytest.raises(CorpusError, match="utterances") as error:
        corpus.kept_audio(folder)
    assert "demo_voice corpus" in error.value.remedy


def test_what_is_retraced_stays_with_its_audio(transformer, shard, monkeypatch):
    folder, waves = shard
    monkeypatch.setattr(retrace, "FROM", (1.0, 1.0))  # all of the recording is heard
    found = retrace.retraced(transformer, corpus.Corpus.load(folder), corpus.kept_audio(folder), 5, seed=1)
    assert len(found) == 2
    for wave, mel in found:
        assert any(np.array_equal(wave, w) for w in waves)
        assert np.abs(mel.numpy() - mel_spectrogram(wave)).max() < 1e-3


def test_a_clip_and_its_mel_begin_at_the_same_frame(shard):
    _, waves = shard
    plan = vocoder.VocoderPlan(frames=64, mel_blur=0, mel_noise=0)
    computed = [(w, None) for w in waves]
    given = [(w, torch.from_numpy(mel_spectrogram(w))) for w in waves]
    (one, its), (same, mel) = (vocoder.clips(known, plan, 3, random.Random(1)) for known in (computed, given))
    assert torch.equal(one, same) and one.shape == (3, 64 * 256) and its.shape == mel.shape == (3, 100, 65)
    assert (its - mel)[..., 2:-2].abs().max() < 1e-3
