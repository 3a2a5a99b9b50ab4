"""A recorder without CUDA, and a chunk spoken with it."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tests.engine.model.backends import variants
from workbench.engine.model.sampling import solve, text_embedded
from workbench.engine.settings import SynthesisSettings

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


class Fake:
    """Records by remembering: replay calls the function and writes into the same memory."""

    def __init__(self, n_bytes=1000):
        self.n_bytes, self.n_recorded, self.n_replayed = n_bytes, 0, 0
        self.tried = []

    def __call__(self, function, tried=False):
        output = function().clone()
        self.n_recorded += 1
        self.tried.append(tried)

        def replay():
            self.n_replayed += 1
            output.copy_(function())

        return replay, output, self.n_bytes


def kinds(graphs):
    """What the graphs record, and how many there are of each."""
    return Counter(key[0] for key in graphs._graphs)


def spoken(model, backend, frames=120, strength=2.0, seed=5, on_step=None, **changes):
    chunk = variants.flow(model, frames, strength, backend)
    with torch.inference_mode(), text_embedded(chunk):
        settings = SynthesisSettings(**({"nfe_step": 3} | changes))
        found = solve(chunk, settings, seed, 40, on_step=on_step)
    return found.mel, chunk
