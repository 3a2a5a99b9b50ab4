"""Caches as the Hub lays them out, made by hand."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from tests.engine.cache.hub_server import COMMIT, git_id, tiny_safetensors
from workbench.engine.cache import (
    inventory,
)
from workbench.engine.cache.paths import manifests_root
from workbench.engine.catalog import VOCODER_REPO

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
