"""Ears that know nothing of the recipe: Whisper hears words, Resemblyzer voices, DNSMOS how pleasant it is.

All are optional (`requirements.txt` beside this file). Whisper is a folder that is already on this disk, in one of two
layouts: that of faster-whisper (`model.bin`), or an ONNX export (`encoder_model.onnx`, `decoder_model.onnx`, with the
tokenizer's files beside them or one folder up).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from workbench.engine import upstream
from workbench.engine.errors import WorkbenchError
from workbench.engine.signal.audio import resample

SAMPLE_RATE_HZ, _WHISPER_HZ = 24_000, 16_000
_MOST_TOKENS = 200


class EarError(WorkbenchError):
    """Something that listens is not installed, or not in the folder that was named."""


class Recogniser(Protocol):
    """Writes down what is said in a wave f32 [n_samples] at 16 kHz, of 30 s at most."""

    def __call__(self, wave: np.ndarray) -> str: ...


def missing(error: ImportError) -> EarError:
    """The error for an optional package that is not installed."""
    return EarError(f"{error.name} is not installed.", remedy="pip install -r training/demo_voice/requirements.txt")


class FasterWhisper:
    """Whisper by faster-whisper: beams of five, int8 on a CPU."""

    def __init__(self, folder: Path) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise missing(error) from error
        self.model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)

    def __call__(self, wave: np.ndarray) -> str:
        """See `Recogniser`."""
        options = {"language": "en", "beam_size": 5, "without_timestamps": True, "condition_on_previous_text": False}
        return "".join(segment.text for segment in self.model.transcribe(wave, **options)[0]).strip()


class OnnxWhisper:
    """Whisper from an ONNX export without cached keys: the most likely token each time, until the end."""

    def __init__(self, folder: Path) -> None:
        upstream.install()  # transformers imports torchaudio
        try:
            import onnxruntime
            from transformers import AutoTokenizer, WhisperFeatureExtractor
        except ImportError as error:
            raise missing(error) from error
        files = [next(folder.rglob(f"{part}_model.onnx"), None) for part in ("encoder", "decoder")]
        if None in files:
            raise EarError(
                f"{folder} has no encoder_model.onnx and decoder_model.onnx.", remedy="Name another --whisper."
            )
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(f), providers=["CPUExecutionProvider"]) for f in files
        )
        self.features = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def __call__(self, wave: np.ndarray) -> str:
        """See `Recogniser`."""
        features = self.features(wave, sampling_rate=_WHISPER_HZ, return_tensors="np").input_features
        hidden = self.encoder.run(None, {self.encoder.get_inputs()[0].name: features.astype(np.float32)})[0]
        names = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
        begin = [self.tokenizer.convert_tokens_to_ids(name) for name in names]
        found, end = list(begin), self.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        while len(found) < _MOST_TOKENS:
            given = {"input_ids": np.array([found], np.int64), "encoder_hidden_states": hidden}
            best = int(self.decoder.run(["logits"], given)[0][0, -1].argmax())
            if best == end:
                break
            found.append(best)
        return self.tokenizer.decode(found[len(begin) :], skip_special_tokens=True).strip()


def load_whisper(folder: Path) -> Recogniser:
    """The recogniser in a folder. Raises EarError when there is none of a known layout."""
    if not folder.is_dir():
        raise EarError(f"{folder} is no folder.", remedy="Give --whisper a folder with a Whisper base.")
    return FasterWhisper(folder) if (folder / "model.bin").exists() else OnnxWhisper(folder)


class Spelling:
    """Words as they are compared: Whisper's own English normaliser, without hyphens."""

    def __init__(self) -> None:
        try:
            from whisper_normalizer.english import EnglishTextNormalizer
        except ImportError as error:
            raise missing(error) from error
        self._tidy = EnglishTextNormalizer()

    def __call__(self, text: str) -> str:
        """`text` in lower case, numbers as digits, no punctuation."""
        return " ".join(self._tidy(text).replace("-", " ").split())


def error_rates(wanted: Sequence[str], heard: Sequence[str]) -> tuple[float, float]:
    """Share of the words and of the characters that are wrong, over all texts together."""
    try:
        import jiwer
    except ImportError as error:
        raise missing(error) from error
    return float(jiwer.wer(list(wanted), list(heard))), float(jiwer.cer(list(wanted), list(heard)))


class Ears:
    """All three, loaded once.

    Raises:
        EarError: one of them is not installed.
    """

    def __init__(self, whisper: Path) -> None:
        try:
            from resemblyzer import VoiceEncoder, preprocess_wav
            from speechmos import dnsmos
        except ImportError as error:
            raise missing(error) from error
        self.words, self.spelling = load_whisper(whisper), Spelling()
        self._encoder, self._prepare, self._dnsmos = VoiceEncoder("cpu", verbose=False), preprocess_wav, dnsmos

    def hear(self, wave: np.ndarray) -> str:
        """What is said in a wave at 24 kHz; longer ones are heard in pieces of 28 s."""
        low = resample(wave, SAMPLE_RATE_HZ, _WHISPER_HZ)
        size = 28 * _WHISPER_HZ
        return " ".join(self.words(low[at : at + size]) for at in range(0, max(len(low), 1), size))

    def voice(self, wave: np.ndarray) -> np.ndarray:
        """Unit vector [256] of the voice; the product of two is their similarity."""
        return self._encoder.embed_utterance(self._prepare(wave, source_sr=SAMPLE_RATE_HZ))

    def pleasant(self, wave: np.ndarray) -> dict[str, Any]:
        """DNSMOS from 1 to 5: overall, speech, background, and P.808."""
        low = resample(wave, SAMPLE_RATE_HZ, _WHISPER_HZ)
        found = self._dnsmos.run(low / max(1.0, float(np.abs(low).max())), sr=_WHISPER_HZ)
        names = {"overall": "ovrl_mos", "speech": "sig_mos", "background": "bak_mos", "p808": "p808_mos"}
        return {name: float(found[key]) for name, key in names.items()}
