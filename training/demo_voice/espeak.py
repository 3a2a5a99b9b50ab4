"""espeak-ng in process, through ctypes: speech together with the exact position of every phone.

The command line program starts anew for each sentence and says nothing about phones. The library
(`libespeak-ng.so.1`, Debian package `libespeak-ng1`) does both at about 200 times real time on one core.
"""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass

import numpy as np

from training.demo_voice.variants import VariantFolder, installed_data
from workbench.engine.errors import WorkbenchError

_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7  # espeak_EVENT_TYPE
_PHONEME_EVENTS = 1  # espeakINITIALIZE_PHONEME_EVENTS
_SYNCHRONOUS, _UTF8 = 2, 1
_SEPARATED = ord("_") << 8  # espeak_TextToPhonemes: put "_" between phonemes


class EspeakError(WorkbenchError):
    """espeak-ng is missing or refused a voice."""


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Speaker:
    """One way espeak-ng can speak: a voice variant, its pitch, intonation range (0..99) and words per minute."""

    variant: str = ""
    pitch: int = 50
    pitch_range: int = 50
    rate_wpm: int = 175


class Espeak:
    """A running espeak-ng (the library is one per process; do not make two).

    Args:
        invents: whether voice variants will be made up (`new_variant`), in a folder of their own.
    """

    def __init__(self, library: str = "libespeak-ng.so.1", invents: bool = False) -> None:
        try:
            self._lib = ctypes.CDLL(library)
        except OSError as error:
            raise EspeakError(f"{library} could not be loaded", remedy="apt-get install espeak-ng") from error
        self._lib.espeak_ng_InitializePath(None)
        data, path, self._variants = installed_data(self._lib), None, None
        if invents:
            self._variants = VariantFolder(data)
            data, path = self._variants.data, str(self._variants.path).encode()
        self._installed = data / "voices" / "!v"
        self.sample_rate_hz: int = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, path, _PHONEME_EVENTS)
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._pieces: list[np.ndarray] = []
        self._phones: list[tuple[int, str]] = []
        self.words: list[tuple[int, int]] = []  # of the last `speak`: sample and character at which each word begins
        self._callback = _CALLBACK(self._receive)  # kept: C holds only the bare pointer
        self._lib.espeak_SetSynthCallback(self._callback)
        self._speaker: Speaker | None = None
        self.use(Speaker())

    def new_variant(self, rng: random.Random) -> str:
        """Make up a voice variant and return its name for `Speaker`; the one made before is gone.

        Raises EspeakError unless made with `invents`.
        """
        if self._variants is None:
            raise EspeakError("this espeak-ng has only its own voices", remedy="Espeak(invents=True)")
        self._speaker = None  # so that `use` reads the new file
        return self._variants.add(rng, "made-up")

    def _receive(self, wave, n_samples: int, events) -> int:
        if n_samples > 0 and wave:
            self._pieces.append(np.ctypeslib.as_array(wave, (n_samples,)).copy())
        i = 0
        while events[i].type != _EVENT_END:
            if events[i].type == _EVENT_PHONEME:
                self._phones.append((events[i].sample, events[i].id.string.decode("latin1").strip()))
            elif events[i].type == _EVENT_WORD:
                self.words.append((events[i].sample, events[i].text_position - 1))
            i += 1
        return 0

    def use(self, speaker: Speaker) -> None:
        """Choose the voice of what is spoken next. Raises EspeakError when the variant is not installed."""
        previous = self._speaker
        if previous is None or previous.variant != speaker.variant:
            name = "en-us" + (f"+{speaker.variant}" if speaker.variant else "")
            there = (self._installed / speaker.variant).exists()  # espeak-ng itself ignores a variant it has not
            if not there or self._lib.espeak_SetVoiceByName(name.encode()) != 0:
                raise EspeakError(f"espeak-ng has no voice {name}", remedy="apt-get install espeak-ng-data")
        for parameter, value in ((_RATE, speaker.rate_wpm), (_PITCH, speaker.pitch), (_RANGE, speaker.pitch_range)):
            self._lib.espeak_SetParameter(parameter, int(value), 0)
        self._speaker = speaker

    def speak(self, text: str) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Speak `text`: mono f32 [n_samples] at `sample_rate_hz`, and (start sample, phone name) in order."""
        self._pieces.clear()
        self._phones.clear()
        self.words.clear()
        data = text.encode()
        self._lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        self._lib.espeak_Synchronize()
        wave = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        return wave.astype(np.float32) / 32768, list(self._phones)

    def phonemes(self, text: str) -> list[str]:
        """The phonemes of `text` with their stress marks, without speaking: much faster, no positions."""
        pointer = ctypes.c_char_p(text.encode())
        address = ctypes.cast(ctypes.pointer(pointer), ctypes.POINTER(ctypes.c_void_p))
        found: list[str] = []
        while address[0]:
            clause = self._lib.espeak_TextToPhonemes(address, _UTF8, _SEPARATED)
            for word in clause.decode().split():
                found += [p for p in word.split("_") if p]
        return found
