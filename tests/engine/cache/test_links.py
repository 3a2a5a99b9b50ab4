"""A Hub cache that came by zip, USB stick or Git on Windows: links are text, snapshots are partial, refs are gone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import TINY_ARCH, TINY_SPEC
from tests.engine.cache.hub_server import COMMIT, NEWER, tiny_safetensors
from tests.engine.cache.stocked import HUB, PICKLE, WEIGHTS, put, put_base, put_vocoder
from workbench.cli.parts.commands import app
from workbench.engine.cache import file_problem, import_model, inventory, plan_delete, resolve, verify
from workbench.engine.cache.links import blob_in_text, followed
from workbench.engine.cache.paths import hub_root, user_hub_root
from workbench.engine.catalog import VOCODER_REPO, get_model
from workbench.engine.errors import WeightsError
from workbench.engine.model.loading import load
from workbench.engine.settings import LoadSettings

CPU = LoadSettings(device="cpu", dtype="fp32")
KINDS: dict[str, Callable[[str], bytes]] = {
    "git, zip": lambda target: target.encode(),
    "with a line end": lambda target: f"{target}\r\n".encode(),
    "backslashes": lambda target: target.replace("/", "\\").encode(),
    "a whole path": lambda target: f"/home/me/.cache/huggingface/hub/models--a--b/{target[6:]}".encode(),
    "SMB": lambda target: f"XSym\n{len(target):04}\n{'0' * 32}\n{target}\n".encode().ljust(1067),
    "Cygwin": lambda target: b"!<symlink>\xff\xfe" + f"{target}\0".encode("utf-16-le"),
}


def unlink_all(base: Path, kind: str = "git, zip") -> Path:
    """Every link of the repository as text."""
    for path in base.rglob("snapshots/**/*"):
        if path.is_symlink():
            target = os.readlink(path)
            path.unlink()
            path.write_bytes(KINDS[kind](target))
    return base


def stock_of(model: str):
    return next(s for s in inventory() if s.model == model)


@pytest.fixture
def tiny_hub(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny model and its vocoder as repositories of a Hub cache."""
    hub = tmp_path / "hub"
    mine = {name: (tiny_folder / name).read_bytes() for name in ("model_random.safetensors", "vocab.txt")}
    model = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}
    put(hub, "me/tiny", mine | {"config.yaml": yaml.safe_dump({"model": model}).encode()})
    names = ("config.yaml", "pytorch_model.bin")
    put(hub_root(), VOCODER_REPO, {n: (tiny_folder / "vocos" / n).read_bytes() for n in names})
    return hub


@pytest.mark.parametrize("kind", KINDS)
def test_the_blob_is_used_and_that_is_said(kind: str) -> None:
    unlink_all(put_base(hub_root()), kind)
    unlink_all(put_vocoder(hub_root()), kind)
    files = resolve(get_model("F5TTS_v1_Base"))
    for path in (files.weights, files.vocoder_weights, files.vocoder_config):
        assert path.parent.name == "blobs" and path.is_file()
    assert files.revision == COMMIT
    stock = stock_of("F5TTS_v1_Base")
    assert stock.state == "complete" and verify("F5TTS_v1_Base").ok
    assert any("links that became text files" in line and "model_1250000" in line for line in stock.remarks)
    assert "links that became text files" in CliRunner().invoke(app, ["cache", "ls"]).output


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_without_its_blob_is_never_read_as_weights(kind: str) -> None:
    base = unlink_all(put_base(hub_root()), kind)
    put_vocoder(hub_root())
    for blob in (base / "blobs").iterdir():
        blob.unlink()
    with pytest.raises(WeightsError, match=r"is a link that became a text file, and its blob [0-9a-f]{12} is not here"):
        resolve(get_model("F5TTS_v1_Base"))
    stock = stock_of("F5TTS_v1_Base")
    assert stock.state == "incomplete" and "became a text file" in stock.problems[0]


def test_speech_from_blobs_under_names_without_suffix(tiny_hub: Path, tiny_folder: Path) -> None:
    unlink_all(tiny_hub / "models--me--tiny")
    unlink_all(hub_root())
    loaded = load(TINY_SPEC, CPU, folder=tiny_hub)
    assert loaded.files is not None and loaded.files.weights.suffix == "" and loaded.layer == "ema"
    assert loaded.weights["acoustic"] == loaded.files.weights.name, "the blob's name is its sha256"


def test_an_import_copies_the_blobs(tiny_hub: Path, tiny_folder: Path) -> None:
    unlink_all(tiny_hub / "models--me--tiny")
    unlink_all(hub_root())
    vocoder = hub_root() / "models--charactr--vocos-mel-24khz"
    report = import_model(tiny_hub, name="tiny", vocoder=vocoder)
    assert any("4 links had become text files" in note for note in report.notes)
    kept = resolve(report.spec).weights
    assert kept.read_bytes() == (tiny_folder / "model_random.safetensors").read_bytes()
    assert kept.name == "model_random.safetensors" and verify("tiny").ok
    assert load(report.spec, CPU).layer == "ema"


def test_a_zipped_cache_comes_in_whole(tiny_hub: Path, tiny_folder: Path, tmp_path: Path) -> None:
    unlink_all(tiny_hub)
    archive = shutil.make_archive(str(tmp_path / "cache"), "zip", tiny_hub)
    report = import_model(archive, name="tiny", vocoder=tiny_folder / "vocos")
    assert resolve(report.spec).weights.stat().st_size > 10_000


def test_deleting_frees_the_blobs_behind_text(tmp_path: Path) -> None:
    base = unlink_all(put_base(hub_root()))
    vocoder = unlink_all(put_vocoder(hub_root()))
    plan = plan_delete("F5TTS_v1_Base")
    assert plan.bytes > len(tiny_safetensors())
    plan.execute()
    assert not base.exists() and not vocoder.exists()


def test_text_that_only_looks_like_a_link_is_left_alone(tmp_path: Path) -> None:
    blobs, name = b"../../blobs/", b"0" * 64
    odd = (b"", blobs, blobs + b"g" * 64, b"blobs/" + name, b"a\n" + blobs + name, blobs + name + b"/x")
    for text in (*odd, blobs + name + b" " * 2000):
        assert blob_in_text(text) == ""
    stray = tmp_path / "model.safetensors"
    stray.write_text("../../blobs/" + "0" * 64)
    assert followed(stray) == stray and "became a text file" in file_problem(stray)


# Partial snapshots ------------------------------------------------------------

PARTIAL: dict[str, Callable[[Path, Path], None]] = {
    "no weights": lambda base, vocoder: (base / "snapshots" / COMMIT / WEIGHTS).unlink(),
    "weights without their blob": lambda base, vocoder: blob(base, WEIGHTS).unlink(),
    "weights cut short": lambda base, vocoder: cut(blob(base, WEIGHTS)),
    "weights under way": lambda base, vocoder: under_way(blob(base, WEIGHTS)),
    "weights of no bytes": lambda base, vocoder: blob(base, WEIGHTS).write_bytes(b""),
    "a vocoder without its configuration": lambda base, vocoder: blob(vocoder, "config.yaml").unlink(),
    "a vocoder without its weights": lambda base, vocoder: blob(vocoder, "pytorch_model.bin").unlink(),
    "no vocoder": lambda base, vocoder: shutil.rmtree(vocoder),
    "a folder in place of weights": lambda base, vocoder: folder_for(base / "snapshots" / COMMIT / WEIGHTS),
}


def blob(base: Path, name: str) -> Path:
    return Path(os.path.realpath(base / "snapshots" / COMMIT / name))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def under_way(path: Path) -> None:
    path.rename(path.with_name(path.name + ".incomplete"))


def folder_for(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("case", PARTIAL)
def test_a_partial_snapshot_is_never_ready(case: str) -> None:
    base, vocoder = put_base(hub_root()), put_vocoder(hub_root())
    assert resolve(get_model("F5TTS_v1_Base")).revision == COMMIT
    PARTIAL[case](base, vocoder)
    with pytest.raises(WeightsError):
        resolve(get_model("F5TTS_v1_Base"))
    assert stock_of("F5TTS_v1_Base").state != "complete"


@pytest.mark.parametrize("case", ["no weights", "weights without their blob", "weights cut short"])
def test_an_older_whole_snapshot_is_used_and_named(case: str) -> None:
    put_vocoder(hub_root())
    base = put_base(hub_root(), tiny_safetensors(9), NEWER, main=False)
    put_base(hub_root())  # refs/main
    PARTIAL[case](base, base)
    files = resolve(get_model("F5TTS_v1_Base"))
    assert files.revision == NEWER
    assert "refs/main names '0123456789ab', which is not usable here" in files.picked


# Revisions ------------------------------------------------------------


def test_a_revision_picked_for_want_of_refs_main_is_named() -> None:
    for at, commit in enumerate((COMMIT, NEWER)):
        base = put_base(hub_root(), tiny_safetensors(9 + at), commit, main=False)
        os.utime(base / "snapshots" / commit, (1000 * at, 1000 * at))
    put_vocoder(hub_root())
    files = resolve(get_model("F5TTS_v1_Base"))
    assert files.revision == NEWER
    assert files.picked == f"{HUB} at {NEWER[:12]}, the newest usable of 2: refs/main is missing"
    listed = CliRunner().invoke(app, ["cache", "ls"]).output
    assert f"F5TTS_v1_Base: revision picked: {files.picked}" in " ".join(listed.split())
    models = json.loads(CliRunner().invoke(app, ["cache", "ls", "--json"]).output)["models"]
    mine = next(m for m in models if m["model"] == "F5TTS_v1_Base")
    assert mine["picked"] == files.picked and mine["revision"] == NEWER


def test_nothing_is_said_where_refs_main_or_the_user_names_it(tiny_hub: Path) -> None:
    put_base(user_hub_root())
    put_vocoder(user_hub_root())
    assert resolve(get_model("F5TTS_v1_Base")).picked == "" and not stock_of("F5TTS_v1_Base").remarks
    (tiny_hub / "models--me--tiny" / "refs" / "main").unlink()
    snapshot = tiny_hub / "models--me--tiny" / "snapshots" / COMMIT
    assert "the only one here: refs/main is missing" in resolve(TINY_SPEC, folder=tiny_hub).picked
    assert resolve(TINY_SPEC, folder=snapshot).picked == ""
    assert any("refs/main is missing" in note for note in import_model(tiny_hub, name="tiny").notes)


def test_a_run_keeps_the_revision_and_why(tiny_hub: Path, tmp_path: Path, voice) -> None:
    from workbench.engine.runs.store import load_run, save_run
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.synthesis import Engine

    (tiny_hub / "models--me--tiny" / "refs" / "main").unlink()
    (hub_root() / "models--charactr--vocos-mel-24khz" / "refs" / "main").unlink()
    run = Engine(load(TINY_SPEC, CPU, folder=tiny_hub)).run("Hello there.", voice, SynthesisSettings(nfe_step=1))
    save_run(run)
    kept = load_run(run.id).weights
    assert kept["revision"] == COMMIT and kept["layer"] == "ema"
    assert "me/tiny at" in kept["picked"] and VOCODER_REPO in kept["picked"]
    assert "revision picked: me/tiny at" in CliRunner().invoke(app, ["runs", "show", run.id]).output


def test_a_hub_folder_with_a_partial_main_is_imported_from_the_whole_snapshot(tiny_hub: Path) -> None:
    base = tiny_hub / "models--me--tiny"
    (base / "snapshots" / NEWER).mkdir()
    (base / "snapshots" / NEWER / "model_random.safetensors").write_bytes(PICKLE)
    (base / "refs" / "main").write_text(NEWER)
    report = import_model(tiny_hub, name="tiny")
    assert any(f"at {COMMIT[:12]}" in note and "not usable" in note for note in report.notes)
