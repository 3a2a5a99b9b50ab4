"""Search order, complete and incomplete models, inventory and verification, on real files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import COMMIT, NEWER, tiny_safetensors
from tests.engine.cache.stocked import PICKLE, WEIGHTS, lock, put, put_base, put_vocoder, state_of
from workbench.engine.cache import (
    inventory,
    pinned_sha256,
    read_header,
    resolve,
    verify,
    write_manifest,
)
from workbench.engine.cache.manifests import read_manifest
from workbench.engine.cache.paths import hub_root, manifests_root, user_hub_root
from workbench.engine.catalog import bundled_folder, get_model
from workbench.engine.errors import CacheError, WeightsError

# Resolution -------------------------------------------------------------


def test_missing_model_names_files_places_and_remedy() -> None:
    with pytest.raises(WeightsError) as caught:
        resolve(get_model("F5TTS_v1_Base"))
    for part in (
        "model_1250000.safetensors",
        "pytorch_model.bin",
        str(hub_root()),
        str(user_hub_root()),
        "python -m workbench cache fetch F5TTS_v1_Base",
        "1.4 GB",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_before_cache_before_the_users_own(tmp_path: Path) -> None:
    spec = get_model("F5TTS_v1_Base")
    put_base(user_hub_root(), tiny_safetensors(1))
    put_vocoder(user_hub_root())
    assert resolve(spec).source == "huggingface cache"
    put_base(hub_root(), tiny_safetensors(2))
    files = resolve(spec)  # the vocoder still comes from the user's cache
    assert files.source == "cache" and user_hub_root() in files.vocoder_config.parents
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "model_1250000.safetensors").write_bytes(tiny_safetensors(3))
    files = resolve(spec, folder=flat)
    assert (files.source, files.revision, files.weights.parent) == ("folder", None, flat)
    assert files.vocab.name == "vocab.txt" and "f5_tts" in str(files.vocab)


@pytest.mark.parametrize(
    ("variable", "below"),
    [("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")],
)
def test_the_users_cache_is_where_the_variables_say_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert user_hub_root() == tmp_path / "own" / below
    put_base(user_hub_root())
    put_vocoder(user_hub_root())
    assert resolve(get_model("F5TTS_v1_Base")).source == "huggingface cache"


def test_pinned_revision_then_main_then_the_newest() -> None:
    put_vocoder(hub_root())
    base = put_base(hub_root(), tiny_safetensors(1), COMMIT)
    put_base(hub_root(), tiny_safetensors(2), NEWER)  # refs/main moves to it
    spec = get_model("F5TTS_v1_Base")
    assert resolve(spec).revision == NEWER
    lock("F5TTS_v1_Base", COMMIT, {WEIGHTS: tiny_safetensors(1)})
    assert resolve(spec).revision == COMMIT
    shutil.rmtree(manifests_root())
    (base / "refs" / "main").unlink()
    os.utime(base / "snapshots" / COMMIT, (10**9, 10**9))
    assert resolve(spec).revision == NEWER


def test_a_snapshot_counts_only_when_whole() -> None:
    whole = tiny_safetensors(100)
    spec = get_model("F5TTS_v1_Base")
    put_vocoder(hub_root())
    base = put_base(hub_root(), whole)
    weights = base / "snapshots" / COMMIT / WEIGHTS
    damages = {
        "is cut short": whole[:-7],
        "is cut short within its header": whole[:20],
        "is empty": b"",
        "is a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "is a web page": b"<!DOCTYPE html><html>Sign in</html>",
        "after its last tensor": whole + b"\0",
        "not a safetensors file": b"x" * 500,
    }
    for match, content in damages.items():
        weights.resolve().write_bytes(content)
        with pytest.raises(WeightsError, match=match):
            resolve(spec)
        assert state_of("F5TTS_v1_Base") in ("incomplete", "absent")
    weights.resolve().unlink()
    with pytest.raises(WeightsError, match="broken link"):
        resolve(spec)
    put_base(user_hub_root(), whole)  # a damaged copy does not hide a whole one
    assert resolve(spec).source == "huggingface cache"


def test_size_in_the_lock_shows_a_vocabulary_cut_short() -> None:
    right = b" \na\nb\n"
    repo, files = "RaivisDejus/F5-TTS-Latvian", {"model.safetensors": tiny_safetensors(), "vocab.txt": right}
    base = put(hub_root(), repo, files)
    put_vocoder(hub_root())
    lock("F5TTS_Base_lv", COMMIT, files, repo)
    assert resolve(get_model("F5TTS_Base_lv")).vocab.read_bytes() == right
    (base / "snapshots" / COMMIT / "vocab.txt").resolve().write_bytes(right[:-2])
    with pytest.raises(WeightsError, match=r"vocab.txt has 4 bytes instead of 6"):
        resolve(get_model("F5TTS_Base_lv"))


def test_full_size_weights_are_checked_in_no_time() -> None:
    name, rows = "ema_model.transformer.x", 337_000_000
    header = json.dumps({name: {"dtype": "F32", "shape": [rows], "data_offsets": [0, 4 * rows]}}).encode()
    base = put_base(hub_root(), struct.pack("<Q", len(header)) + header)
    weights = base / "snapshots" / COMMIT / WEIGHTS
    os.truncate(weights.resolve(), 8 + len(header) + 4 * rows)  # sparse: 1.35 GB that take no room
    put_vocoder(hub_root())
    files = resolve(get_model("F5TTS_v1_Base"))
    assert read_header(files.weights).tensors[name].n_bytes == 4 * rows
    os.truncate(weights.resolve(), 8 + len(header) + 4 * rows - 1)
    with pytest.raises(WeightsError, match="1 of 1348000000 bytes of its tensors are missing"):
        resolve(get_model("F5TTS_v1_Base"))


@pytest.mark.parametrize(
    "layout",
    [
        "model_1250000.safetensors",
        "F5TTS_v1_Base/model_1250000.safetensors",
        "ckpts/F5TTS_v1_Base/model_1250000.safetensors",
        "models/checkpoints/F5-TTS/F5TTS_v1_Base.safetensors",
        f"models--SWivid--F5-TTS/snapshots/{COMMIT}/F5TTS_v1_Base/model_1250000.safetensors",
        f"hub/models--SWivid--F5-TTS/snapshots/{COMMIT}/F5TTS_v1_Base/model_1250000.safetensors",
        f"snapshots/{COMMIT}/F5TTS_v1_Base/model_1250000.safetensors",
        "anything-else.safetensors",
    ],
)
def test_explicit_folder_in_every_layout(tmp_path: Path, layout: str) -> None:
    weights = tmp_path / "given" / layout
    weights.parent.mkdir(parents=True)
    weights.write_bytes(tiny_safetensors())
    vocos = tmp_path / "given" / "vocos-mel-24khz"
    vocos.mkdir()
    (vocos / "config.yaml").write_text("head: {}")
    (vocos / "pytorch_model.bin").write_bytes(PICKLE)
    given = tmp_path / "given"
    if layout.startswith("snapshots"):
        given = given.rename(tmp_path / "models--SWivid--F5-TTS")
    files = resolve(get_model("F5TTS_v1_Base"), folder=given)
    assert files.weights.name == weights.name and files.weights.is_file()
    assert files.revision == (COMMIT if COMMIT in layout else None)


def test_another_models_folder_is_not_taken_for_this_one(tmp_path: Path) -> None:
    folder = tmp_path / "F5TTS_Base"
    folder.mkdir()
    (folder / "model_1200000.safetensors").write_bytes(tiny_safetensors())
    with pytest.raises(WeightsError, match="of the model 'F5TTS_Base', not of F5TTS_v1_Base"):
        resolve(get_model("F5TTS_v1_Base"), folder=tmp_path)
    # one of the same configuration may lie under that name, and does in a repository on the Hub
    with pytest.raises(WeightsError, match=r"vocab.txt is missing"):
        resolve(get_model("F5TTS_Base_de"), folder=tmp_path)
    with pytest.raises(WeightsError, match="does not exist"):
        resolve(get_model("F5TTS_v1_Base"), folder=tmp_path / "nowhere")


def test_demo_voice_cut_short(demo_home: Path) -> None:
    spec = get_model("demo-voice")
    weights = resolve(spec).weights
    assert demo_home in weights.parents
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"instead of .*Delete .*demo-voice; then the demo voice that came with"):
        resolve(spec)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"model_.*safetensors is missing"):
        resolve(spec)


def test_two_demo_weights_are_settled_by_the_lock(demo_home: Path) -> None:
    folder, spec = demo_home / "cache" / "demo-voice", get_model("demo-voice")
    locked = resolve(spec).weights
    shutil.copy(locked, folder / "model_zzz.safetensors")
    assert resolve(spec).weights == locked
    (folder / "lock.json").unlink()
    with pytest.raises(WeightsError, match="holds 2 weights"):
        resolve(spec)


# Lock, inventory, verification -------------------------------------------------------------


def test_the_bundled_lock_is_that_of_the_bundled_files() -> None:
    report = verify("demo-voice")
    assert report.ok, [f.name for f in report.files if f.status != "ok"]
    locked = {f.path for f in read_manifest(bundled_folder() / "lock.json")[0].files}
    present = {p.relative_to(bundled_folder()).as_posix() for p in bundled_folder().rglob("*") if p.is_file()}
    not_for_the_engine = {"README.md", "evaluation.json", "evaluation.png"}
    assert present - locked <= not_for_the_engine | {"lock.json"}, "files without a checksum: call write_manifest()"


def test_flipped_bit_is_found_offline(demo_home: Path) -> None:
    weights = resolve(get_model("demo-voice")).weights
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert resolve(get_model("demo-voice")), "the size is right, so resolution cannot see it"
    report = verify("demo-voice")
    assert not report.ok and [f.name for f in report.files if f.status == "damaged"] == [weights.name]


def test_hub_cache_without_a_lock_is_verified_by_the_blobs_names() -> None:
    base = put_base(hub_root())
    put_vocoder(hub_root())
    seen: list[tuple[str, int, int]] = []
    assert verify("F5TTS_v1_Base", on_progress=lambda *s: seen.append(s)).ok and seen
    (base / "snapshots" / COMMIT / WEIGHTS).resolve().write_bytes(tiny_safetensors(name="other!"))
    report = verify("F5TTS_v1_Base")
    assert [f.status for f in report.files] == ["damaged", "ok", "ok"]


def test_copies_without_links_have_nothing_to_compare_with() -> None:
    snapshot = hub_root() / "models--SWivid--F5-TTS" / "snapshots" / COMMIT
    (snapshot / "F5TTS_v1_Base").mkdir(parents=True)
    (snapshot / WEIGHTS).write_bytes(tiny_safetensors())
    put_vocoder(hub_root())
    report = verify("F5TTS_v1_Base")
    assert report.files[0].status == "unknown" and not report.ok


def test_inventory_tells_complete_incomplete_absent() -> None:
    assert state_of("demo-voice") == "complete" and state_of("F5TTS_v1_Base") == "absent"
    with pytest.raises(CacheError, match="Nothing of F5TTS_v1_Base"):
        verify("F5TTS_v1_Base")
    put_vocoder(hub_root())
    assert state_of("F5TTS_v1_Base") == "absent", "the vocoder alone is no model"
    put_base(hub_root())
    found = next(s for s in inventory() if s.model == "F5TTS_v1_Base")
    assert (found.state, found.revision, found.source) == ("complete", COMMIT, "cache")
    assert found.bytes == sum(f.path.stat().st_size for f in found.files)
    shutil.rmtree(hub_root() / "models--charactr--vocos-mel-24khz")
    found = next(s for s in inventory() if s.model == "F5TTS_v1_Base")
    assert found.state == "incomplete" and found.problems == ("config.yaml is missing", "pytorch_model.bin is missing")


def test_the_sha256_of_weights_is_told_without_reading_them(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    (folder / "vocos").mkdir(parents=True)
    weights, vocoder = folder / "model_a.safetensors", folder / "vocos" / "model.safetensors"
    weights.write_bytes(b"a" * 100)
    vocoder.write_bytes(b"v" * 50)
    assert pinned_sha256(weights) == ""  # nobody has locked it
    write_manifest(folder)
    blob = tmp_path / "blobs" / hashlib.sha256(b"h").hexdigest()
    blob.parent.mkdir()
    blob.write_bytes(b"h")
    (link := tmp_path / "model_b.safetensors").symlink_to(blob)
    monkeypatch.setattr("workbench.engine.cache.manifests.sha256_of", lambda *_, **__: pytest.fail("read"))
    assert pinned_sha256(weights) == hashlib.sha256(b"a" * 100).hexdigest()
    assert pinned_sha256(vocoder) == hashlib.sha256(b"v" * 50).hexdigest()
    assert pinned_sha256(link) == blob.name
    weights.write_bytes(b"another length")
    assert pinned_sha256(weights) == ""  # no longer what was locked
    (folder / "lock.json").write_text("{")
    assert pinned_sha256(vocoder) == ""
