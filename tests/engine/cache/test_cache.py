"""Search order, complete and incomplete models, inventory, verification and deletion, on real files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import COMMIT, NEWER, git_id, tiny_safetensors
from workbench.engine.cache import (
    file_problem,
    import_model,
    inventory,
    pinned_sha256,
    plan_delete,
    read_header,
    resolve,
    verify,
    write_manifest,
)
from workbench.engine.cache.manifests import read_manifest
from workbench.engine.cache.paths import hub_root, manifests_root, user_hub_root
from workbench.engine.catalog import VOCODER_REPO, bundled_folder, get_model
from workbench.engine.errors import CacheError, ModelError, WeightsError
from workbench.engine.files.writing import human_bytes

HUB, WEIGHTS = "SWivid/F5-TTS", "F5TTS_v1_Base/model_1250000.safetensors"
PICKLE = b"\x80\x02}q\x00."


def put(root: Path, repo: str, files: dict[str, bytes], commit: str = COMMIT, main: bool = True) -> Path:
    """``files`` of ``repo`` as a download into the cache at ``root`` lies: blobs by content, links, refs/main."""
    base = root / f"models--{repo.replace('/', '--')}"
    for name, content in files.items():
        is_lfs = name.endswith((".safetensors", ".bin", ".pt"))
        blob = base / "blobs" / (hashlib.sha256(content).hexdigest() if is_lfs else git_id(content))
        link = base / "snapshots" / commit / name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(os.path.relpath(blob, link.parent))
    if main:
        (base / "refs").mkdir(exist_ok=True)
        (base / "refs" / "main").write_text(commit)
    return base


def put_vocoder(root: Path) -> Path:
    return put(root, VOCODER_REPO, {"config.yaml": b"head: {}\n", "pytorch_model.bin": PICKLE})


def put_base(root: Path, content: bytes = b"", commit: str = COMMIT, main: bool = True) -> Path:
    return put(root, HUB, {WEIGHTS: content or tiny_safetensors()}, commit, main)


def lock(name: str, revision: str, files: dict[str, bytes], repo: str = HUB) -> None:
    manifests_root().mkdir(parents=True, exist_ok=True)
    table = {n: {"sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for n, c in files.items()}
    entry = {"repo": repo, "revision": revision, "files": table}
    (manifests_root() / f"{name}.json").write_text(json.dumps({"model": name, "repos": [entry]}))


def state_of(name: str) -> str:
    return next(s.state for s in inventory() if s.model == name)


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
    with pytest.raises(WeightsError, match=r"instead of .*Delete .*demo-voice; the demo voice that came with"):
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


# Deletion -------------------------------------------------------------


def test_plan_shows_everything_and_execution_does_just_that() -> None:
    put_base(hub_root())
    put_vocoder(hub_root())
    lock("F5TTS_v1_Base", COMMIT, {WEIGHTS: tiny_safetensors()})
    plan = plan_delete("F5TTS_v1_Base")
    assert state_of("F5TTS_v1_Base") == "complete", "a plan removes nothing"
    assert plan.bytes == sum(p.stat().st_size for p in plan.paths if not p.is_symlink())
    assert plan.execute() == plan.bytes
    assert not any(os.path.lexists(p) for p in plan.paths)
    assert not list(hub_root().glob("models--*")) and state_of("F5TTS_v1_Base") == "absent"
    with pytest.raises(CacheError, match="not in the cache"):
        plan_delete("F5TTS_v1_Base")


def test_what_others_use_stays() -> None:
    same = tiny_safetensors()
    put(hub_root(), HUB, {WEIGHTS: same, "F5TTS_Base/model_1200000.safetensors": same})  # one blob, two models
    put_vocoder(hub_root())
    plan = plan_delete("F5TTS_v1_Base")
    assert "vocos-mel-24khz" in plan.kept[0] and "F5TTS_Base" in plan.kept[0]
    plan.execute()
    assert state_of("F5TTS_v1_Base") == "absent" and verify("F5TTS_Base").ok


def test_blob_shared_with_another_snapshot_stays() -> None:
    put_base(hub_root(), tiny_safetensors(), COMMIT)
    link = hub_root() / "models--SWivid--F5-TTS" / "snapshots" / NEWER / "other-name.safetensors"
    link.parent.mkdir()
    blob = hashlib.sha256(tiny_safetensors()).hexdigest()
    link.symlink_to(f"../../blobs/{blob}")
    plan_delete("F5TTS_v1_Base").execute()
    assert link.read_bytes() == tiny_safetensors()


def test_links_out_of_the_cache_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "precious.safetensors"
    outside.write_bytes(tiny_safetensors())
    snapshot = hub_root() / "models--SWivid--F5-TTS" / "snapshots" / COMMIT / "F5TTS_v1_Base"
    snapshot.mkdir(parents=True)
    (snapshot / "model_1250000.safetensors").symlink_to(outside)
    plan = plan_delete("F5TTS_v1_Base")
    assert plan.bytes == 0
    plan.execute()
    assert outside.exists() and not os.path.lexists(snapshot)


def test_the_users_own_cache_is_left_alone() -> None:
    put_base(user_hub_root())
    put_vocoder(user_hub_root())
    with pytest.raises(CacheError, match="your own Hugging Face cache, which is never changed"):
        plan_delete("F5TTS_v1_Base")


def test_the_demo_voice_needs_force(demo_home: Path) -> None:
    with pytest.raises(CacheError, match="tracked by git"):
        plan_delete("demo-voice")
    plan = plan_delete("demo-voice", force=True)
    assert all(demo_home in path.parents for path in plan.paths)
    plan.execute()
    assert not (demo_home / "cache" / "demo-voice").exists()


def test_a_plan_that_no_longer_holds_is_not_executed() -> None:
    put_base(hub_root())
    put_vocoder(hub_root())
    plan = plan_delete("F5TTS_v1_Base")
    put(hub_root(), HUB, {"F5TTS_Base/model_1200000.safetensors": tiny_safetensors()})
    with pytest.raises(CacheError, match="has changed since"):
        plan.execute()
    assert state_of("F5TTS_v1_Base") == "complete"


def test_imported_model_is_deleted_whole() -> None:
    spec = import_model(bundled_folder(), name="mine").spec
    assert spec.folder is not None
    plan = plan_delete("mine")
    plan.execute()
    assert not spec.folder.exists()
    with pytest.raises(ModelError):
        get_model("mine")


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
