"""A store of finished chunks on disk, found by their keys: after editing one sentence of ten, one chunk is synthesized.

Each chunk is one file in ``cache/chunks/``, named by its key. It is written under another name and renamed, checked
with its sha256 on reading, and removed if damaged. Several processes may use the folder at once. After any error the
chunk is synthesized instead.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.engine.errors import SettingsError
from workbench.engine.files.places import home
from workbench.engine.logs import pairs
from workbench.engine.reuse.keys import key_of
from workbench.engine.visible import quoted

if TYPE_CHECKING:  # loading imports torch
    from workbench.engine.model.loading import Loaded
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.text import Chunk
    from workbench.engine.speech.voices import Voice

log = logging.getLogger("workbench.reuse")

DEFAULT_MB = 512  # about 45 minutes of speech
VARIABLE = "WORKBENCH_CHUNKS_MB"
CHUNK_MAX_BYTES = 2**26  # the model's window holds less than a quarter of it
_KEPT_SHARE = 0.9  # what stays when the store is full, so that not every chunk begins a clearing
_RECOUNT = 200  # chunks written here after which those of other processes are counted too
_DRAFT_SECONDS = 3600.0  # a draft as old as that has no writer any more
_MAGIC = b"F5CHUNK1"
_HEAD_BYTES = len(_MAGIC) + 1 + 64 + 1  # magic, sha256 of all that follows
_LE_FLOAT = "<f4"


def limit_bytes() -> int:
    """Return the limit of the store in bytes: ``$WORKBENCH_CHUNKS_MB`` or 512 MB; 0 stores nothing.

    Raises:
        SettingsError: the variable is not a number of megabytes.
    """
    given = os.environ.get(VARIABLE, "").strip() or str(DEFAULT_MB)
    try:
        megabytes = float(given)
    except ValueError:
        megabytes = -1.0
    if not 0 <= megabytes <= 1e9:
        raise SettingsError(f"{VARIABLE} is {quoted(given)}.", remedy="Give megabytes, such as 512; 0 stores nothing.")
    return int(megabytes * 1e6)


class ChunkStore:
    """Waves and mels of finished chunks; removes the least recently used first. Safe for threads and processes.

    Args:
        folder: of the store; None: ``cache/chunks/`` in ``places.home()``, looked up at each use.
        max_bytes: limit of the store; None: ``limit_bytes()``.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int | None = None) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        self._counted: tuple[Path, int] | None = None  # bytes in this folder, as far as is known here
        self._written = 0
        self._told = False

    @property
    def folder(self) -> Path:
        """Folder of the chunks. It may not exist yet."""
        return self._folder or home() / "cache" / "chunks"

    @property
    def max_bytes(self) -> int:
        """Limit of the store in bytes. Raises SettingsError as ``limit_bytes``."""
        return limit_bytes() if self._max_bytes is None else self._max_bytes

    def n_bytes(self) -> int:
        """Bytes of all chunks on disk."""
        return sum(size for _, size, _ in self._files())

    def find(
        self, loaded: Loaded, voice: Voice, settings: SynthesisSettings, chunk: Chunk
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the stored wave [n_samples] and mel [frames, n_mels] of this chunk; None if there are none.

        Raises:
            SettingsError: as ``limit_bytes``.
        """
        if not self.max_bytes:
            return None
        path = self._path(key_of(loaded, voice, settings, chunk))
        try:
            if not path.is_file() or path.stat().st_size > CHUNK_MAX_BYTES:
                return None
            content = path.read_bytes()
        except OSError:
            return None
        try:
            found = _unpacked(content, path.stem)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("a kept chunk is damaged and removed", extra=pairs(path=str(path), reason=str(error)))
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # the time of its last use
        return found

    def keep(
        self,
        loaded: Loaded,
        voice: Voice,
        settings: SynthesisSettings,
        chunk: Chunk,
        wave: np.ndarray,
        mel: np.ndarray,
    ) -> None:
        """Store the result of ``chunk``. A write error is logged once; the chunk is then synthesized again next time.

        Raises:
            SettingsError: as ``limit_bytes``.
        """
        limit = self.max_bytes
        if not limit or not np.isfinite(wave).all():
            return
        key = key_of(loaded, voice, settings, chunk)
        content = _packed(key, wave, mel)
        if len(content) > min(limit, CHUNK_MAX_BYTES):
            return
        path = self._path(key)
        draft = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)  # not flushed to the disk: what a power cut leaves is checked when it is read
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            if not self._told:
                self._told = True
                log.warning("chunks cannot be kept", extra=pairs(path=str(self.folder), reason=error.strerror))
            return
        self._account(len(content), limit)

    def clear(self) -> int:
        """Remove all chunks; return the freed bytes."""
        with self._lock:
            self._counted = None
            return self._shrink(0)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.chunk"

    def _account(self, added: int, limit: int) -> None:
        """Count the added bytes, and remove chunks if the store is full."""
        with self._lock:
            folder, self._written = self.folder, self._written + 1
            if self._counted is None or self._counted[0] != folder or self._written % _RECOUNT == 0:
                self._counted = (folder, self.n_bytes())
            else:
                self._counted = (folder, self._counted[1] + added)
            if self._counted[1] > limit:
                self._shrink(int(limit * _KEPT_SHARE))
                self._counted = (folder, self.n_bytes())

    def _shrink(self, to_bytes: int) -> int:
        """Remove the least recently used chunks until ``to_bytes`` are left; return the removed bytes."""
        files = sorted(self._files())
        left, freed = sum(size for _, size, _ in files), 0
        for _, size, path in files:
            if left <= to_bytes:
                break
            with suppress(OSError):  # another process was first, or the system holds it
                path.unlink()
                freed += size
            left -= size
        for draft in self.folder.glob("*/.*.part"):
            with suppress(OSError):
                if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                    draft.unlink()
        return freed

    def _files(self) -> list[tuple[int, int, Path]]:
        """Return (time of the last use in ns, bytes, path) of each chunk that still exists."""
        found = []
        for path in self.folder.glob("*/*.chunk"):
            with suppress(OSError):
                stat = path.lstat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
        return found


def _packed(key: str, wave: np.ndarray, mel: np.ndarray) -> bytes:
    head = {"key": key, "n_samples": len(wave), "mel_shape": list(mel.shape)}
    body = json.dumps(head).encode() + b"\n" + wave.astype(_LE_FLOAT).tobytes() + mel.astype(_LE_FLOAT).tobytes()
    return _MAGIC + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _unpacked(content: bytes, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return wave and mel in ``content``, writable. Raises ValueError if it was not written for ``key``."""
    body = content[_HEAD_BYTES:]
    if content[:_HEAD_BYTES] != _MAGIC + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise ValueError("its sha256 is another")
    line, _, raw = body.partition(b"\n")
    head = json.loads(line)
    if head["key"] != key:
        raise ValueError("it is another chunk")
    values = np.frombuffer(raw, _LE_FLOAT).astype(np.float32)
    frames, n_mels = head["mel_shape"]
    wave, mel = np.split(values, [head["n_samples"]])
    return wave, mel.reshape(frames, n_mels)
