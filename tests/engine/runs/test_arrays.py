"""Arrays of a run: an .npz never takes more memory than its file takes disk."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.runs.arrays import Arrays


def _read(path: Path, shape: tuple[int | None, ...] = (None,)) -> np.ndarray:
    with Arrays(path, 2) as arrays:
        return arrays.read("wave_0", np.float32, shape)


def _npy(header: str, body: bytes = b"") -> bytes:
    line = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + len(line).to_bytes(2, "little") + line + body


def _zipped(path: Path, content: bytes, how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("wave_0.npy", content)
    return path


def test_an_array_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    for right in (np.arange(7, dtype=np.float32), np.zeros(0, np.float32)):
        np.savez(tmp_path / "a.npz", wave_0=right)
        assert np.array_equal(_read(tmp_path / "a.npz", right.shape), right)
    wide = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    np.savez(tmp_path / "a.npz", wave_0=wide)
    assert np.array_equal(_read(tmp_path / "a.npz", (None, 4)), wide)


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(16 * 2**20, np.float32))
    path = _zipped(tmp_path / "a.npz", content.getvalue(), zipfile.ZIP_DEFLATED)
    lie = _zipped(tmp_path / "b.npz", _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (25000000000,), }"))
    del content
    tracemalloc.start()
    for hostile in (path, lie):
        with pytest.raises(ValueError, match="wave_0"):
            _read(hostile)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_a_long_list_of_members_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for k in range(500):
            archive.writestr(f"{k}.npy", b"")
    monkeypatch.setattr("zipfile.ZipFile", lambda *given: pytest.fail("the list was read"))
    with pytest.raises(ValueError, match="500 arrays"):
        Arrays(tmp_path / "a.npz", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([{"a": 1}], dtype=object), np.array(["a"]), np.zeros(4, np.int64), np.zeros(4, np.float64),
        np.zeros((2, 2), np.float32), np.array([np.nan], np.float32), np.array([3e38], np.float32),
        np.zeros(3, [("a", "f4")]), np.zeros(4, ">f4"),
    ],
    ids=["objects", "text", "integers", "doubles", "rank", "NaN", "3e38", "records", "big-endian"],
)  # fmt: skip
def test_other_types_shapes_and_values_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", wave_0=wrong)
    with pytest.raises(ValueError, match="wave_0"):
        _read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "header",
    [
        "(" * 9000,
        "{'descr': '<f4', 'shape': (1, 2",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "x",
        "",
    ],
)
def test_headers_that_are_no_headers(tmp_path: Path, header: str) -> None:
    with pytest.raises(ValueError, match="wave_0"):
        _read(_zipped(tmp_path / "a.npz", _npy(header)))


def test_a_flipped_bit_is_found_by_its_checksum(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", wave_0=np.ones(1000, np.float32))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[2000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="CRC"):
        _read(tmp_path / "a.npz")
