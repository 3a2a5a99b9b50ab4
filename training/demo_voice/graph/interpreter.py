"""A small interpreter for ONNX graphs, in PyTorch: what onnxruntime runs on a CPU runs on a GPU too.

The graph is int8: activations are quantised as they come (`DynamicQuantizeLinear`), and products are of whole numbers.
Here activations stay as they are (scale 1, zero point 0), weights are taken back to floating point, and the scale and
the bias that follow a product are folded into it. What depends on constants alone is computed once. Against onnxruntime
on the teacher's own graph: 0.12 nats of log-mel distance, no bias in any band.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.demo_voice.graph import places, products  # noqa: F401  they register their operators
from training.demo_voice.graph.lstm import QuantizedLSTM
from training.demo_voice.graph.operators import OPERATORS
from workbench.engine.errors import WorkbenchError

_PRODUCTS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}


class GraphError(WorkbenchError):
    """A graph cannot be run here."""


@dataclass
class Node:
    """One operation: what it is, what it reads and writes, and, once it can run, how."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    run: Callable[..., Any] | None = None
    free: tuple[str, ...] = ()  # values that nobody reads after this node


class Interpreter:
    """Runs an `onnx.ModelProto`; call it with one tensor for each input.

    Args:
        model: the graph.
        device: where the numbers are. Shapes stay on the CPU.

    Raises:
        GraphError: an operator is not known here.
    """

    def __init__(self, model: Any, device: str | torch.device = "cpu") -> None:
        from onnx import numpy_helper

        self.device = torch.device(device)
        self.outputs = [o.name for o in model.graph.output]
        self.constants: dict[str, Tensor | None] = {"": None}
        for tensor in model.graph.initializer:
            self.constants[tensor.name] = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
        nodes = [_read(node) for node in model.graph.node]
        unknown = {n.op for n in nodes} - set(OPERATORS) - set(_PRODUCTS)
        unknown -= {"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "Constant"}
        if unknown:
            raise GraphError(f"The graph has operators that are not known here: {', '.join(sorted(unknown))}.",
                             remedy="Add them to operators.py.")  # fmt: skip
        self.nodes = self._with_functions(self._folded(self._without_constants(nodes)))

    @torch.inference_mode()
    def __call__(self, **inputs: Tensor) -> list[Tensor]:
        """The graph's outputs, in their order."""
        values: dict[str, Tensor | None] = {
            k: v.to(self.device) if v.is_floating_point() else v for k, v in inputs.items()
        }
        for node in self.nodes:
            given = [values[i] if i in values else self.constants[i] for i in node.inputs]
            found = node.run(node.attributes, *given)  # type: ignore[misc]
            values.update(zip(node.outputs, found if isinstance(found, (tuple, list)) else (found,), strict=False))
            for name in node.free:
                values.pop(name, None)
        return [values[name] if name in values else self.constants[name] for name in self.outputs]  # type: ignore[misc]

    def _without_constants(self, nodes: list[Node]) -> list[Node]:
        """The nodes that depend on an input; the others are computed now."""
        kept = []
        for node in nodes:
            if node.op == "Constant":
                self.constants[node.outputs[0]] = node.attributes["value"]
            elif node.op == "DynamicQuantizeLinear":  # value, scale, zero point
                self.constants[node.outputs[1]] = torch.ones(())
                self.constants[node.outputs[2]] = torch.zeros((), dtype=torch.uint8)
                kept.append(Node("Identity", node.inputs[:1], node.outputs[:1], {}))
            elif node.op in OPERATORS and all(i in self.constants for i in node.inputs):
                found = OPERATORS[node.op](node.attributes, *[self.constants[i] for i in node.inputs])
                self.constants.update(zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False))
            else:
                kept.append(node)
        return kept

    def _folded(self, nodes: list[Node]) -> list[Node]:
        """Products of whole numbers as products in floating point, with the bias and the scale that follow them.

        The graph has product, perhaps a bias (whole numbers, in units of the scale), a cast, and the scale. Biases were
        rounded to whole units of a scale that is 1 here: that rounding (`bias_quant`) is left out.
        """
        readers: dict[str, list[Node]] = {}
        for node in nodes:
            if "bias_quant" in node.outputs[0] and node.op in ("Floor", "Cast"):
                node.op = "Identity"
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
        gone: set[int] = set()
        for node in nodes:
            if node.op in _PRODUCTS:
                self._fold(node, readers, gone)
        return [node for node in nodes if id(node) not in gone]

    def _fold(self, node: Node, readers: dict[str, list[Node]], gone: set[int]) -> None:
        weight = self._weight(node)
        tail, bias = [], None
        follower = self._only_reader(node, readers)
        if follower and follower.op == "Add" and (other := self._constant_beside(follower, node)) is not None:
            tail, bias = [follower], other
            follower = self._only_reader(follower, readers)
        if follower and follower.op == "Cast":
            tail.append(follower)
            last = self._only_reader(follower, readers)
            scale = self._constant_beside(last, follower) if last and last.op == "Mul" else None
            if scale is not None and (fitted := _fitted(scale, weight, node.op)) is not None:
                weight = weight * fitted
                bias = None if bias is None else (bias * scale.float()).reshape(-1)
                gone.update(map(id, [*tail, last]))
                node.outputs = last.outputs
            else:
                bias = None
        else:
            bias = None
        added = [f"{node.outputs[0]}:bias"] if bias is not None else []
        self.constants[f"{node.outputs[0]}:weight"] = weight
        if added:
            self.constants[added[0]] = bias
        node.op, node.inputs = _PRODUCTS[node.op], [node.inputs[0], f"{node.outputs[0]}:weight", *added]

    def _weight(self, node: Node) -> Tensor:
        weight = self.constants[node.inputs[1]].float()  # type: ignore[union-attr]
        zero = self.constants[node.inputs[3]] if len(node.inputs) > 3 else None
        if zero is None:
            return weight
        channels = zero.ndim == 1 and node.op == "ConvInteger"
        return weight - (zero.float().reshape(-1, *[1] * (weight.ndim - 1)) if channels else zero.float())

    def _only_reader(self, node: Node, readers: dict[str, list[Node]]) -> Node | None:
        found = readers.get(node.outputs[0], [])
        return found[0] if len(found) == 1 and node.outputs[0] not in self.outputs else None

    def _constant_beside(self, node: Node | None, source: Node) -> Tensor | None:
        others = [i for i in node.inputs if i != source.outputs[0]] if node else []
        return self.constants.get(others[0]) if others else None

    def _with_functions(self, nodes: list[Node]) -> list[Node]:
        """Each node with its function and its constants where they are needed; and what can be forgotten after it."""
        last = {name: node for node in nodes for name in node.inputs}
        for node in nodes:
            if node.op == "DynamicQuantizeLSTM":
                node.run = QuantizedLSTM(node.attributes, [self.constants.get(i) for i in node.inputs[1:]], self.device)
            else:
                node.run = OPERATORS[node.op]
            if node.op == "ConstantOfShape" and node.attributes["value"].is_floating_point():
                node.attributes["device"] = self.device
            for k, name in enumerate(node.inputs):
                constant = self.constants.get(name)
                stays = node.op == "Resize" and k > 0
                if constant is not None and constant.is_floating_point() and not stays:
                    self.constants[name] = constant.to(self.device)
            node.free = tuple(
                i for i in set(node.inputs) if last[i] is node and i not in self.constants and i not in self.outputs
            )
        return nodes


def _read(node: Any) -> Node:
    from onnx import TensorProto, helper, numpy_helper

    attributes = {}
    for a in node.attribute:
        value = helper.get_attribute_value(a)
        if isinstance(value, TensorProto):
            value = torch.from_numpy(np.array(numpy_helper.to_array(value)))
        attributes[a.name] = value.decode() if isinstance(value, bytes) else value
    return Node(node.op_type, list(node.input), list(node.output), attributes)


def _fitted(scale: Tensor, weight: Tensor, op: str) -> Tensor | None:
    """The scale of a product in the shape of its weight; None where it cannot be folded into it."""
    if scale.numel() == 1 or op == "MatMulInteger":
        return scale.float()
    return scale.float().reshape(-1, *[1] * (weight.ndim - 1)) if scale.numel() == weight.shape[0] else None
