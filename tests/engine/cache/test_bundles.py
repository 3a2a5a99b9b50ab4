"""A bundle carries models to another cache whole, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.cache import stocked
from tests.server import ROOT
from workbench.engine.cache import export_bundle, import_bundle, inventory, is_bundle, verify
from workbench.engine.cache.bundles.layout import LIST_NAME
from workbench.engine.cache.paths import cache_root, hub_root
from workbench.engine.errors import CacheError, ModelError

BASE = "F5TTS_v1_Base"


@pytest.fixture
def bundle(tiny_home: Path, tmp_path: Path) -> Path:
    """An imported model and a fetched one, as this machine exports them."""
    stocked.put_vocoder(hub_root())
    stocked.put_base(hub_root())
    export_bundle([BASE, "tiny"], tmp_path / "bundle.tar")
    return tmp_path / "bundle.tar"


@pytest.fixture
def other(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The other machine: an empty home."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "other"))
    return tmp_path / "other"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def placed(home: Path) -> list[str]:
    """What an import left in the cache, besides the lock of the hub."""
    return [name for name in everything(home) if not name.endswith(".lock")]


def rewritten(bundle: Path, change: Callable[[str, bytes], bytes], listed: bool = True) -> None:
    """Change the members of a bundle; keep its list true to them if ``listed``."""
    with tarfile.open(bundle) as archive:
        members = [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]
    content = {name: change(name, raw) for name, raw in members}
    if listed:
        table = json.loads(content[LIST_NAME])
        for name, raw in content.items():
            if name in table["files"]:
                table["files"][name] = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
        content[LIST_NAME] = json.dumps(table).encode()
    with tarfile.open(bundle, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, raw in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))


def test_models_arrive_whole_and_verified(bundle: Path, other: Path) -> None:
    report = import_bundle(bundle)
    assert report.models == {BASE: "cc-by-nc-4.0", "tiny": "unknown"} and report.kept == ()
    states = {s.model: s for s in inventory()}
    assert states[BASE].state == states["tiny"].state == "complete" and states[BASE].revision == stocked.COMMIT
    assert verify(BASE).ok and verify("tiny").ok
    assert not [p for p in other.rglob("*") if p.is_symlink() or ".part" in p.name]


def test_the_same_models_make_the_same_bytes_and_a_second_import_changes_nothing(bundle: Path, other: Path) -> None:
    import_bundle(bundle)
    before = everything(other)
    assert set(import_bundle(bundle).kept) == {BASE, "tiny"} and everything(other) == before
    export_bundle(["tiny", BASE, "tiny"], bundle.with_name("again.tar"))
    with tarfile.open(bundle) as one, tarfile.open(bundle.with_name("again.tar")) as two:
        assert one.getnames() == two.getnames()
    export_bundle([BASE, "tiny"], bundle.with_name("third.tar"))
    assert bundle.with_name("third.tar").read_bytes() == bundle.read_bytes()


def test_a_file_of_a_snapshot_that_is_damaged_there_is_mended(bundle: Path, other: Path) -> None:
    import_bundle(bundle)
    weights = next(other.rglob("model_1250000.safetensors"))
    weights.write_bytes(b"x" * weights.stat().st_size)
    assert not verify(BASE).ok
    import_bundle(bundle)
    assert verify(BASE).ok


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9])
def test_a_flipped_bit_is_refused_and_nothing_is_left(bundle: Path, other: Path, where: float) -> None:
    raw = bytearray(bundle.read_bytes())
    raw[int(len(raw) * where)] ^= 4
    bundle.write_bytes(raw)
    with pytest.raises(CacheError, match=r"damaged|not a bundle"):
        import_bundle(bundle)
    assert placed(other) == []


@pytest.mark.parametrize("cut", [511, 5_000, -1_024, -1_500])
def test_a_bundle_cut_short_is_refused(bundle: Path, other: Path, cut: int) -> None:
    bundle.write_bytes(bundle.read_bytes()[:cut])
    with pytest.raises(CacheError):
        import_bundle(bundle)
    assert placed(other) == []


@pytest.mark.parametrize(
    "place",
    ["../escaped", "/etc/escaped", "imported/other/lock.json", "imported/tiny/../../x", "hub/.fetch.lock", "README.md",
     "imported/tiny/.hidden", "locks/other.json", "hub/models--a--b/blobs/x", "imported/tiny/a/b/c",
     "hub/models--a--b/snapshots/" + "a" * 40 + "/../x", "demo-voice/vocab.txt", "imported/tiny/a\\b"],
)  # fmt: skip
def test_no_file_gets_elsewhere(bundle: Path, other: Path, place: str) -> None:
    def change(name: str, raw: bytes) -> bytes:
        if name != LIST_NAME:
            return raw
        table = json.loads(raw)
        table["files"][place] = {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0}
        return json.dumps(table).encode()

    rewritten(bundle, change)
    with pytest.raises(CacheError, match="is no place in the cache"):
        import_bundle(bundle)
    assert placed(other) == []


def test_links_and_unlisted_members_are_refused(bundle: Path, other: Path) -> None:
    for kind, reason in ((tarfile.SYMTYPE, "not a regular file"), (tarfile.REGTYPE, "not in its list")):
        raw = bundle.read_bytes().rstrip(b"\0")
        raw += bytes(-len(raw) % 512)
        info = tarfile.TarInfo("imported/tiny/extra")
        info.type, info.linkname = kind, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
        other_bundle = bundle.with_name("more.tar")
        other_bundle.write_bytes(raw + info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
        with pytest.raises(CacheError, match=reason):
            import_bundle(other_bundle)
    assert placed(other) == []


def test_another_model_of_that_name_is_kept(bundle: Path, other: Path) -> None:
    import_bundle(bundle)
    shutil.rmtree(hub_root())
    before = everything(other)
    rewritten(bundle, lambda name, raw: raw + b"\n" if name.endswith("tiny/lock.json") else raw)
    with pytest.raises(CacheError, match="taken"):
        import_bundle(bundle)
    assert {k: v for k, v in everything(other).items() if not k.endswith(".lock")} == {
        k: v for k, v in before.items() if not k.endswith(".lock")
    }


def test_what_is_not_whole_is_not_exported(tiny_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar"
    with pytest.raises(CacheError, match="comes with the workbench"):
        export_bundle(["demo-voice"], out)
    with pytest.raises(ModelError):
        export_bundle(["no-such-model"], out)
    with pytest.raises(CacheError, match="not complete"):
        export_bundle([BASE], out)
    weights = next((cache_root() / "imported" / "tiny").glob("*.safetensors"))
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(CacheError, match="differs"):
        export_bundle(["tiny"], out)
    assert not out.exists() and not list(tmp_path.glob(".*.part"))


def test_other_files_are_no_bundles(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert is_bundle(bundle) and not is_bundle(tmp_path / "a") and not is_bundle(tmp_path / "none")
    assert not is_bundle(tmp_path)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, a Linux command")
@pytest.mark.slow
def test_a_machine_without_any_network_speaks_with_it(bundle: Path, other: Path) -> None:
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a network namespace")
    python = [sys.executable, "-m", "workbench"]
    speak = [*python, "synth", "Hello there.", "--model", "tiny", "--nfe-step", "2", "--out", str(other / "a.wav")]
    for words in ([*python, "cache", "import", str(bundle)], speak):
        command = ["unshare", "-n", *words, "--json"]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (other / "a.wav").stat().st_size > 1000
