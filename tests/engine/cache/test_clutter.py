"""Files that macOS and Windows leave in folders do not count as files of a model."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import COMMIT
from tests.engine.cache.stocked import put_base, put_vocoder
from workbench.engine.cache import file_problem, import_model, inventory, plan_delete, resolve, verify
from workbench.engine.cache.paths import cache_root, hub_root, snapshots
from workbench.engine.catalog import bundled_folder, get_model, imported_folder, list_models
from workbench.engine.errors import WeightsError
from workbench.engine.runs import store

LEFT = ["._{}", ".DS_Store", "desktop.ini", "Thumbs.db", "ehthumbs.db", "__MACOSX/._{}"]
WITHOUT_VOICES = shutil.ignore_patterns("voices", "*.png", "evaluation.json")
APPLE_DOUBLE = b"\0\5\x16\7" + bytes(4000)


def litter(folder: Path, kinds: Iterable[str] = LEFT) -> Path:
    """Clutter beside every file and link below ``folder``, and in every folder."""
    beside = [p for p in folder.rglob("*") if p.is_file() or p.is_symlink()]
    for place in [*beside, *(p / "x" for p in (folder, *folder.rglob("*")) if p.is_dir() and not p.is_symlink())]:
        for left in kinds:
            odd = place.parent / left.format(place.name)
            odd.parent.mkdir(exist_ok=True)
            odd.write_bytes(APPLE_DOUBLE)
    return folder


@pytest.mark.parametrize("left", LEFT)
def test_an_import_does_not_see_it(left: str, tmp_path: Path) -> None:
    mine = litter(Path(shutil.copytree(bundled_folder(), tmp_path / "mine", ignore=WITHOUT_VOICES)), [left])
    report = import_model(mine, name="mine")
    assert report.spec.name == "mine" and verify("mine").ok
    assert not any(p.name.startswith("._") for p in imported_folder().rglob("*"))


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_nor_does_one_from_an_archive(kind: str, tmp_path: Path) -> None:
    mine = litter(Path(shutil.copytree(bundled_folder(), tmp_path / "mine", ignore=WITHOUT_VOICES)))
    archive = shutil.make_archive(str(tmp_path / "mine"), kind, mine)
    assert import_model(archive, name="mine").spec.name == "mine" and verify("mine").ok


def test_nor_does_one_from_a_hub_cache_or_with_a_vocoder_elsewhere(tmp_path: Path, tiny_folder: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / COMMIT
    theirs = litter(Path(shutil.copytree(bundled_folder(), snapshot, ignore=WITHOUT_VOICES)))
    litter(tmp_path)
    assert import_model(tmp_path, name="mine").spec.vocoder_repo is None
    assert import_model(next(theirs.glob("model_*.safetensors")), name="second", vocoder=theirs / "vocos").spec


@pytest.mark.parametrize("name", ["._abc", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"])
def test_no_snapshot_is_called_so(name: str, tmp_path: Path) -> None:
    (tmp_path / "models--a--b" / "snapshots" / name).mkdir(parents=True)
    assert snapshots(tmp_path, "a/b") == []


def test_lists_paths_and_runs_do_not_see_it(demo_home: Path) -> None:
    put_base(hub_root())
    put_vocoder(hub_root())
    import_model(bundled_folder(), name="mine")
    before = [(s.model, s.state, s.problems, s.bytes) for s in inventory()]
    (demo_home / "runs").mkdir()
    litter(demo_home)
    assert [(s.model, s.state, s.problems, s.bytes) for s in inventory()] == before
    assert {spec.kind for spec in list_models() if spec.not_runnable} <= {"community"}
    for model in ("F5TTS_v1_Base", "mine", "demo-voice"):
        assert resolve(get_model(model)) and verify(model).ok
    assert store.scan() == ([], [])


def test_a_note_of_macos_is_told_from_weights(tmp_path: Path) -> None:
    for name in ("._model.safetensors", "._model.pt"):
        (tmp_path / name).write_bytes(APPLE_DOUBLE)
        assert file_problem(tmp_path / name) == "is a note of macOS about the file (._), not the file itself"
        with pytest.raises(WeightsError, match="is a note of macOS"):
            import_model(tmp_path / name, config="F5TTS_Base")


@pytest.mark.parametrize("left", LEFT)
def test_deletion_leaves_none_of_it_behind(left: str) -> None:
    put_base(hub_root())
    put_vocoder(hub_root())
    import_model(bundled_folder(), name="mine")
    plans = {model: plan_delete(model) for model in ("mine", "F5TTS_v1_Base")}
    for base in (*hub_root().iterdir(), imported_folder() / "mine"):
        litter(base, [left])
    for model, plan in plans.items():
        assert plan_delete(model) == plan, "it is no change of the cache"
        assert plan.execute() == plan.bytes
    assert not list(imported_folder().iterdir())
    assert not list(cache_root().rglob("models--*"))


def test_deletion_spares_another_models_files_and_their_clutter() -> None:
    put_base(hub_root())
    put_vocoder(hub_root())
    other = hub_root() / "models--SWivid--F5-TTS" / "snapshots" / COMMIT / "F5TTS_Base" / "model_1200000.safetensors"
    other.parent.mkdir()
    other.write_bytes(b"x")
    (other.parent / ".DS_Store").write_bytes(b"y")
    plan_delete("F5TTS_v1_Base").execute()
    assert (
        other.is_file() and (other.parent / ".DS_Store").is_file() and not (other.parents[1] / "F5TTS_v1_Base").exists()
    )
