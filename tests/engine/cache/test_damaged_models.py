"""A damaged or unreadable file never hides other models: it is listed with the reason and can be deleted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import TINY_ARCH
from tests.engine.cache.hub_server import COMMIT
from tests.engine.cache.test_checkpoints import HEADERS
from workbench.cli.parts.commands import app
from workbench.engine.cache import import_model, inventory, plan_delete, resolve, verify
from workbench.engine.cache.paths import hub_root, manifests_root, user_hub_root
from workbench.engine.catalog import get_model, imported_folder, list_models
from workbench.engine.checks.doctor import examine
from workbench.engine.errors import WorkbenchError

COMMANDS = (["cache", "ls", "--all"], ["cache", "ls", "--json"], ["models"], ["models", "--json"])


def everything_answers(*damaged: str) -> None:
    """Every listing works, and says something of each of ``damaged``; verify and deletion end in one line."""
    for command in COMMANDS:
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0 and done.exception is None, (command, done.exception)
        assert "demo-voice" in done.output and "F5TTS_v1_Base" in done.output
    stocks = {stock.model: stock for stock in inventory()}
    assert stocks["demo-voice"].state == "complete"
    examine(run=False)
    for name in damaged:
        assert stocks[name].state == "incomplete" and stocks[name].problems, name
        with pytest.raises(WorkbenchError) as caught:
            resolve(get_model(name))
        assert "\n" not in str(caught.value)
        try:
            assert not verify(name).ok
        except WorkbenchError as error:
            assert "damaged" in str(error)


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.slow
def test_an_odd_safetensors_in_the_users_own_cache() -> None:
    names = [spec.name for spec in list_models() if (spec.weights or "").endswith(".safetensors") and spec.repo]
    assert len(names) > 5
    for number, header in enumerate(HEADERS.values()):
        spec = get_model(names[number % len(names)])
        snapshot = user_hub_root() / f"models--{spec.repo.replace('/', '--')}" / "snapshots" / COMMIT
        put(snapshot / spec.weights, header)
        stocks = {stock.model: stock for stock in inventory()}
        assert stocks[spec.name].state == "incomplete" and stocks["demo-voice"].state == "complete"
    everything_answers(*names)


@pytest.fixture(scope="module")
def whole(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported model, called "first"."""
    theirs = Path(shutil.copytree(tiny_folder, tmp_path_factory.mktemp("theirs") / "first"))
    put(theirs / "config.yaml", yaml.safe_dump({"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}}))
    home = tmp_path_factory.mktemp("their-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        import_model(theirs)
        return imported_folder() / "first"


def imported(whole: Path, name: str) -> Path:
    """A copy of it in this test's home under another name."""
    folder = Path(shutil.copytree(whole, imported_folder() / name))
    put(folder / "lock.json", about(folder, model=name))
    return folder


def about(folder: Path, **changes: Any) -> str:
    return json.dumps(json.loads((folder / "lock.json").read_text()) | changes)


LOCKS = {
    "empty": lambda folder: "",
    "a list": lambda folder: "[]",
    "nested": lambda folder: "[" * 200_000,
    "not UTF-8": lambda folder: b"\xff\xfe",
    "no model": lambda folder: json.dumps({"files": {}}),
    "a model that is a table": lambda folder: about(folder, model={}),
    "another's name": lambda folder: about(folder, model="second"),
    "the demo voice's name": lambda folder: about(folder, model="demo-voice"),
    "weights elsewhere": lambda folder: about(folder, weights="../second/model_random.safetensors"),
    "weights that are a number": lambda folder: about(folder, weights=3),
    "a title that is a list": lambda folder: about(folder, title=["x"]),
    "languages that are a word": lambda folder: about(folder, languages="en"),
    "languages that are tables": lambda folder: about(folder, languages=[{}]),
    "a vocoder that is a word": lambda folder: about(folder, own_vocoder="no"),
    "files that are a list": lambda folder: about(folder, files=["a"]),
    "a file that leads out": lambda folder: about(folder, files={"../x": {"sha256": "", "size": 1}}),
    "a size of 1e999": lambda folder: about(folder).replace('"size": ', '"size": 1e999, "s": ', 1),
    "a size that is a word": lambda folder: about(folder, files={"x": {"sha256": "", "size": "many"}}),
}


@pytest.mark.slow
def test_odd_locks_of_imports(whole: Path) -> None:
    imported(whole, "second")
    damaged = {f"odd-{number}": change for number, change in enumerate(LOCKS.values())}
    for name, change in damaged.items():
        folder = imported(whole, name)
        put(folder / "lock.json", change(folder))
    everything_answers(*damaged)
    for name in damaged:
        plan_delete(name).execute()
    assert [p.name for p in imported_folder().iterdir()] == ["second"]
    assert next(s for s in inventory() if s.model == "second").state == "complete"


def test_a_folder_without_a_lock_is_listed_and_can_be_deleted(whole: Path) -> None:
    """Its name is taken, so people must see why; a plain file is no model, but takes its name all the same."""
    (imported(whole, "second") / "lock.json").unlink()
    (imported_folder() / "bare").mkdir()
    (imported_folder() / "dangling").symlink_to("nowhere")
    put(imported_folder() / "file", "x")
    everything_answers("second", "bare", "dangling")
    assert "file" not in {spec.name for spec in list_models()}
    assert "lock.json" in get_model("second").not_runnable
    for name in ("second", "bare", "dangling", "file"):
        with pytest.raises(WorkbenchError, match=f"The name {name} is taken: .*/{name} exists"):
            import_model(whole, name=name)
    for name in ("second", "bare", "dangling"):
        plan_delete(name).execute()
    assert [p.name for p in imported_folder().iterdir()] == ["file"]


CONFIGS = ["", "model: 3", "a: &a [*a]", "[" * 3000, "model: {backbone: DiT, arch: {dim: abc}, mel_spec: {}}", b"\xff"]


def test_odd_configurations_of_imports(whole: Path) -> None:
    imported(whole, "second")
    damaged = {f"odd-{number}": content for number, content in enumerate(CONFIGS)}
    for name, content in damaged.items():
        put(imported(whole, name) / "config.yaml", content)
    everything_answers(*damaged)
    for name in damaged:
        assert "config.yaml" in get_model(name).not_runnable
        plan_delete(name).execute()
    assert [p.name for p in imported_folder().iterdir()] == ["second"]


def test_something_else_in_the_place_of_files(whole: Path) -> None:
    made: list[str] = []
    for name in ("lock.json", "config.yaml", "model_random.safetensors", "vocab.txt", "vocos"):
        for kind in ("folder", "loop", "pipe"):
            made.append(f"{kind}-{name}")
            path = imported(whole, made[-1]) / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            if kind == "folder":
                path.mkdir()
            elif kind == "loop":
                path.symlink_to(path.name)
            else:
                os.mkfifo(path)
    everything_answers(*made)


def test_folders_that_cannot_be_read(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, whom nothing is forbidden; so the system's answer is put in by hand."""
    shut = {str(imported(whole, "first")), str(hub_root()), str(user_hub_root())}

    def closed(function: Any) -> Any:
        def answer(path: Any, *args: Any, **more: Any) -> Any:
            text = os.fspath(path) if not isinstance(path, int) else ""
            if any(text == folder or text.startswith(f"{folder}/") for folder in shut):
                raise PermissionError(13, "Permission denied", text)
            return function(path, *args, **more)

        return answer

    for name in ("open", "stat", "lstat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, closed(getattr(os, name)))
    monkeypatch.setattr("io.open", closed(open))
    everything_answers("first")
    assert "Permission denied" in next(s for s in inventory() if s.model == "first").note


def test_files_in_the_place_of_the_caches_folders(_own_home: Path) -> None:
    for path in (imported_folder(), hub_root(), user_hub_root(), manifests_root()):
        put(path, "a file")
    everything_answers()


def test_loops_in_the_place_of_the_caches_folders(_own_home: Path) -> None:
    for path in (imported_folder(), hub_root(), user_hub_root(), manifests_root()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(path.name)
    everything_answers()


def test_an_odd_lock_of_a_fetched_model() -> None:
    put(manifests_root() / "F5TTS_v1_Base.json", "[" * 200_000)
    put(manifests_root() / "E2TTS_Base.json", '{"repos": [{"repo": [], "revision": 1e999, "files": []}]}')
    everything_answers("F5TTS_v1_Base", "E2TTS_Base")


def test_a_damaged_demo_voice_does_not_hide_the_others(demo_home: Path) -> None:
    put(demo_home / "cache" / "demo-voice" / "config.yaml", "model: [")
    stocks = {s.model: s for s in inventory()}
    assert stocks["demo-voice"].problems and "Delete " in stocks["demo-voice"].note
    for command in COMMANDS:
        assert CliRunner().invoke(app, command).exit_code == 0
