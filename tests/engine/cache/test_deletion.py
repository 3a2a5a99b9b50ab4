"""Deletion: the plan is shown, and just that is done; what others use stays."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import COMMIT, NEWER, tiny_safetensors
from tests.engine.cache.stocked import HUB, WEIGHTS, lock, put, put_base, put_vocoder, state_of
from workbench.engine.cache import (
    import_model,
    plan_delete,
    verify,
)
from workbench.engine.cache.paths import hub_root, user_hub_root
from workbench.engine.catalog import bundled_folder, get_model
from workbench.engine.errors import CacheError, ModelError

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
