"""The cache with concurrent processes, killed processes, and faulty homes and folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_ARCH
from tests.engine.cache.packed import pack
from workbench.engine.cache import deletion, import_model, inventory, plan_delete, resolve, verify
from workbench.engine.cache.fetch.fetching import fetch
from workbench.engine.cache.imports import importing
from workbench.engine.cache.imports.folders import find_in_folder
from workbench.engine.cache.paths import cache_root, hub_root, manifests_root, snapshots, user_hub_root
from workbench.engine.catalog import get_model, imported_folder
from workbench.engine.errors import CacheError, ImportRefused, SettingsError, WeightsError, WorkbenchError
from workbench.engine.files import places
from workbench.engine.files.leftovers import claim
from workbench.engine.signal.audio import check_output


@pytest.fixture(scope="module")
def mine(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that says how it is built."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path_factory.mktemp("mine") / "mine"))
    config = {"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def _hidden(folder: Path) -> list[str]:
    return [p.name for p in folder.glob(".*") if p.name != ".fetch.lock"]


# Neighbours ------------------------------------------------------------


def test_a_name_that_is_taken_meanwhile(mine: Path) -> None:
    imported_folder().mkdir(parents=True)
    with claim(imported_folder() / ".mine.part"), pytest.raises(CacheError, match="Mine is being imported at this mom"):
        import_model(mine, name="Mine")
    import_model(mine, name="mine")
    with pytest.raises(CacheError, match="The name MINE is taken"):
        import_model(mine, name="MINE")
    assert not _hidden(imported_folder())


def test_a_name_that_is_taken_while_the_files_are_copied(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight at once under one name: one wins, the others are told why; under eight names all win."""
    ready, outcome = threading.Barrier(8), []
    real = importing._bring_in
    monkeypatch.setattr(importing, "_bring_in", lambda *a: (ready.wait(20), real(*a))[1])

    def bring(name: str) -> None:
        try:
            outcome.append(import_model(mine, name=name).spec.name)
        except Exception as error:
            outcome.append(str(error))

    for names in (["one"] * 8, [f"of-{i}" for i in range(8)]):
        outcome.clear()
        workers = [threading.Thread(target=bring, args=(name,)) for name in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert {n for n in outcome if " " not in n} == set(names)
        others = [text for text in outcome if " " in text]
        assert len(others) == 8 - len(set(names))
        assert all("one is taken" in text or "one is being imported at" in text for text in others), others


def test_imports_of_several_processes(mine: Path, tmp_path: Path) -> None:
    code = """
        import sys
        from workbench.engine.cache import import_model
        from workbench.engine.errors import CacheError
        for i in range(3):
            for name in (f"own-{sys.argv[2]}-{i}", f"shared-{i}"):
                try:
                    import_model(sys.argv[1], name=name)
                except CacheError as error:
                    print(error)
    """
    archive = pack(tmp_path / "m.tar", {p.name: p.read_bytes() for p in mine.iterdir() if p.is_file()}, "tar")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(source), str(k)], stdout=subprocess.PIPE, text=True
        )
        for k, source in enumerate((mine, archive, mine))
    ]
    lines = [line for worker in workers for line in worker.communicate()[0].splitlines()]
    assert all(worker.returncode == 0 for worker in workers)
    assert len(lines) == 6 and all("shared-" in line for line in lines)
    assert all("is taken" in line or "at this moment" in line for line in lines), lines
    assert len(list(imported_folder().iterdir())) == 12


# Kills ------------------------------------------------------------


KILLED = """
    import os, sys, threading
    from workbench.engine.cache import import_model, plan_delete
    from workbench.engine.cache.imports import archives
    from workbench.engine.cache.imports import importing
    {patch}
    {act}
"""


def _killed(patch: str, act: str, *args: str) -> None:
    code = textwrap.dedent(KILLED).format(patch=patch, act=act)
    assert subprocess.run([sys.executable, "-c", code, *args], timeout=60).returncode == 9


def test_a_killed_import_of_an_archive_is_swept_at_once(mine: Path, tmp_path: Path) -> None:
    content = {p.relative_to(mine).as_posix(): p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    archive = pack(tmp_path / "mine.zip", content, "zip")
    _killed("importing.examine = lambda *a: os._exit(9)", "import_model(sys.argv[1])", str(archive))
    assert _hidden(imported_folder())
    import_model(mine, name="another")
    assert not _hidden(imported_folder())


def test_a_killed_import_of_a_folder_does_not_keep_its_name(mine: Path) -> None:
    _killed("importing._describe = lambda *a: os._exit(9)", "import_model(sys.argv[1], name='mine')", str(mine))
    assert _hidden(imported_folder())
    assert import_model(mine, name="mine").spec.name == "mine" and not _hidden(imported_folder())


def test_a_killed_deletion_leaves_no_weights_without_a_name(mine: Path) -> None:
    import_model(mine, name="mine")
    _killed("import filelock, shutil; shutil.rmtree = lambda *a: os._exit(9)", "plan_delete('mine').execute()")
    assert not (imported_folder() / "mine").exists()
    import_model(mine, name="mine")
    assert not _hidden(imported_folder()) and verify("mine").files


def test_an_import_that_runs_is_never_swept(mine: Path, tmp_path: Path) -> None:
    """However old its files are: archives keep the times of their members."""
    with claim(imported_folder() / ".other.part") as draft:
        (draft / "half").write_text("x")
        for path in (draft / "half", draft):
            os.utime(path, (0, 0))
        import_model(mine, name="mine")
        assert (draft / "half").exists()


def test_a_killed_writer_of_a_lock_file_is_swept(mine: Path) -> None:
    manifests_root().mkdir(parents=True)
    old = manifests_root() / ".F5TTS_Base.json.abcdefgh.tmp"
    old.write_text("{")
    os.utime(old, (0, 0))
    import_model(mine, name="mine")
    assert not old.exists()


# Homes ------------------------------------------------------------


@pytest.mark.parametrize("value", ["~nouser/x", "~"])
def test_a_home_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, value: str, mine: Path) -> None:
    """An unknown user, and a container whose user has neither a name nor a home."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(SettingsError, match=r"The path '~.* begins with a home folder"):
        import_model(value)
    with pytest.raises(SettingsError, match="begins with a home folder"):
        import_model(mine, vocoder=value)
    with pytest.raises(SettingsError, match="begins with a home folder"):
        find_in_folder(Path(value))
    with pytest.raises(SettingsError, match="begins with a home folder"):
        check_output(value + "/a.wav")
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv("HF_HOME", raising=False)
        monkeypatch.setenv(name, value)
        assert str(user_hub_root()).startswith("~") and inventory()
        monkeypatch.delenv(name)
    assert inventory(), "no home at all"
    monkeypatch.setenv("WORKBENCH_HOME", value)
    with pytest.raises(SettingsError, match=r"WORKBENCH_HOME '~.* begins with a home folder"):
        inventory()


def test_a_home_that_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for value, why in (("file", "is not a folder"), ("x" * 300, "File name too long")):
        monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / value))
        with pytest.raises(SettingsError, match=f"WORKBENCH_HOME .*{why}"):
            places.home()


def test_a_home_that_cannot_be_read(_own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_own_home / "cache").mkdir()
    for denied in (_own_home, _own_home / "cache"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda path, mode, denied=denied: path != denied)
            with pytest.raises(SettingsError, match=r"cannot be read .Permission denied"):
                inventory()
    (_own_home / "cache").rmdir()
    (_own_home / "cache").write_text("x")
    with pytest.raises(SettingsError, match="has a file named cache instead of a folder"):
        inventory()


def test_a_home_that_cannot_be_written(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_model(mine, name="mine")
    plan = plan_delete("mine")
    monkeypatch.setenv("WORKBENCH_HOME", "/proc/nowhere")  # where not even root may write
    assert inventory()
    for act in (lambda: import_model(mine), lambda: fetch("F5TTS_Base"), plan.execute):
        with pytest.raises(CacheError) as caught:
            act()
        assert "\n" not in str(caught.value) and ".part" not in str(caught.value)


def test_looking_writes_nothing(mine: Path, _own_home: Path) -> None:
    """A cache that is read-only stays of use: no folder is made, no lock taken, no draft removed."""
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings

    import_model(mine, name="mine")
    left = imported_folder() / ".old.part"
    left.mkdir()
    places = [_own_home, *(p for p in _own_home.rglob("*") if p.is_dir())]
    for place in places:
        os.utime(place, (0, 0))
    inventory()
    assert verify("mine").ok and resolve(get_model("mine"))
    plan_delete("mine")
    load(get_model("mine"), LoadSettings(device="cpu", dtype="fp32"))  # auto would note the processor
    assert [p for p in places if p.stat().st_mtime != 0] == []


# Folders ------------------------------------------------------------


def _deny(monkeypatch: pytest.MonkeyPatch, denied: Path) -> None:
    """What a folder without permissions does to somebody who is not root."""
    for owner, name in ((os, "scandir"), (os, "listdir"), (os, "stat"), (os, "lstat")):
        real = getattr(owner, name)

        def guarded(path: object = ".", *args: object, _real: object = real, _name: str = name, **kw: object) -> object:
            inside = isinstance(path, (str, os.PathLike)) and (
                denied in Path(path).parents or (Path(path) == denied and _name in ("scandir", "listdir"))
            )
            if inside:
                raise PermissionError(13, "Permission denied", str(path))
            return _real(path, *args, **kw)  # type: ignore[operator]

        monkeypatch.setattr(owner, name, guarded)


def test_folders_that_cannot_be_read(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(shutil.copytree(mine, tmp_path / "closed"))
    outer = tmp_path / "outer"
    shutil.copytree(mine, outer / "inner")
    with monkeypatch.context() as patch:
        _deny(patch, closed)
        for act in (lambda: find_in_folder(closed), lambda: import_model(closed)):
            with pytest.raises(WorkbenchError, match=r"closed.* cannot be read: Permission denied"):
                act()
    with monkeypatch.context() as patch:
        _deny(patch, outer / "inner")
        with pytest.raises(WeightsError, match=r"inner.* cannot be read: Permission denied"):
            find_in_folder(outer)
    shutil.copytree(mine, outer / "other")
    with monkeypatch.context() as patch:
        _deny(patch, outer / "inner")
        assert find_in_folder(outer).weights.parent.name == "other", "one closed folder does not hide the others"


def test_folders_that_cannot_exist(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, match in ((tmp_path / "loop", "does not exist"), (tmp_path / ("x" * 300), "File name too long")):
        for act in (find_in_folder, import_model):
            with pytest.raises(WorkbenchError, match=match) as caught:
                act(path)
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_snapshots_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = user_hub_root() / "models--SWivid--F5-TTS" / "snapshots"
    (base / ("0" * 40)).mkdir(parents=True)
    (base / "loop").symlink_to("loop")
    assert [p.name for p in snapshots(user_hub_root(), "SWivid/F5-TTS")] == ["0" * 40]
    _deny(monkeypatch, base)
    assert snapshots(user_hub_root(), "SWivid/F5-TTS") == [] and inventory()


def test_an_interrupted_deletion_can_be_taken_up_again(_own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs go before the links to them: what is left is still found."""
    base = hub_root() / "models--RaivisDejus--F5-TTS-Latvian"
    (base / "snapshots" / ("1" * 40)).mkdir(parents=True)
    (base / "blobs").mkdir()
    for n, name in enumerate(get_model("F5TTS_Base_lv").repo_files):
        (base / "blobs" / f"b{n}").write_bytes(b"x" * 100)
        (base / "snapshots" / ("1" * 40) / name).symlink_to(f"../../blobs/b{n}")
    real, count = Path.unlink, [0]

    def unlink(self: Path, missing_ok: bool = False) -> None:
        count[0] += 1
        if count[0] > 2:
            raise OSError(5, "Input/output error", str(self))
        real(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(CacheError, match="Input/output error"):
            plan_delete("F5TTS_Base_lv").execute()
    plan_delete("F5TTS_Base_lv").execute()
    assert not base.exists() and deletion and cache_root().is_dir()


def test_a_refusal_names_no_draft(mine: Path, tmp_path: Path) -> None:
    """The archive that the user knows is named, not the folder that it was unpacked into."""
    for content in (
        {"readme.txt": b"x"},
        {"a.safetensors": b"x"},
        {"a/model.safetensors": b"", "b/n.safetensors": b""},
    ):
        with pytest.raises((ImportRefused, WeightsError)) as caught:
            import_model(pack(tmp_path / "theirs.zip", content, "zip"))
        assert ".part" not in str(caught.value) and "theirs.zip" in str(caught.value), caught.value
