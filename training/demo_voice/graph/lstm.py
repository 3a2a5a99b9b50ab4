"""onnxruntime's quantised LSTM, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from training.demo_voice.graph.operators import Attributes


class QuantizedLSTM:
    """onnxruntime's `DynamicQuantizeLSTM` with its weights in floating point; its state begins at zero."""

    def __init__(self, attributes: Attributes, constants: list[Tensor | None], device: torch.device) -> None:
        weight, recurrent, bias, *_, w_scale, w_zero, r_scale, r_zero = constants
        hidden, self.directions = attributes["hidden_size"], weight.shape[0]
        order = torch.cat([torch.arange(k * hidden, (k + 1) * hidden) for k in (0, 2, 3, 1)])  # i o f c -> i f c o
        self.lstm = torch.nn.LSTM(weight.shape[1], hidden, bidirectional=self.directions == 2)
        state = {}
        for d, tail in enumerate(["", "_reverse"][: self.directions]):
            for name, matrix, scale, zero in (("ih", weight, w_scale, w_zero), ("hh", recurrent, r_scale, r_zero)):
                zeros = zero.float().reshape(-1)
                state[f"weight_{name}_l0{tail}"] = ((matrix[d].float() - zeros[d % len(zeros)]) * scale[d].float()).T[
                    order
                ]
            state[f"bias_ih_l0{tail}"], state[f"bias_hh_l0{tail}"] = (part[order] for part in bias[d].float().chunk(2))
        self.lstm.load_state_dict(state)
        self.lstm.to(device).flatten_parameters()

    def __call__(self, attributes: Attributes, x: Tensor, *constants: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Y [n, directions, b, hidden], last hidden and cell states, of x [n, b, width]."""
        y, (h, c) = self.lstm(x)
        return y.reshape(x.shape[0], x.shape[1], self.directions, -1).permute(0, 2, 1, 3), h, c
