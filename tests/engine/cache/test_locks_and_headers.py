"""Lock files and headers of weights: damaged ones are said to be damaged."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.engine.cache.stocked import state_of
from workbench.engine.cache import (
    file_problem,
    read_header,
    resolve,
    verify,
    write_manifest,
)
from workbench.engine.cache.paths import manifests_root
from workbench.engine.catalog import get_model
from workbench.engine.errors import CacheError, WeightsError
from workbench.engine.files.writing import human_bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"files": {"../up": {"sha256": "", "size": 1}}}',
        '{"repos": [{"repo": "a/b", "revision": "main", "files": {}}]}',
    ],
)
def test_damaged_lock_is_said_to_be_damaged(text: str) -> None:
    manifests_root().mkdir(parents=True)
    (manifests_root() / "F5TTS_v1_Base.json").write_text(text)
    with pytest.raises(CacheError, match="damaged"):
        resolve(get_model("F5TTS_v1_Base"))
    assert state_of("F5TTS_v1_Base") == "incomplete"
    with pytest.raises(CacheError, match="damaged"):
        verify("F5TTS_v1_Base")


@pytest.mark.parametrize("content", ["", "[" * 200_000, "{}", '{"model": 3}'])
def test_a_damaged_lock_names_no_model(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock.json").write_text(content)
    with pytest.raises(CacheError, match=r"lock\.json is damaged"):
        write_manifest(tmp_path)
    write_manifest(tmp_path, model="mine")
    assert json.loads((tmp_path / "lock.json").read_text())["model"] == "mine"


def test_write_lock_keeps_the_name_and_refuses_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"1")
    assert json.loads(write_manifest(tmp_path, model="mine").read_text())["model"] == "mine"
    (tmp_path / "b.bin").write_bytes(b"2")
    again = json.loads(write_manifest(tmp_path).read_text())
    assert again["model"] == "mine" and set(again["files"]) == {"a.bin", "b.bin"}
    with pytest.raises(CacheError):
        write_manifest(tmp_path / "a.bin")


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}',
        b"\xff\xfe",
    ],
)
def test_headers_that_are_none(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(WeightsError, match="header cannot be read"):
        read_header(path)
    assert file_problem(path)


def test_read_header_agrees_with_the_safetensors_library() -> None:
    from safetensors import safe_open

    path = resolve(get_model("demo-voice")).weights
    header = read_header(path)
    with safe_open(path, "numpy") as reference:
        names = list(reference.keys())
        assert set(header.tensors) == set(names)
        assert all(list(header.shape(name) or ()) == reference.get_slice(name).get_shape() for name in names)
    assert header.n_bytes == path.stat().st_size


def test_sizes_for_people() -> None:
    assert [human_bytes(n) for n in (461, 54_400_000, 1_348_000_000)] == ["461 B", "54.4 MB", "1.35 GB"]
