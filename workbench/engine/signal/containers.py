"""Read the header of a sound file: its kind, its stated size, and a length that was never filled in.

An interrupted recorder leaves fewer bytes than the header states. A program that writes to a pipe leaves 0 or the
largest number as length. Libsndfile reads the first kind without an error, and of the second kind sometimes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_UNFILLED = 0x7FFFF000  # what sox writes into a pipe; others write 0 or 0xFFFFFFFF
_MAX_CHUNKS = 1000
_TAIL_BYTES = 70_000  # one page of Ogg has at most 65,307


@dataclass(frozen=True)
class Container:
    """Facts from the header of a sound file.

    Attributes:
        kind: name for users if libsndfile cannot read the file; else empty.
        format: FFmpeg's name of this kind.
        n_bytes: size of the file.
        claimed_bytes: stated size; None if there is none. A value below ``n_bytes`` is no error.
        lacks_end: whether the last page of an Ogg file is missing; such files state no size.
        patch: (offset, bytes) to read instead of a length that was never filled in.
    """

    n_bytes: int
    kind: str = ""
    format: str = ""
    claimed_bytes: int | None = None
    lacks_end: bool = False
    patch: tuple[tuple[int, bytes], ...] = ()

    @property
    def missing(self) -> str:
        """What is missing, in words; empty for a complete file."""
        if self.lacks_end:
            return f"the file is cut short: it has {_kilobytes(self.n_bytes)} kB, and its end is missing"
        if self.claimed_bytes is None or self.claimed_bytes <= self.n_bytes:
            return ""
        have, whole = _kilobytes(self.n_bytes), _kilobytes(self.claimed_bytes)
        return f"the file is cut short: it has {have} of {whole} kB"


def _kilobytes(n_bytes: int) -> str:
    return f"{n_bytes // 1000:,}" if n_bytes >= 10_000 else f"{n_bytes / 1000:.2g}"


def inspect(file: BinaryIO) -> Container:
    """Read the facts about ``file`` from a few kilobytes of it; leave its position at the start."""
    size = file.seek(0, 2)
    start = _at(file, 0, 64)
    try:
        found = _inspect(file, start, size)
    except (struct.error, IndexError):  # the file ends within its header
        found = Container(size)
    file.seek(0)
    return found


def _inspect(file: BinaryIO, start: bytes, size: int) -> Container:
    if start[4:8] == b"ftyp":
        return Container(size, "MPEG-4 audio (m4a)", "mp4", _boxes_end(file, size))
    if start[:4] == b"\x1a\x45\xdf\xa3":
        return Container(size, "WebM or Matroska", "matroska")
    if start[:5] == b"#!AMR":
        return Container(size, "AMR", "amr")
    if start[:8] == b"\x30\x26\xb2\x75\x8e\x66\xcf\x11":
        return Container(size, "Windows Media audio", "asf")
    music = _after_id3(file, start)
    head = _at(file, music, 4)
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # the two bits of the layer are 0, which MP3 never has
        return Container(size, "AAC", "aac")
    if head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return Container(size, claimed_bytes=_mp3_end(file, music))
    readers = {b"RIFF": _riff, b"RIFX": _riff, b"RF64": _riff, b"FORM": _aiff, b".snd": _au, b"caff": _caf}
    if reader := readers.get(start[:4]):
        return reader(file, start, size)
    if start[:4] == b"riff":  # Sony's Wave64
        return Container(size, claimed_bytes=struct.unpack("<Q", start[16:24])[0])
    if start[:4] == b"OggS":
        return Container(size, lacks_end=_ogg_lacks_end(file, size))
    return Container(size)


def _at(file: BinaryIO, offset: int, n_bytes: int) -> bytes:
    """Return up to ``n_bytes`` at ``offset``; fewer or none if the file ends before."""
    try:
        file.seek(offset)
        return file.read(n_bytes)
    except (OSError, ValueError, OverflowError):
        return b""


def _chunks(file: BinaryIO, first: int, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, offset, size in bytes) of each chunk from offset ``first``."""
    for _ in range(_MAX_CHUNKS):
        head = _at(file, first, 8)
        if len(head) < 8:
            return
        length = struct.unpack(order + "I", head[4:])[0]
        yield head[:4], first + 8, length
        first += 8 + length + length % 2
        if first >= size:
            return


def _is_unfilled(length: int, rest: int) -> bool:
    return rest > 0 and (length == 0 or (length >= _UNFILLED and length > rest))


def _ends_with_chunks(file: BinaryIO, first: int, size: int, order: str) -> bool:
    """Whether complete chunks with names follow up to the end. Then the chunk before them is really empty."""
    end = first
    for name, at, length in _chunks(file, first, size, order):
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        end = at + length
    return end in (size, size - 1)


def _riff(file: BinaryIO, start: bytes, size: int) -> Container:
    """WAV, and RF64, which has a 64-bit length in a separate chunk."""
    order = ">" if start[:4] == b"RIFX" else "<"
    wide = 0
    for name, at, length in _chunks(file, 12, size, order):
        if name == b"ds64":
            wide = at + 8
        if name != b"data":
            continue
        if wide and length == 0xFFFFFFFF:
            place, width, length = wide, "Q", struct.unpack("<Q", _at(file, wide, 8))[0]
        else:
            place, width = at - 4, "I"
        rest = size - at
        if _is_unfilled(length, rest) and not (length == 0 and _ends_with_chunks(file, at, size, order)):
            return Container(size, patch=((place, struct.pack(order + width, min(rest, 0xFFFFFFF0))),))
        return Container(size, claimed_bytes=at + length)
    return Container(size)


def _aiff(file: BinaryIO, start: bytes, size: int) -> Container:
    for name, at, length in _chunks(file, 12, size, ">"):
        if name == b"SSND":
            if _is_unfilled(length, size - at - 8) and not (length == 0 and _ends_with_chunks(file, at, size, ">")):
                return Container(size, patch=((at - 4, struct.pack(">I", size - at)),))
            return Container(size, claimed_bytes=at + length)
    return Container(size)


def _au(file: BinaryIO, start: bytes, size: int) -> Container:
    first, length = struct.unpack(">II", start[4:12])
    if length == 0xFFFFFFFF:
        return Container(size)
    if _is_unfilled(length, size - first):
        return Container(size, patch=((8, b"\xff\xff\xff\xff"),))
    return Container(size, claimed_bytes=first + length)


def _caf(file: BinaryIO, start: bytes, size: int) -> Container:
    """CAF of Apple. Libsndfile refuses a file that is cut short, so its length is replaced by the real one."""
    at = 8
    for _ in range(_MAX_CHUNKS):
        name, length = struct.unpack(">4sq", _at(file, at, 12))
        if name == b"data":
            rest = size - at - 12
            patch = ((at + 4, struct.pack(">q", rest)),) if length > rest or length <= 0 else ()
            return Container(size, claimed_bytes=at + 12 + length if length > 0 else None, patch=patch)
        if length < 0:
            break
        at += 12 + length
    return Container(size)


def _boxes_end(file: BinaryIO, size: int) -> int | None:
    """Return the end of an MPEG-4 file in bytes by the lengths of its boxes; None if they are invalid."""
    at = 0
    for _ in range(_MAX_CHUNKS):
        head = _at(file, at, 16)
        if len(head) < 8:
            return size + 8 - len(head) if head else at
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length == 0:  # the box reaches to the end of the file
            return size
        if length < 8:
            return None
        at += length
        if at >= size:
            return at
    return None


def _after_id3(file: BinaryIO, start: bytes) -> int:
    """Return the offset of the sound after an ID3 tag; 0 without a tag."""
    if start[:3] != b"ID3":
        return 0
    a, b, c, d = (byte & 127 for byte in start[6:10])
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _mp3_end(file: BinaryIO, first: int) -> int | None:
    """Return the end of an MP3 file in bytes by the Xing header in its first frame; None without one."""
    frame = _at(file, first, 200)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0:
        return None
    flags = struct.unpack(">I", frame[at + 4 : at + 8])[0]
    if not flags & 2:
        return None
    place = at + 8 + (4 if flags & 1 else 0)
    return first + int.from_bytes(frame[place : place + 4], "big")


def _ogg_lacks_end(file: BinaryIO, size: int) -> bool:
    """Whether the last page of an Ogg file is cut, or not marked as the last."""
    first = max(0, size - _TAIL_BYTES)
    tail = _at(file, first, _TAIL_BYTES)
    at = tail.rfind(b"OggS\0")
    if at < 0 or len(tail) < at + 27 + tail[at + 26]:
        return True
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    return not tail[at + 5] & 4 or at + 27 + len(table) + sum(table) > len(tail)


class Patched:
    """An open file in which some bytes are replaced on reading. Has only the methods that ``soundfile`` needs."""

    def __init__(self, file: BinaryIO, patch: tuple[tuple[int, bytes], ...]) -> None:
        self._file, self._patch = file, patch

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move and return the position; an impossible position leaves it unchanged."""
        try:
            return self._file.seek(offset, whence)
        except (ValueError, OverflowError, OSError):
            return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, n_bytes: int = -1) -> bytes:
        at = self._file.tell()
        data = bytearray(self._file.read(n_bytes))
        for place, content in self._patch:
            low, high = max(place, at), min(place + len(content), at + len(data))
            if low < high:
                data[low - at : high - at] = content[low - place : high - place]
        return bytes(data)
