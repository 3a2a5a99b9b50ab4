"""Decompress streams in bounded memory, however much a few bytes unpack to.

The standard library is not enough: bz2 and lzma ignore garbage after their end, zipfile unpacks both without a limit,
and tarfile reads a header of any size at once and treats a damaged one as the end.
"""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

MEMORY_BYTES = 256 << 20  # for a dictionary of xz; its highest preset needs 65 MiB
DIRECTORY_BYTES = 4 << 20  # of a zip: 10,000 entries with long names
HEADER_BYTES = 1 << 20  # of one header of a tar, e.g. a long name
HEADERS_BYTES = 32 << 20  # of all of them: 10,000 entries with three blocks each take 15 MB
_BLOCK = 1 << 20
_INPUT = 1 << 16


class Readable(Protocol):
    """What bytes are read from, front to end."""

    def read(self, size: int = ..., /) -> bytes:
        """Up to ``size`` bytes."""
        ...


class CappedFile(io.BufferedReader):
    """A file that refuses reads of more than ``DIRECTORY_BYTES``: zipfile reads a directory at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1) -> bytes:
        whole = size is None or size < 0
        if size is not None and size > DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is too long")
        block = super().read(DIRECTORY_BYTES + 1 if whole else size)
        if whole and len(block) > DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is too long")
        return block


class Decoded(io.RawIOBase):
    """The decompressed bytes of ``source``.

    Args:
        new: makes a decompressor of bz2 or lzma; consecutive streams are joined.
        crc: CRC-32 of the decompressed bytes; ``source`` must then be one stream.

    Raises:
        EOFError: cut short.
        OSError, lzma.LZMAError: damaged, or garbage after the end.
    """

    def __init__(self, source: IO[bytes], new: Callable[[], Any], *, crc: int | None = None) -> None:
        self._source, self._new, self._crc = source, new, crc
        self._decoder, self._input, self._sum, self._ended = new(), b"", 0, False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._source.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, fewer only at the end; one block if ``size`` is negative."""
        wanted, parts = _BLOCK if size < 0 else size, []
        while wanted and not self._ended:
            block = self._decoder.decompress(self._feed(), wanted)
            self._input = b""
            self._sum = zlib.crc32(block, self._sum)
            wanted -= len(block)
            parts.append(block)
            if self._decoder.eof:
                self._next_stream()
        return b"".join(parts)

    def _feed(self) -> bytes:
        if self._input or not self._decoder.needs_input:
            return self._input
        block = self._source.read(_INPUT)
        if not block:
            raise EOFError("it is cut short")
        return block

    def _next_stream(self) -> None:
        """After the end of a stream: begin the next one, or end after the zeros that pad an xz file."""
        rest = self._decoder.unused_data or self._source.read(_INPUT)
        if self._crc is not None:
            if rest or self._sum != self._crc:
                raise zipfile.BadZipFile("a checksum is wrong")
            self._ended = True
            return
        while rest and not rest.strip(b"\0"):
            rest = self._source.read(_INPUT)
        if not rest:
            self._ended = True
            return
        self._decoder, self._input = self._new(), rest.lstrip(b"\0")


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_BYTES)


def _zip_lzma(info: zipfile.ZipInfo) -> Callable[[], Any]:
    """Reads LZMA as zip stores it: version, length of the properties, properties, stream.

    Only lzma's format "alone" has a memory limit, so the member gets the head of that format.
    """

    class Decoder:
        def __init__(self) -> None:
            self._inner = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY_BYTES)
            self._head: bytes | None = b""
            self.unused_data = b""

        @property
        def needs_input(self) -> bool:
            return self._head is not None or self._inner.needs_input

        @property
        def eof(self) -> bool:
            return self._inner.eof

        def decompress(self, data: bytes, limit: int) -> bytes:
            if self._head is not None:
                self._head += data
                if len(self._head) < 9:
                    return b""
                if struct.unpack_from("<H", self._head, 2) != (5,):
                    raise zipfile.BadZipFile("its LZMA properties are damaged")
                length = -1 if info.flag_bits & 0x2 else info.file_size
                data = self._head[4:9] + struct.pack("<q", length) + self._head[9:]
                self._head = None
            block = self._inner.decompress(data, limit)
            self.unused_data = self._inner.unused_data
            return block

    return Decoder


# compression method to what makes its decompressor
ZIP_DECODERS: dict[int, Callable[[zipfile.ZipInfo], Callable[[], Any]]] = {
    zipfile.ZIP_BZIP2: lambda _: bz2.BZ2Decompressor,
    zipfile.ZIP_LZMA: _zip_lzma,
}


def raw_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """The compressed bytes of a member."""
    raw = copy.copy(info)
    raw.compress_type, raw.file_size, raw.CRC = zipfile.ZIP_STORED, info.compress_size, None  # type: ignore[assignment]
    return archive.open(raw)


@contextmanager
def opened(path: Path) -> Iterator[Readable]:
    """The tar archive ``path``, decompressed according to its first bytes: gzip, xz, bzip2 or none."""
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as plain:
                yield plain
        elif start.startswith(b"BZh"):
            yield Decoded(file, bz2.BZ2Decompressor)
        elif start == b"\xfd7zXZ\0":
            yield Decoded(file, _xz)
        else:
            yield file


class TarStream:
    """A decompressed tar that is read once from start to end; limits the size of its headers.

    Args:
        check: called before each read; raises to stop.
    """

    def __init__(self, source: Readable, check: Callable[[], None]) -> None:
        self._source, self._check = source, check
        self._at, self._headers, self._in_content, self._last = 0, 0, False, b""

    @contextmanager
    def content(self) -> Iterator[None]:
        """Reads within the block are a file's content, not a header."""
        self._in_content = True
        try:
            yield
        finally:
            self._in_content = False

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        self._check()
        if size > HEADER_BYTES and not self._in_content:
            raise tarfile.ReadError(f"a header of {size} bytes")
        block = self._source.read(size)
        self._at += len(block)
        if not self._in_content:
            self._headers += len(block)
            if self._headers > HEADERS_BYTES:
                raise tarfile.ReadError("its headers are too long")
        self._last = block
        return block

    def seek(self, offset: int) -> int:
        """Move forward by reading; raises ReadError for a step back."""
        if offset < self._at:
            raise tarfile.ReadError("it cannot be read from front to end")
        while self._at < offset:
            if not self.read(min(offset - self._at, _BLOCK)):
                break
        return self._at

    def finish(self) -> None:
        """Read to the end. Raises ReadError unless the end mark was read and only zeros follow it."""
        if len(self._last) != tarfile.BLOCKSIZE or self._last.strip(b"\0"):
            raise tarfile.ReadError("it has no end mark, or a damaged header in the middle")
        while block := self._source.read(_BLOCK):
            self._check()
            if block.strip(b"\0"):
                raise tarfile.ReadError("something follows its end")
