"""Triton's kernels compute what PyTorch's operators do: on a GPU, and on a CPU by Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from tests.engine.model.backends.recording import needs_cuda

# rows, frames, heads, width, frames that belong to the chunk
SEQUENCES = [(2, 128, 16, 64, 100), (2, 1088, 16, 64, 1047), (2, 1024, 16, 64, 1000), (2, 704, 6, 64, 672),
             (1, 192, 3, 64, 192), (3, 64, 2, 32, 1), (2, 192, 2, 24, 130), (2, 128, 2, 40, 64)]  # fmt: skip
# channels, groups, rows, frames
CONVOLUTIONS = [(1024, 16, 2, 1088), (384, 16, 2, 700), (1024, 16, 1, 64), (96, 4, 3, 33), (128, 4, 2, 7)]
FEW = SEQUENCES[-3:], CONVOLUTIONS[-2:]  # the interpreter takes a second for a tile


def attention_is_torchs(case, device, dtype, tolerance):
    from workbench.engine.model.backends.lean.kernels import attended

    rows, frames, heads, width, n = case
    draw = torch.Generator().manual_seed(frames)
    qk = torch.randn(rows, frames, 2, heads, width, generator=draw)
    qk[:, :, 0] *= width**-0.5
    v = torch.randn(rows, frames, 3, heads, width, generator=draw)[:, :, 2]
    v[:, n:] = float("nan")  # a filling is not looked at
    qk, v = qk.to(device, dtype), v.to(device, dtype)
    q, k = qk[:, :, 0], qk[:, :, 1]
    bounds = torch.tensor([0, *(row * frames + end for row in range(rows) for end in (n, frames))], dtype=torch.int32)
    made = attended(q, k, v, bounds.to(device))
    exact = (x[:, :n].double().transpose(1, 2) for x in (q, k, v))
    wanted = F.scaled_dot_product_attention(*exact, scale=1.0).transpose(1, 2)
    torch.testing.assert_close(made[:, :n].double(), wanted, atol=tolerance, rtol=tolerance)


def convolution_is_torchs(case, device, dtype, tolerance):
    from workbench.engine.model.backends.lean.convolution import Fused
    from workbench.engine.model.backends.lean.kernels import convolved

    channels, groups, rows, frames = case
    torch.manual_seed(channels)
    layer = torch.nn.Conv1d(channels, channels, 31, padding=15, groups=groups).to(device, dtype)
    x = (torch.randn(rows, frames, channels) * 4).to(device, dtype)
    x[0, 0] = 40  # far in Mish's straight part, and below in the flat one
    x[0, -1] = -40
    fused = Fused(layer)
    made = convolved(x, fused.weight, fused.bias)
    wanted = F.mish(layer.double()(x.double().transpose(1, 2))).transpose(1, 2)
    torch.testing.assert_close(made.double(), wanted, atol=tolerance, rtol=tolerance)


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", SEQUENCES)
def test_on_cuda_attention_is_torchs(case, dtype):
    attention_is_torchs(case, "cuda", dtype, 3e-3 if dtype == torch.float16 else 2e-2)


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_on_cuda_the_convolution_is_torchs(case, dtype):
    convolution_is_torchs(case, "cuda", dtype, 5e-3 if dtype == torch.float16 else 4e-2)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_interpreter_computes_the_same():
    calls = [f"{name}({case}, 'cpu', torch.float32, 1e-5)"
             for name, cases in zip(("attention_is_torchs", "convolution_is_torchs"), FEW, strict=True)
             for case in cases]  # fmt: skip
    code = f"import torch\nfrom {__name__} import *\n" + "\n".join(calls)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_where_there_is_no_gpu_the_operators_are_pytorchs():
    from workbench.engine.model.backends.lean.attention import by_kernel, by_sequences
    from workbench.engine.model.backends.lean.convolution import Fused
    from workbench.engine.model.backends.lean.field import Places

    torch.manual_seed(0)
    qk, v = torch.randn(2, 64, 2, 2, 32), torch.randn(2, 64, 2, 32)
    bounds = torch.tensor([0, 50, 64, 114, 128], dtype=torch.int32)
    places = Places(torch.rand(2, 64, 16), bounds=bounds)
    assert torch.equal(by_kernel(qk, v, places, 2), by_sequences(qk, v, places, 2))
    layer, x = torch.nn.Conv1d(32, 32, 31, padding=15, groups=4), torch.randn(2, 50, 32)
    torch.testing.assert_close(Fused(layer)(x), F.mish(layer(x.transpose(1, 2))).transpose(1, 2))
