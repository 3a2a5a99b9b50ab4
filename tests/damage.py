"""Damaged runs, made from a whole one: field by field, byte by byte, and the tricks of hostile archives.

``damages(folder)`` lists every way; each has a name by which it can be made again, and ``apply`` spoils a copy.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_MARK = "@damaged@"
# what a value is replaced by, as JSON text: some of it is no JSON
VALUES = {
    "null": "null",
    "true": "true",
    "string": '"x"',
    "empty string": '""',
    "markup": '"<img src=x onerror=alert(1)> ![](http://evil.test/x.png)"',
    "control": '"a\\u0000b\\u001b[31m"',
    "surrogate": '"\\ud800"',
    "long string": '"' + "x" * 500_000 + '"',
    "list": "[]",
    "list of null": "[null]",
    "dict": "{}",
    "dict of dict": '{"a": {"b": 1}}',
    "zero": "0",
    "negative": "-1",
    "fraction": "0.5",
    "large": "1e18",
    "long integer": "9" * 400,
    "5,000 digits": "9" * 5_000,
    "infinite": "1e999",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "nested": "[" * 50_000 + "]" * 50_000,
    "nested dicts": '{"a":' * 20_000 + "1" + "}" * 20_000,
}


@dataclass(frozen=True)
class Damage:
    """One way to spoil a run: its name, and a function of the run's folder."""

    name: str
    apply: Callable[[Path], None]


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Path of every field in ``value``; of a list, only of its first member."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def replaced(document: Any, path: tuple[str | int, ...], text: str | None) -> bytes:
    """JSON of ``document`` with ``text`` in the place of ``path``; None leaves it out."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    if text is None:
        del inner[path[-1]]
        return json.dumps(copy).encode()
    inner[path[-1]] = _MARK
    return json.dumps(copy).replace(f'"{_MARK}"', text, 1).encode()


def field_damages(folder: Path, file: str) -> Iterator[Damage]:
    """Each field of the JSON ``file`` replaced by each of ``VALUES``, or left out; and the whole document."""
    document = json.loads((folder / file).read_text("utf-8"))
    for path in places(document):
        where = ".".join(map(str, path))
        for name, text in (*VALUES.items(), ("missing", None)):
            content = _later(replaced, document, path, text)
            yield Damage(f"{file}:{where}={name}", _writer(file, content))
    for name, text in VALUES.items():
        yield Damage(f"{file}={name}", _writer(file, _later(text.encode)))


def byte_damages(folder: Path, file: str, seed: int = 0, n_flips: int = 8) -> Iterator[Damage]:
    """``file`` cut short, emptied, garbled, with bits turned over, or of another kind than a file."""
    whole = (folder / file).read_bytes()
    chance = random.Random(f"{seed}{file}")
    made = {"empty": b"", "doubled": whole * 2, "zeros": bytes(len(whole)), "noise": chance.randbytes(3_000)}
    made |= {f"cut at {at}": whole[:at] for at in sorted({1, 22, len(whole) // 2, len(whole) - 1})}
    for k in range(n_flips):
        at = chance.randrange(len(whole))
        made[f"bit {k} at {at}"] = whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :]
    for name, content in made.items():
        yield Damage(f"{file}: {name}", _writer(file, _later(bytes, content)))
    yield Damage(f"{file}: missing", lambda run: (run / file).unlink())
    yield Damage(f"{file}: a folder", lambda run: _instead(run / file, Path.mkdir))
    yield Damage(f"{file}: a pipe", lambda run: _instead(run / file, os.mkfifo))
    yield Damage(f"{file}: a dangling link", lambda run: _instead(run / file, lambda p: p.symlink_to("nowhere")))
    yield Damage(f"{file}: a link to itself", lambda run: _instead(run / file, lambda p: p.symlink_to(p.name)))
    yield Damage(f"{file}: /dev/zero", lambda run: _instead(run / file, lambda p: p.symlink_to("/dev/zero")))


def array_damages(folder: Path, file: str) -> Iterator[Damage]:
    """The .npz ``file`` with one of its first arrays wrong in type, shape or values, or as an archive that lies."""
    with np.load(folder / file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in list(arrays)[:3]:
        for what, wrong in _wrong_arrays(arrays[name]).items():
            yield Damage(f"{file}:{name}={what}", _npz(file, arrays | {name: wrong}))
        without = {key: value for key, value in arrays.items() if key != name}
        yield Damage(f"{file}:{name}=missing", _npz(file, without))
        for what, header in _lying_headers(arrays[name]).items():
            yield Damage(f"{file}:{name} header {what}", _member(file, f"{name}.npy", header))
    first = next(iter(arrays))
    yield Damage(f"{file}: compressed", lambda run: np.savez_compressed(run / file, **arrays))
    yield Damage(f"{file}: a bomb", _member(file, f"{first}.npy", bytes(64 * 2**20), zipfile.ZIP_DEFLATED))
    yield Damage(f"{file}: 50,000 members", lambda run: _crowd(run / file, 50_000))


def damages(folder: Path, seed: int = 0) -> list[Damage]:
    """Every way to spoil the run in ``folder``; it needs a notes.json."""
    found = [*field_damages(folder, "run.json"), *field_damages(folder, "notes.json")]
    for file in sorted(path.name for path in folder.iterdir() if path.is_file()):
        found += byte_damages(folder, file, seed)
        if file.endswith(".npz"):
            found += array_damages(folder, file)
    return found


def spoilt(whole: Path, target: Path, damage: Damage) -> Path:
    """A copy of the run ``whole`` at ``target``, spoilt by ``damage``."""
    shutil.copytree(whole, target)
    damage.apply(target)
    return target


def _later(make: Callable[..., bytes], *given: Any) -> Callable[[], bytes]:
    return lambda: make(*given)


def _writer(file: str, content: Callable[[], bytes]) -> Callable[[Path], None]:
    def write(run: Path) -> None:
        (run / file).write_bytes(content())

    return write


def _instead(path: Path, make: Callable[[Path], Any]) -> None:
    path.unlink()
    make(path)


def _wrong_arrays(right: np.ndarray) -> dict[str, np.ndarray]:
    nan, inf, vast = right.copy(), right.copy(), right.astype(np.float32)
    nan.flat[0], inf.flat[-1], vast.flat[0] = np.nan, -np.inf, 3e38
    return {
        "objects": np.array([{"a": 1}, None], dtype=object),
        "text": np.array(["a", "b"]),
        "integers": np.zeros(right.shape, np.int64),
        "complex": np.zeros(right.shape, np.complex64),
        "doubles": right.astype(np.float64),
        "big-endian": right.astype(right.dtype.newbyteorder(">")),
        "records": np.zeros(3, [("a", "f4"), ("b", "i8")]),
        "a scalar": np.float32(1),
        "empty": right[:0],
        "one row less": right[:-1],
        "another rank": right[None],
        "NaN": nan,
        "infinite": inf,
        "3e38": vast,
    }


def _lying_headers(right: np.ndarray) -> dict[str, bytes]:
    """.npy files whose header is not true of what follows."""

    def npy(header: str, version: bytes = b"\1\0") -> bytes:
        line = header.encode() + b"\n"
        return b"\x93NUMPY" + version + len(line).to_bytes(2, "little") + line + right.tobytes()

    promise = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    return {
        "of 100 GB": npy(promise % "(25000000000,)"),
        "negative": npy(promise % "(-1, -5)"),
        "of no end": npy(promise % f"({'9' * 4000},)"),
        "of 5,000 axes": npy(promise % f"({'1,' * 5000})"),
        "nested": npy("(" * 9000),
        "code": npy("__import__('os').system('true')"),
        "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
        "version 9": npy(promise % "(1,)", b"\x09\0"),
        "without magic": b"NUMPY" * 20,
        "nothing": b"",
    }


def _npz(file: str, arrays: dict[str, np.ndarray]) -> Callable[[Path], None]:
    return lambda run: np.savez(run / file, **arrays)


def _member(file: str, member: str, content: bytes, how: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    """Replace one member of the archive by ``content``."""

    def write(run: Path) -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(run / file) as old, zipfile.ZipFile(made, "w") as new:
            for info in old.infolist():
                inner = content if info.filename == member else old.read(info)
                new.writestr(info.filename, inner, how if info.filename == member else zipfile.ZIP_STORED)
        (run / file).write_bytes(made.getvalue())

    return write


def _crowd(path: Path, n_members: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(n_members):
            archive.writestr(f"{k}.npy", b"")
