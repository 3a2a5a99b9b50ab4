"""Archives of a model: damaged, too large, misleading. An imported archive equals the packed files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand, no_leftovers, refusable
from workbench.engine import cache
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import WorkbenchError

_ZIPS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": lambda raw: gzip.compress(raw, 1, mtime=0),
    ".tgz": lambda raw: gzip.compress(raw, 6, mtime=0),
    ".tar.xz": lambda raw: lzma.compress(raw, preset=0),
    ".tar.bz2": bz2.compress,
    ".tar": bytes,
}
_NAMES = (
    *("../PWNED", "/tmp/PWNED", "a/../../PWNED", "..\\PWNED", "C:\\PWNED", "./x", "x" * 300, "a/" * 3000 + "x"),
    *("caf\udce9", "a\nb", "\x1b[2J", "", ".", "/", "model_random.safetensors/x", "\u202ecod.exe", "con", "~", "$HOME"),
)
_PIECE = 1 << 20  # of zeros; one compressed piece is repeated
_HEADER_BYTES = 1300 * _PIECE  # 1.3 GB, more than may be held in memory
_FILE_BYTES = 256 * _PIECE


def _files() -> dict[str, bytes]:
    folder = seeds.model(".safetensors")
    return {
        f"my-voice/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def _tar(files: dict[str, bytes], members: tuple[tarfile.TarInfo, ...] = (), kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind, encoding="utf-8", errors="surrogateescape") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def _zip(files: dict[str, bytes], method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def odd_member(random: Random) -> tarfile.TarInfo:
    """A link, a device, a sparse file, or an ordinary one with a name that leads elsewhere."""
    member = tarfile.TarInfo(random.choice(_NAMES) if random.random() < 0.6 else "my-voice/x")
    member.type = random.choice(
        (
            *(tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE),
            *(tarfile.CHRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z"),
        )
    )
    if member.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        member.linkname = random.choice(("..", "../../..", "/etc/passwd", ".", "x", "my-voice/vocab.txt", "my-voice"))
    elif member.isreg():
        member.size = random.choice((0, 1, 512, 5000))
    member.mode = random.choice((0o644, 0, 0o7777))
    member.uid = random.choice((0, 2**31, 10**6))
    return member


def _bomb(source: Source) -> tuple[str, bytes]:
    """Name ending and bytes of a small archive that unpacks to gigabytes."""
    random = source.random
    suffix = random.choice((".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".tar.gz"))
    how = random.choice(("file", "PAX header", "GNU long name", "many members"))
    source.note(f"bomb: {how} in {suffix}")
    if suffix == ".zip":
        return suffix, _zip_bomb(random)
    if how == "many members":
        return suffix, _PACKERS[suffix](b"".join(tarfile.TarInfo(f"{k}").tobuf() for k in range(12_000)))
    header = tarfile.TarInfo("my-voice/model_random.safetensors")
    header.type = {"PAX header": tarfile.XHDTYPE, "GNU long name": tarfile.GNUTYPE_LONGNAME}.get(how, tarfile.REGTYPE)
    header.size = _FILE_BYTES if how == "file" else _HEADER_BYTES
    pack = _PACKERS[suffix]
    return suffix, pack(header.tobuf(tarfile.GNU_FORMAT)) + pack(b"\0" * _PIECE) * (header.size // _PIECE)


def _zip_bomb(random: Random) -> bytes:
    """One member of zeros whose directory states any size."""
    raw = bytearray(_zip({"my-voice/model_random.safetensors": b"\0" * (_PIECE * 64)}, zipfile.ZIP_DEFLATED))
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = struct.pack("<I", random.choice((1, 2**31, 2**32 - 2, _PIECE * 64)))
    return bytes(raw)


class Archives(Kind):
    """Damaged and hostile archives."""

    name = "archives"
    about = "archives of a model: refused, or imported with the very bytes that were packed"

    def prepare(self, folder: Path) -> None:
        seeds.home()
        self.files = _files()

    def check(self, source: Source, place: Path) -> None:
        home = seeds.copy_home(place)
        how = source.random.choice(
            ("whole", "bytes", "bytes", "bytes", "bytes", "flip", "flip", "flip", "member", "bomb")
        )
        suffix, raw, exact = self._packed(source, how)
        source.note(f"{how}: {suffix}, {len(raw)} bytes")
        path = place / f"my-voice{suffix}"
        path.write_bytes(raw)
        with refusable():
            try:
                cache.import_model(path, name="odd")
            except WorkbenchError as error:
                demand(how != "whole", f"a good archive was refused: {error}")
                demand(not (imported_folder() / "odd").exists(), "refused, but something was taken in")
                raise
            if exact:
                self._compare(imported_folder() / "odd")
            demand(cache.verify("odd").ok, "an import does not verify")
        demand(path.read_bytes() == raw, "the user's archive was changed")
        demand(not list(place.rglob("*PWNED*")), "a file was written elsewhere")
        no_leftovers(home)
        demand({s.model: s.state for s in cache.inventory()}["tiny"] == "complete", "the good model is not complete")

    def _packed(self, source: Source, how: str) -> tuple[str, bytes, bool]:
        """Name ending, bytes, and whether what is imported must equal what was packed (.tar has no checksum)."""
        random = source.random
        if how == "bomb":
            return *_bomb(source), False
        if how == "member":
            members = tuple(odd_member(random) for _ in range(random.choice((1, 1, 3))))
            suffix = random.choice(tuple(_PACKERS))
            source.note(f"members {[(m.name[:20], m.type, m.linkname) for m in members]}")
            kind = random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
            return suffix, _PACKERS[suffix](_tar(self.files, members, kind)), False
        suffix = random.choice((".zip", *_PACKERS))
        if suffix == ".zip":
            method = random.choice(tuple(_ZIPS))
            source.note(method)
            raw = _zip(self.files, _ZIPS[method])
        else:
            raw = _PACKERS[suffix](_tar(self.files))
        if how == "flip":  # anywhere, where damage.in_bytes prefers the ends
            changed = bytearray(raw)
            at = random.randrange(len(raw))
            changed[at] ^= 1 << random.randrange(8)
            source.note(f"bit at byte {at}")
            raw = bytes(changed)
        elif how == "bytes":
            raw = damage.in_bytes(random, raw)
        return suffix, raw, suffix != ".tar" or how == "whole"

    def _compare(self, folder: Path) -> None:
        """What was imported is what was packed; text files are written anew, with the same content."""
        for name in ("model_random.safetensors", "vocos/config.yaml", "vocos/pytorch_model.bin", "vocab.txt"):
            packed = self.files[f"my-voice/{name}"]
            demand((folder / name).read_bytes() == packed, f"{name} is not what was packed")
