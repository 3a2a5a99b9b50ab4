"""The interpreter agrees with onnxruntime: every operator alone, and a small graph of integer products."""

from __future__ import annotations

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx", reason="pip install -r training/demo_voice/requirements.txt")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from training.demo_voice.graph.interpreter import GraphError, Interpreter  # noqa: E402

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(2, 3, 8)).astype(np.float32)
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
OWN = {"FastGelu", "FusedMatMul", "SkipLayerNormalization", "DynamicQuantizeLSTM"}


def f32(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def graph_of(nodes: list, constants: dict[str, np.ndarray], given: dict[str, np.ndarray], outputs: list[str]):
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
        for name, v in given.items()
    ]
    kept = [numpy_helper.from_array(v, name) for name, v in constants.items()]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(nodes, "test", inputs, made, kept)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=9)


def both(model, given: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    theirs = session.run(None, given)
    ours = Interpreter(model)(**{name: torch.from_numpy(v) for name, v in given.items()})
    return [(a, b.numpy()) for a, b in zip(theirs, ours, strict=True)]


CASES = {
    "Add": ([f32(3, 1)], {}),
    "Sub": ([f32(8)], {}),
    "Mul": ([f32(2, 3, 8)], {}),
    "Div": ([np.float32([2.5])], {}),
    "Pow": ([np.float32(2)], {}),
    "Sqrt": ([], {}),
    "Floor": ([], {}),
    "Round": ([], {}),
    "Sin": ([], {}),
    "Cos": ([], {}),
    "Exp": ([], {}),
    "Tanh": ([], {}),
    "Sigmoid": ([], {}),
    "Atan": ([], {}),
    "LeakyRelu": ([], {"alpha": 0.2}),
    "FastGelu": ([f32(8)], {}),
    "Clip": ([np.float32(-0.5)], {}),
    "Cast": ([], {"to": TensorProto.INT64}),
    "Equal": ([X.copy()], {}),
    "Greater": ([f32(8)], {}),
    "Less": ([f32(8)], {}),
    "GreaterOrEqual": ([f32(8)], {}),
    "Shape": ([], {}),
    "Reshape": ([i64(0, -1)], {}),
    "Unsqueeze": ([i64(0, 2)], {}),
    "Transpose": ([], {"perm": [2, 0, 1]}),
    "Concat": ([f32(2, 3, 4)], {"axis": -1}),
    "Slice": ([i64(1, -7), i64(3, -1), i64(1, 2), i64(1, 2)], {}),
    "Gather": ([i64(0, -1)], {"axis": 2}),
    "NonZero": ([], {}),
    "Expand": ([i64(4, 2, 1, 8)], {}),
    "Pad": ([i64(0, 0, 3, 0, 0, 2)], {"mode": "reflect"}),
    "CumSum": ([np.int64(2)], {}),
    "ReduceMean": ([i64(-1)], {"keepdims": 0}),
    "ReduceSum": ([i64(1)], {}),
    "Softmax": ([], {"axis": 1}),
    "MatMul": ([f32(8, 5)], {}),
    "FusedMatMul": ([f32(2, 5, 8)], {"transB": 1, "alpha": 0.5}),
    "LayerNormalization": ([f32(8), f32(8)], {"axis": -1, "epsilon": 1e-4}),
    "SkipLayerNormalization": ([f32(2, 3, 8), f32(8), f32(8)], {"epsilon": 1e-5}),
    "Conv": ([f32(4, 3, 3), f32(4)], {"pads": [2, 0], "strides": [1], "dilations": [1]}),
    "ConvTranspose": ([f32(3, 2, 4), f32(2)], {"strides": [2], "pads": [1, 1]}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_does_what_it_does_in_onnxruntime(name):
    extra, attributes = CASES[name]
    constants = {f"c{k}": v for k, v in enumerate(extra)}
    domain = "com.microsoft" if name in OWN else ""
    node = helper.make_node(name, ["x", *constants], ["y"], domain=domain, **attributes)
    given = {"x": X + 3 if name in ("Sqrt", "Pow") else X}
    ((theirs, ours),) = both(graph_of([node], constants, given, ["y"]), given)
    assert theirs.shape == ours.shape and theirs.dtype == ours.dtype
    np.testing.assert_allclose(ours, theirs, atol=2e-3 if name == "FastGelu" else 1e-5)


@pytest.mark.parametrize(
    ("mode", "place", "scale"),
    [("nearest", "asymmetric", 3.0), ("linear", "pytorch_half_pixel", 2.0), ("linear", "asymmetric", 0.5)],
)
def test_the_last_axis_is_stretched_as_there(mode, place, scale):
    how = {"mode": mode, "coordinate_transformation_mode": place} | (
        {"nearest_mode": "floor"} if mode == "nearest" else {}
    )
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **how)
    model = graph_of([node], {"scales": np.float32([1, 1, scale])}, {"x": X}, ["y"])
    ((theirs, ours),) = both(model, {"x": X})
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_spectra_and_parts_are_as_there():
    wave = f32(1, 64)
    nodes = [
        helper.make_node("STFT", ["x", "step", "window"], ["y"]),
        helper.make_node("Split", ["y"], ["a", "b"], axis=-1, num_outputs=2),
    ]
    constants = {"step": np.int64(4), "window": np.hanning(16).astype(np.float32)}
    model = graph_of(nodes, constants, {"x": wave}, ["a", "b"])
    for theirs, ours in both(model, {"x": wave}):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def quantized(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole numbers, scale and zero point of a matrix, as the export writes them."""
    scale = np.float32((values.max() - values.min()) / 255)
    zero = np.uint8(np.clip(round(-values.min() / scale), 0, 255))
    return np.clip(np.round(values / scale) + zero, 0, 255).astype(np.uint8), scale, zero


@pytest.mark.parametrize("op", ["MatMulInteger", "ConvInteger"])
def test_whole_number_products_are_folded_and_near_what_onnxruntime_has(op):
    wide = op == "MatMulInteger"
    weight = f32(8, 6) if wide else f32(6, 3, 3)
    whole, scale, zero = quantized(weight)
    bias = (DRAW.normal(size=6) * 0.5).astype(np.float32).reshape((6,) if wide else (6, 1))
    constants = {"w": whole, "s": scale.reshape(()), "z": zero.reshape(()), "b": bias}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        helper.make_node(op, ["q", "w", "qz", "z"], ["p"]),
        helper.make_node("Cast", ["p"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["qs", "s"], ["both"]),
        helper.make_node("Mul", ["f", "both"], ["scaled"]),
        helper.make_node("Add", ["scaled", "b"], ["y"]),
    ]
    model = graph_of(nodes, constants, {"x": X}, ["y"])
    ((theirs, ours),) = both(model, {"x": X})
    assert np.abs(theirs - ours).mean() < 0.03 * np.abs(theirs).mean()
    left = [node.op for node in Interpreter(model).nodes]
    assert left == ["Identity", "MatMul" if wide else "Conv", "Add"], "scale and cast are in the weight"


def test_a_quantised_lstm_is_near_what_onnxruntime_has():
    hidden, width = 5, 8
    parts = {}
    for name, shape in (("w", (2, width, 4 * hidden)), ("r", (2, hidden, 4 * hidden))):
        done = [quantized(0.4 * f32(*shape[1:])) for _ in range(2)]
        parts |= {name: np.stack([d[0] for d in done]), f"{name}s": np.float32([d[1] for d in done])}
        parts[f"{name}z"] = np.array([d[2] for d in done], np.uint8)
    parts |= {"b": 0.1 * f32(2, 8 * hidden)}
    names = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    options = {"domain": "com.microsoft", "direction": "bidirectional", "hidden_size": hidden}
    node = helper.make_node("DynamicQuantizeLSTM", names, ["y", "h", "c"], **options)
    given = {"x": f32(7, 2, width)}
    for theirs, ours in both(graph_of([node], parts, given, ["y", "h", "c"]), given):
        assert theirs.shape == ours.shape
        assert np.abs(theirs - ours).max() < 0.05


def test_noise_is_put_back_with_the_level_that_is_asked_for():
    node = helper.make_node("RandomNormalLike", ["x"], ["y"], scale=2.0)
    model = graph_of([node], {}, {"x": np.zeros((1, 1, 20_000), np.float32)}, ["y"])
    torch.manual_seed(1)
    (found,) = Interpreter(model)(x=torch.zeros(1, 1, 20_000))
    assert abs(float(found.std()) - 2) < 0.05 and abs(float(found.mean())) < 0.05


def test_an_operator_that_is_not_known_is_named():
    node = helper.make_node("Erf", ["x"], ["y"])
    with pytest.raises(GraphError, match="Erf"):
        Interpreter(graph_of([node], {}, {"x": X}, ["y"]))
