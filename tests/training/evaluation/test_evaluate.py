"""The evaluation counts what its recogniser hears, resumes, and names what is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.training.toy import ToyTeacher, toy_phonemes, toy_styles
from training.demo_voice import cli
from training.demo_voice.evaluation import ears, evaluate, plots, sets
from training.demo_voice.evaluation.sets import Case
from training.demo_voice.teacher import phonemes, speaking
from workbench.engine import upstream

TEXTS = ["The gate is open.", "Rain falls on the river.", "Who is there?"]


class ToyEars:
    """Hears all but the last word, finds everything pleasant, and knows a voice by its pitch."""

    spelling = staticmethod(lambda text: " ".join(w.strip(".,!?").lower() for w in text.split()))

    def __init__(self) -> None:
        self.heard = 0
        self.said: list[str] = []

    def hear(self, wave: np.ndarray) -> str:
        self.heard += 1
        return " ".join(self.said[min(self.heard, len(self.said)) - 1].split()[:-1])

    def voice(self, wave: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(wave, 2048))[:40]
        return spectrum / np.linalg.norm(spectrum)

    def pleasant(self, wave: np.ndarray) -> dict[str, float]:
        return {"overall": 3.0, "speech": 3.1, "background": 3.2, "p808": 3.3}


@pytest.fixture
def teaching(monkeypatch):
    monkeypatch.setattr(phonemes, "espeak", toy_phonemes)
    names = [voice for voice, _ in (sets.REFERENCES | sets.UNSEEN).values()]
    return evaluate.Teaching(ToyTeacher(), toy_styles(names))


@pytest.fixture
def wanted(monkeypatch):
    names = list(sets.REFERENCES)
    found = [Case("voice_2", "plain", text, names[k], 2) for k, text in enumerate(TEXTS)]
    return [*found, Case("chunks_40", "passage", TEXTS[1], "Nora", 2, 40)]


@pytest.fixture
def jiwer():
    return pytest.importorskip("jiwer", reason="pip install -r training/demo_voice/requirements.txt")


def test_every_case_is_heard_once_and_an_evaluation_goes_on(tiny_engine, teaching, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "error_rates", lambda wanted, heard: (0.25, 0.1))
    listening = ToyEars()
    listening.said = [*TEXTS, *TEXTS, *[case.text for case in wanted]]
    document, rows = evaluate.evaluate(tiny_engine, listening, tmp_path, wanted, teaching)
    assert listening.heard == len(rows) == 3 + 3 + 4
    assert {part: found["readings"] for part, found in document["parts"].items()} == {
        "teacher": 3, "copy": 3, "voice_2": 3, "chunks_40": 1,
    }  # fmt: skip
    assert document["parts"]["voice_2"]["texts_right"] == 0 and document["parts"]["voice_2"]["overall"] == 3.0
    assert {"pitch_correlation", "copy_distance"} & set(rows[3]) and "copy_distance" not in rows[0]
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:-2]) + "\n")
    again, _ = evaluate.evaluate(tiny_engine, listening, tmp_path, wanted, teaching)
    assert listening.heard == 10 + 2, "only what was missing"
    assert again["parts"]["teacher"] == document["parts"]["teacher"]
    plots.page(tmp_path / "page.png", document, rows)
    assert (tmp_path / "page.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads(json.dumps(document)) == document


def test_words_and_characters_are_counted_over_all_texts(jiwer):
    assert ears.error_rates(["a b c d", "e"], ["a b x d", "e"]) == pytest.approx((0.2, 0.125))


def test_whispers_spelling_makes_numbers_digits():
    pytest.importorskip("whisper_normalizer")
    tidy = ears.Spelling()
    assert tidy("Four hundred and twenty-three metres!") == tidy("423 meters")


def test_pitch_figures_of_a_tone_of_two_pitches():
    time = np.arange(48_000) / 24_000
    hz = np.where(time < 1, 100, 200)
    wave = sum(np.sin(2 * np.pi * k * np.cumsum(hz) / 24_000) / k for k in range(1, 6)).astype(np.float32)
    found = evaluate.pitch_figures(evaluate.pitch(wave, speaking.SAMPLE_RATE_HZ))
    assert found["voiced"] > 0.9 and abs(found["pitch_spread"] - 6) < 0.5  # an octave up and down of the middle


def test_the_same_contour_correlates_and_its_mirror_does_not():
    time = np.arange(36_000) / 24_000

    def sung(sign: int) -> np.ndarray:
        hz = 150 * 2 ** (sign * 0.4 * np.sin(2 * np.pi * time))
        return sum(np.sin(2 * np.pi * k * np.cumsum(hz) / 24_000) / k for k in range(1, 8)).astype(np.float32)

    up, down = sung(1), sung(-1)
    track = evaluate.pitch(up, 24_000)
    same = evaluate.contour(track, up, up)
    assert same["pitch_correlation"] > 0.99 and abs(same["pitch_ratio"] - 1) < 0.01
    assert evaluate.contour(track, up, down)["pitch_correlation"] < 0.5


def test_a_folder_without_a_recogniser_is_an_error_that_says_so(tmp_path, capsys):
    pytest.importorskip("resemblyzer", reason="pip install -r training/demo_voice/requirements.txt")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["evaluate", "--whisper", str(folder)])
        assert ended.value.code == 2 and str(folder) in capsys.readouterr().err.replace("\n", "")


def onnx_whisper(folder, words: list[str]) -> None:
    """An ONNX export that says `words`, whatever it hears: the token at a place is that of the place."""
    onnx = pytest.importorskip("onnx", reason="pip install -r training/demo_voice/requirements.txt")
    pytest.importorskip("onnxruntime")
    upstream.install()  # transformers imports torchaudio
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    special = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>", "<|endoftext|>"]
    known = {name: k for k, name in enumerate([*special, *words])}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(known, "<|endoftext|>")))
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    said = [4] * 4 + [known[w] for w in words] + [4] * 10
    table = np.eye(len(known), dtype=np.float32)[said][:, None, None]
    made, constants = helper.make_tensor_value_info, {"one": np.int64(1), "table": table}
    first = [helper.make_node("ReduceMean", ["input_features"], ["last_hidden_state"])]
    second = [
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"], axis=0),
        helper.make_node("Gather", ["table", "length"], ["logits"], axis=0),
    ]
    hidden = made("encoder_hidden_states", TensorProto.FLOAT, None)
    graphs = {
        "encoder": (first, [made("input_features", TensorProto.FLOAT, [1, 80, 3000])], "last_hidden_state", {}),
        "decoder": (second, [made("input_ids", TensorProto.INT64, [1, None]), hidden], "logits", constants),
    }
    (folder / "onnx").mkdir()
    for name, (nodes, inputs, output, numbers) in graphs.items():
        kept = [numpy_helper.from_array(np.asarray(v), k) for k, v in numbers.items()]
        graph = helper.make_graph(nodes, name, inputs, [made(output, TensorProto.FLOAT, None)], kept)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        onnx.save(model, str(folder / "onnx" / f"{name}_model.onnx"))


def test_an_onnx_export_is_read_token_by_token_until_the_end(tmp_path):
    onnx_whisper(tmp_path, ["rain", "falls"])
    heard = ears.load_whisper(tmp_path)(np.zeros(16_000, np.float32))
    assert heard.split() == ["rain", "falls"]
