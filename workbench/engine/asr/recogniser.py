"""Write down what is said: Whisper by faster-whisper, from local files, loaded once a process.

faster-whisper and CTranslate2 are the optional extra ``asr``; a model comes from the cache like any other. Nothing here
uses the network: the model is given as a folder that is whole, tokenizer included.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine import cache
from workbench.engine.catalog import RecogniserSpec, get_entry, list_recognisers
from workbench.engine.errors import RecogniserError, WeightsError
from workbench.engine.loads import count_load
from workbench.engine.logs import pairs
from workbench.engine.signal.audio import resample

log = logging.getLogger("workbench.asr")

SAMPLE_RATE = 16_000  # Hz, of every Whisper
BEAMS = 5
_WINDOW_SECONDS = 30  # that Whisper hears at once; without times, longer sound would not be cut rightly
DEFAULT = "whisper-base"  # what is offered where there is none
INSTALL = "pip install faster-whisper"
# Whisper writes Mandarin in either script and without marks; a first sentence in the wanted style decides that
_STYLE = {"zh": "以下是普通话的句子，有标点符号。"}
_SIGNS = frozenset("0123456789%$")  # tokens with these are spoken otherwise than they are written


@dataclass(frozen=True)
class Heard:
    """What a recogniser heard.

    Attributes:
        text: with punctuation as the recogniser sets it; "" for no words.
        language: ISO 639-1 code, as given or as detected.
        confidence: 0 to 1, the geometric mean of the probabilities of its tokens.
        recogniser: name of the catalogue entry.
        seconds: what hearing it took.
    """

    text: str
    language: str
    confidence: float
    recogniser: str
    seconds: float


@dataclass(frozen=True)
class Word:
    """A word that was heard, from ``start`` to ``end`` in seconds; ``confidence`` from 0 to 1."""

    start: float
    end: float
    text: str
    confidence: float


def _is_lost(segment: Any) -> bool:
    """Whether Whisper's own rule rejects ``segment``: it repeats itself, or its tokens are improbable.

    faster-whisper then draws random words, which differ each time. Decoding without times most often ends a loop.
    """
    return bool(segment.compression_ratio > 2.4 or segment.avg_logprob < -1.0)


class Recogniser:
    """A Whisper in memory. Threads may share it: one is served at a time."""

    def __init__(self, spec: RecogniserSpec, model: Any, device: str) -> None:
        self.spec = spec
        self.device = device
        self._model = model
        self._lock = threading.Lock()
        self._spelled: list[int] | None = None

    def hear(self, wave: np.ndarray, rate: int, *, language: str = "", spelled: bool = False) -> Heard:
        """What is said in ``wave``, float32 [n_samples] at ``rate`` Hz. The same wave gives the same words.

        Args:
            language: ISO 639-1 code; "" or one that the recogniser does not know: it is detected.
            spelled: write numbers as words, as they are spoken.
        """
        began = time.perf_counter()
        sound, wanted = resample(wave, rate, SAMPLE_RATE), self._language(language)
        with self._lock:
            options: dict[str, Any] = {
                "beam_size": BEAMS, "temperature": 0.0, "condition_on_previous_text": False, "language": wanted,
                "suppress_tokens": [-1, *(self._written() if spelled else ())],
            }  # fmt: skip
            segments, about = self._model.transcribe(sound, **options)
            if spelled and about.language in _STYLE:
                options |= {"language": about.language, "initial_prompt": _STYLE[about.language]}
                segments, _ = self._model.transcribe(sound, **options)
            found = list(segments)  # it listens while they are taken
            if len(sound) <= _WINDOW_SECONDS * SAMPLE_RATE and any(_is_lost(segment) for segment in found):
                segments, _ = self._model.transcribe(sound, without_timestamps=True, **options)
                found = list(segments)
        text = " ".join("".join(segment.text for segment in found).split())
        weights = [max(1, len(segment.tokens)) for segment in found]
        mean = sum(s.avg_logprob * n for s, n in zip(found, weights, strict=True)) / max(1, sum(weights))
        took = time.perf_counter() - began
        log.info("heard", extra=pairs(recogniser=self.spec.name, seconds=len(wave) / rate, took=took))
        return Heard(text, about.language, math.exp(mean) if found else 0.0, self.spec.name, took)

    def words(self, wave: np.ndarray, rate: int, *, language: str = "") -> tuple[Word, ...]:
        """The words of ``wave`` with their times, from the attention of the decoder: good to about a tenth of a second.

        Args:
            wave: float32 [n_samples] at ``rate`` Hz.
            language: as in ``hear``.
        """
        sound, seconds = resample(wave, rate, SAMPLE_RATE), len(wave) / rate
        with self._lock:
            segments, _ = self._model.transcribe(
                sound, beam_size=BEAMS, temperature=0.0, condition_on_previous_text=False,
                language=self._language(language), word_timestamps=True,
            )  # fmt: skip
            found = [word for segment in segments for word in segment.words or ()]
        placed = [(min(max(w.start, 0.0), seconds), min(max(w.end, 0.0), seconds), w) for w in found]
        return tuple(
            Word(float(start), float(max(start, end)), " ".join(w.word.split()), float(w.probability))
            for start, end, w in placed if w.word.strip()
        )  # fmt: skip

    def _language(self, language: str) -> str | None:
        """``language`` if it is known; that of a recogniser with one; else None, and it is detected."""
        known = set(self._model.supported_languages)
        return language if language in known else "en" if known == {"en"} else None

    def _written(self) -> list[int]:
        """Tokens with digits and signs."""
        if self._spelled is None:
            tokens = self._model.hf_tokenizer.get_vocab(with_added_tokens=False)
            self._spelled = sorted(n for token, n in tokens.items() if _SIGNS & set(token) and token[:2] != "<|")
        return self._spelled


# One at a time: a second one beside it would double the memory, and another is loaded in a second.
_kept: Recogniser | None = None
_loading = threading.Lock()


def load_recogniser(name: str | None = None, *, language: str = "") -> Recogniser:
    """The recogniser ``name``, loaded by the first who asks; without a name, ``best_recogniser(language)``.

    On a GPU in fp16, else on the CPU in int8. Another one that was loaded before is released.

    Raises:
        ModelError: no such recogniser.
        RecogniserError: faster-whisper is not installed, or none is on this disk; the message names both remedies.
        WeightsError: its files are not whole.
    """
    global _kept
    spec = _recogniser_called(name) if name else best_recogniser(language)
    with _loading:
        if _kept is None or _kept.spec != spec:
            if find_spec("faster_whisper") is None:
                raise _missing()
            folder = cache.resolve_recogniser(spec)
            _kept = None
            _kept = _load(spec, folder)
        return _kept


def release_recogniser() -> None:
    """Let the loaded recogniser go; its memory is free when nobody holds it any more."""
    global _kept
    with _loading:
        _kept = None


def on_this_disk() -> list[RecogniserSpec]:
    """The recognisers whose files are whole on this disk."""
    found = []
    for spec in list_recognisers():
        try:
            cache.resolve_recogniser(spec)
        except WeightsError:
            continue
        found.append(spec)
    return found


def best_recogniser(language: str = "") -> RecogniserSpec:
    """The largest recogniser on this disk that knows ``language`` ("": any); of one size, the one for it alone.

    Raises:
        RecogniserError: there is none; the message names what to install and what to fetch.
    """
    fitting = [s for s in on_this_disk() if (s.knows(language) if language else not s.languages)]
    if not fitting:
        fitting = [s for s in on_this_disk() if not language]  # better one for English than none
    if not fitting:
        raise _missing(language)
    return max(fitting, key=lambda s: (s.about_bytes // 10_000_000, bool(s.languages)))


def why_deaf(language: str = "") -> str:
    """Return why no recogniser can listen here, with the remedy; "" if one can. Loads none."""
    try:
        best_recogniser(language)
    except RecogniserError as error:
        return str(error)
    return ""


def _recogniser_called(name: str) -> RecogniserSpec:
    spec = get_entry(name)
    if not isinstance(spec, RecogniserSpec):
        raise RecogniserError(
            f"{spec.name} speaks; it does not listen.",
            remedy=f"Recognisers: {', '.join(s.name for s in list_recognisers())}.",
        )
    return spec


def _missing(language: str = "") -> RecogniserError:
    """What is missing, and both remedies: a person who lacks one mostly lacks the other."""
    size = next(s.about_bytes for s in list_recognisers() if s.name == DEFAULT)
    lacking = []
    if find_spec("faster_whisper") is None:
        lacking.append("faster-whisper is not installed")
    if not any(s.knows(language) for s in on_this_disk()):
        lacking.append(f"no recogniser{f' for {language!r}' if language else ''} is in the cache")
    return RecogniserError(
        f"Nothing here can listen: {' and '.join(lacking)}.",
        remedy=f"Run `{INSTALL}` and `python -m workbench cache fetch {DEFAULT}` ({size / 1e6:.0f} MB).",
    )


def _load(spec: RecogniserSpec, folder: Path) -> Recogniser:
    """Load from ``folder``; counted. Raises RecogniserError if the files cannot be used."""
    began = time.perf_counter()
    count_load("recogniser", spec.name)
    try:
        import ctranslate2
        from faster_whisper import WhisperModel

        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        kind = "float16" if device == "cuda" else "int8"
        model = WhisperModel(str(folder), device=device, compute_type=kind, local_files_only=True)
    except ImportError as error:
        raise RecogniserError(f"faster-whisper does not load ({error}).", remedy=f"Run `{INSTALL}` again.") from error
    except Exception as error:  # the tokenizer's library raises plain Exception
        raise RecogniserError(
            f"{spec.name} in {folder} cannot be loaded ({' '.join(str(error).split())[:200]}).",
            remedy="Fetch or import it again.",
        ) from error
    took = time.perf_counter() - began
    log.info("recogniser loaded", extra=pairs(name=spec.name, device=device, dtype=kind, took=took))
    return Recogniser(spec, model, device)
