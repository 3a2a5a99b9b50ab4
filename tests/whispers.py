"""A Whisper of random weights in CTranslate2's format: as many tokens as a real one, and next to no width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

WIDTH, HEADS = 16, 2
LANGUAGES = (  # noqa: SIM905 - in Whisper's order
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
).split()


def _bytes_as_characters() -> list[str]:
    """The 256 characters that stand for bytes in byte-level vocabularies, in their order there."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + k) for k in range(256 - len(plain))]


def _letters(number: int) -> str:
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(97 + number % 26)


def tokens(english: bool) -> list[str]:
    """The vocabulary: bytes, made-up words, and the special tokens where Whisper has them."""
    known = _bytes_as_characters()
    words = [f"\u0120w{_letters(k)}" for k in range(50_256 - len(known))]
    words += [] if english else [""]  # by which CTranslate2 tells a multilingual one
    marks = [
        "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), "<|translate|>",
        "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
        *(f"<|{k * 0.02:.2f}|>" for k in range(1501)),
    ]  # fmt: skip
    return known + words + marks


def write_whisper(folder: Path, *, english: bool = False, seed: int = 0) -> Path:
    """A Whisper in ``folder``, with the four files of the Hub's repositories. Skips the test without CTranslate2."""
    specs = pytest.importorskip("ctranslate2.specs")
    words, draw = tokens(english), np.random.default_rng(seed)
    spec = specs.WhisperSpec(1, HEADS, 1, HEADS)

    def random(*shape: int) -> np.ndarray:
        return draw.standard_normal(shape).astype(np.float32)

    def normed(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def attention(layer: Any, *rows: int) -> None:
        normed(layer.layer_norm)
        for linear, n in zip(layer.linear, rows, strict=True):
            linear.weight = random(n, WIDTH)

    for part, length in ((spec.encoder, 1500), (spec.decoder, 448)):
        normed(part.layer_norm)
        part.position_encodings.encodings = random(length, WIDTH)
        layer = part.layer[0]
        attention(layer.self_attention, 3 * WIDTH, WIDTH)
        normed(layer.ffn.layer_norm)
        layer.ffn.linear_0.weight, layer.ffn.linear_1.weight = random(4 * WIDTH, WIDTH), random(WIDTH, 4 * WIDTH)
    attention(spec.decoder.layer[0].attention, WIDTH, 2 * WIDTH, WIDTH)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = random(WIDTH, 80, 3), random(WIDTH)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = random(WIDTH, WIDTH, 3), random(WIDTH)
    spec.decoder.embeddings.weight = random(len(words), WIDTH)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [words.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [[0, 0]]
    spec.register_vocabulary(words)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    (folder / "vocabulary.json").unlink(missing_ok=True)
    _write_tokenizer(words, folder / "tokenizer.json")
    return folder


def _write_tokenizer(words: list[str], path: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.BPE(vocab={word: k for k, word in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(word, special=True) for word in words if word[:2] == "<|"])
    made.save(str(path))
