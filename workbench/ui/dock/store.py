"""Sounds that no run holds, such as a recording or a decoded step: in memory, by their hash, as many as fit."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict

import streamlit as st

from workbench.engine.errors import AudioError

LIMIT_BYTES = 128 * 2**20


class SoundStore:
    """WAV files by the sha256 of their bytes. The least recently used go first above the limit. Thread-safe."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def put(self, wav: bytes) -> tuple[str, float]:
        """Keep ``wav``; return its hash and its length in seconds.

        Raises:
            AudioError: it is no WAV file.
        """
        digest = hashlib.sha256(wav).hexdigest()
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return digest, self._kept[digest][1]
        seconds = _seconds(wav)
        with self._lock:
            if digest not in self._kept:
                self._kept[digest] = (wav, seconds)
                self._n_bytes += len(wav)
            while self._n_bytes > self.limit_bytes and len(self._kept) > 1:
                self._n_bytes -= len(self._kept.popitem(last=False)[1][0])
        return digest, seconds

    def get(self, digest: str) -> bytes | None:
        """Return the file with this hash; None if it is no longer kept."""
        with self._lock:
            if digest not in self._kept:
                return None
            self._kept.move_to_end(digest)
            return self._kept[digest][0]

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        with self._lock:
            return self._n_bytes


def _seconds(wav: bytes) -> float:
    import soundfile

    try:
        about = soundfile.info(io.BytesIO(wav))
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise AudioError("A sound to play is no WAV file.", remedy="Please report this.") from error
    return float(about.frames) / float(about.samplerate)


@st.cache_resource(show_spinner=False)
def sounds() -> SoundStore:
    """Return the one store of this server."""
    return SoundStore()
