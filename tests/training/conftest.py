"""A small network with recognisable output."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.demo_voice import network


@pytest.fixture
def small_cfm() -> Any:
    """Upstream's CFM, two narrow layers; fresh ones have gates and an output of zero, which would say nothing."""
    torch.manual_seed(2)
    cfm = network.build_cfm(network.ARCH | {"dim": 64, "depth": 2, "heads": 1, "text_dim": 48, "conv_layers": 2})
    network.open_gates(cfm.transformer)
    torch.nn.init.normal_(cfm.transformer.proj_out.weight, std=0.1)
    return cfm
