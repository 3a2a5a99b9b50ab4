"""Text embedding and vocoder in lengths that many chunks share give what they give at the exact length."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.engine.model.backends import variants
from tests.engine.model.backends.recording import Fake, kinds, needs_cuda
from workbench.engine.model.backends.eager import Eager
from workbench.engine.model.backends.graphs import Graphs, unnoted
from workbench.engine.model.backends.lean.field import Lean
from workbench.engine.model.backends.lean.text import LeanText
from workbench.engine.model.backends.vocoder import LONGEST
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.synthesis import Engine

TOKENS = (1, 2, 3, 4, 20, 60, 64, 100, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 252, 253)  # 124, 252: full
FRAMES = (2, 3, 4, 5, 6, 7, 8, 100, 128, 250, 254, 255, 256, 257, 258, 300, 509, 511, 512, 513)  # 256, 512: full


@pytest.fixture
def lean_engine(tiny_engine):
    """The tiny engine with lean in fake graphs."""
    lean = Lean(tiny_engine.loaded.cfm, Graphs(Fake()), fill_up=True)
    return Engine(dataclasses.replace(tiny_engine.loaded, backend=lean))


@pytest.mark.parametrize("variant", ["v1", "demo voice"])
def test_a_text_is_embedded_as_at_its_exact_length(variant):
    embedding, graphs = variants.cfm(variant).transformer.text_embed, Graphs(Fake())
    n_known = embedding.text_embed.num_embeddings - 1
    ours, exact, generator = LeanText(embedding, graphs), LeanText(embedding), torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for n_tokens in TOKENS:
            tokens = torch.randint(0, n_known, (1, n_tokens), generator=generator)
            for frames in (n_tokens, n_tokens + 1, n_tokens + 3, n_tokens + 5, 5 * n_tokens + 2):
                for guided in (True, False):
                    found, wanted = ours(tokens, frames, guided), exact(tokens, frames, guided)
                    theirs = embedding(tokens, frames)
                    assert found.shape == wanted.shape and wanted.std() > 0.01
                    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
                    torch.testing.assert_close(found[:1], theirs, atol=1e-5, rtol=1e-5)
    assert kinds(graphs) == {"text": 6}, "128, 256 and 384 places, one row and two"


def test_a_text_longer_than_upstreams_positions_is_left_as_it_is():
    embedding, graphs = variants.cfm().transformer.text_embed, Graphs(Fake())
    with torch.inference_mode():
        LeanText(embedding, graphs)(torch.zeros(1, 8191, dtype=torch.long), 8191, False)
    assert len(graphs) == 0


def test_a_mel_is_decoded_as_at_its_exact_length(lean_engine):
    loaded, generator = lean_engine.loaded, torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for frames in FRAMES:
            mel = torch.randn(frames, 100, generator=generator)
            wanted = Eager().decode(loaded.vocoder, mel, unnoted)
            found = loaded.backend.decode(loaded.vocoder, mel, unnoted)
            assert found.shape == wanted.shape and wanted.std() > 0.001
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert kinds(loaded.backend.graphs) == {"vocoder": 3}


def test_other_vocoders_and_very_long_mels_are_upstreams(lean_engine):
    loaded = lean_engine.loaded

    class Other:
        backbone = torch.nn.Identity()

        def decode(self, mel):
            return mel.sum(1)

    with torch.inference_mode():
        assert loaded.backend.decode(Other(), torch.ones(9, 100), unnoted).tolist() == [100.0] * 9
        long = torch.zeros(LONGEST + 1, 100)
        wave = loaded.backend.decode(loaded.vocoder, long, unnoted)
        assert torch.equal(wave, Eager().decode(loaded.vocoder, long, unnoted))
    assert len(loaded.backend.graphs) == 0


def test_a_chunk_sounds_the_same_alone_and_within_a_run(lean_engine, voice):
    settings = SynthesisSettings(nfe_step=2, max_chunk_bytes=60)
    text = "The first sentence is a short one. A second one follows and is longer. The third ends it."
    whole = lean_engine.run(text, voice, settings, save=False)
    assert len(whole.chunks) > 1
    fresh = Engine(dataclasses.replace(
        lean_engine.loaded, backend=Lean(lean_engine.loaded.cfm, Graphs(Fake()), fill_up=True)
    ))  # fmt: skip
    for made in reversed(whole.chunks):
        (alone,) = fresh.synthesize(text, voice, settings, chunks=[made.chunk])
        np.testing.assert_array_equal(alone.wave, made.wave)
        np.testing.assert_array_equal(lean_engine.decode(made.mel) / np.float32(voice.gain(settings.target_rms)),
                                      made.wave)  # fmt: skip


@pytest.mark.parametrize("kind", ["text", "vocoder"])
def test_where_one_cannot_be_recorded_all_go_on_without_and_say_so_once(kind, lean_engine, voice, caplog):
    """From then on the samples are those of lean without graphs."""
    loaded, settings = lean_engine.loaded, SynthesisSettings(nfe_step=2)
    fake, record = loaded.backend.graphs._record, Fake.__call__

    def failing(function, tried):
        if fake.n_recorded == {"text": 0, "vocoder": 2}[kind]:
            raise RuntimeError("operation not permitted when stream is capturing")
        return record(fake, function)

    loaded.backend.graphs._record = failing
    with caplog.at_level("WARNING", logger="workbench.backends"):
        runs = [lean_engine.run("The first sentence.", voice, settings, save=False) for _ in range(2)]
    plain = Engine(dataclasses.replace(loaded, backend=Lean(loaded.cfm, fill_up=True)))
    wanted = plain.run("The first sentence.", voice, settings, save=False)
    np.testing.assert_array_equal(runs[1].wave, wanted.wave)
    np.testing.assert_allclose(runs[0].wave, wanted.wave, atol=1e-4)
    assert len(loaded.backend.graphs) == 0
    assert [r.getMessage()[:36] for r in caplog.records] == ["no CUDA graph could be recorded, goi"]


def test_texts_and_vocoders_count_in_the_bound(lean_engine, voice):
    lean_engine.run("The first sentence.", voice, SynthesisSettings(nfe_step=2), save=False)
    graphs = lean_engine.loaded.backend.graphs
    assert kinds(graphs) == {"text": 1, "step": 1, "vocoder": 1}
    sizes = [found.n_bytes for found in graphs._graphs.values()]
    assert all(size > 1000 for size in sizes)
    graphs._max_bytes = sum(sizes) - 1
    graphs.recorded("another", lambda: ((), lambda: torch.zeros(1)))
    assert "text" not in kinds(graphs), "it was not used for longest"


@needs_cuda
def test_on_cuda_text_and_vocoder_are_replayed_at_every_length(monkeypatch):
    from tests.conftest import TINY_VOCOS
    from workbench.engine.model.backends.graphs import CudaRecorder
    from workbench.engine.model.random_weights import fill
    from workbench.engine.model.weights import vocos_of

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model, vocoder = variants.cfm("demo voice").to("cuda"), fill(vocos_of(TINY_VOCOS), 1).to("cuda").eval()
    lean = Lean(model, Graphs(CudaRecorder("cuda")))
    exact, n_known = LeanText(model.transformer.text_embed), model.transformer.text_embed.text_embed.num_embeddings - 1
    with torch.inference_mode():
        for n_tokens, frames in zip(TOKENS, FRAMES, strict=True):
            tokens = torch.arange(n_tokens, device="cuda")[None] % n_known
            ours, wanted = (text(tokens, n_tokens + frames, True) for text in (lean.text, exact))
            torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)
            mel = torch.randn(frames, 100, generator=torch.Generator().manual_seed(frames)).to("cuda")
            ours, wanted = (backend.decode(vocoder, mel, unnoted) for backend in (lean, Eager()))
            torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)
    assert not lean.graphs.failure and kinds(lean.graphs) == {"text": 3, "vocoder": 3}
