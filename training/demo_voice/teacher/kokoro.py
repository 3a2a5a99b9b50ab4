"""The teacher: Kokoro-82M (hexgrad, Apache-2.0), a synthesiser whose int8 graph fits 92 MB.

It is asked for phonemes in the voice of a style vector, and gives a wave at 24 kHz and how many frames of 600 samples
each phoneme lasts: exact labels for nothing. On a CPU onnxruntime runs it (three sentences a second on two cores), on a
GPU the interpreter (sixteen processes on one H100: 55 sentences a second).

Its files come from packages (module `files`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from training.demo_voice.errors import TeacherError
from training.demo_voice.graph.interpreter import Interpreter

FRAME = 600  # samples that one frame of the durations lasts
_DURATIONS = "/encoder/Clip_output_0"
_SINES = "/decoder/decoder/generator/m_source/l_sin_gen/Mul_6_output_0"
_VOICED = "/decoder/decoder/generator/m_source/l_sin_gen/Cast_output_0"
_NOISE_VOICED, _NOISE_VOICELESS = 0.003, 1 / 30


class Teacher(Protocol):
    """Says tokens: wave f32 [n_samples] at 24 kHz and frames of 600 samples per token [n_tokens]."""

    def __call__(self, tokens: list[int], style: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]: ...


def prepared(path: Path) -> Any:
    """The teacher's graph as `onnx.ModelProto`, with its durations as second output and its noise put back.

    The export left out the noise of the original's source, which is a whisper under voiced sounds and all of the sound
    of others: their phases were rounding errors of the export.
    """
    import onnx
    from onnx import helper

    model = onnx.load(str(path))
    graph = model.graph
    at = next(k for k, node in enumerate(graph.node) if _SINES in node.output)
    graph.node[at].output[0] = f"{_SINES}:plain"
    fall = helper.make_tensor("noise:fall", onnx.TensorProto.FLOAT, [], [_NOISE_VOICED - _NOISE_VOICELESS])
    most = helper.make_tensor("noise:most", onnx.TensorProto.FLOAT, [], [_NOISE_VOICELESS])
    graph.initializer.extend([fall, most])
    added = [
        helper.make_node("RandomNormalLike", [f"{_SINES}:plain"], ["noise:white"]),
        helper.make_node("Mul", [_VOICED, "noise:fall"], ["noise:less"]),
        helper.make_node("Add", ["noise:less", "noise:most"], ["noise:level"]),
        helper.make_node("Mul", ["noise:white", "noise:level"], ["noise:heard"]),
        helper.make_node("Add", [f"{_SINES}:plain", "noise:heard"], [_SINES]),
    ]
    for k, node in enumerate(added):
        graph.node.insert(at + 1 + k, node)
    durations = helper.make_tensor_value_info(_DURATIONS, onnx.TensorProto.FLOAT, None)
    graph.output.append(durations)
    return model


class OnnxTeacher:
    """The teacher on a CPU, by onnxruntime."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        graph = prepared(path).SerializeToString()
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, tokens: list[int], style: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """See `Teacher`."""
        given = {
            "tokens": np.array([tokens], np.int64),
            "style": style.reshape(1, 256).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        wave, durations = self.session.run(None, given)
        return wave.reshape(-1), durations.reshape(-1)


class TorchTeacher:
    """The teacher on any device of PyTorch, by the interpreter."""

    def __init__(self, path: Path, device: str = "cuda") -> None:
        self.interpreter = Interpreter(prepared(path), device)

    def __call__(self, tokens: list[int], style: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """See `Teacher`."""
        wave, durations = self.interpreter(
            tokens=torch.tensor([tokens]),
            style=torch.from_numpy(style.reshape(1, 256).astype(np.float32)),
            speed=torch.tensor([speed]),
        )
        return wave.reshape(-1).cpu().numpy(), durations.reshape(-1).cpu().numpy()


def load(folder: Path, device: str) -> Teacher:
    """The teacher of `folder` (see `files.fetch`): the interpreter on a GPU, onnxruntime on a CPU.

    Raises:
        TeacherError: its files are not there.
    """
    path = _found(folder / "kokoro.onnx")
    return OnnxTeacher(path) if device == "cpu" else TorchTeacher(path, device)


def load_styles(folder: Path) -> dict[str, np.ndarray]:
    """Style tables f32 [510, 256] of the teacher's voices by name; the row is the number of tokens.

    Raises:
        TeacherError: they are not there.
    """
    with np.load(_found(folder / "styles.npz")) as tables:
        return {name: tables[name] for name in tables.files}


def _found(path: Path) -> Path:
    if not path.exists():
        raise TeacherError(f"{path} is missing.", remedy="Run: python -m training.demo_voice fetch")
    return path
