"""What macOS and Windows leave in folders is no part of a model."""

from __future__ import annotations

import shutil

import pytest

from workbench.engine.cache import import_model, verify
from workbench.engine.cache.paths import snapshots
from workbench.engine.catalog import bundled_folder

LEFT = ["._{}", ".DS_Store", "desktop.ini", "Thumbs.db", "__MACOSX/._{}"]


@pytest.mark.parametrize("left", LEFT)
def test_an_import_does_not_see_it(left, tmp_path):
    mine = shutil.copytree(bundled_folder(), tmp_path / "mine")
    for path in [p for p in mine.rglob("*") if p.is_file()]:
        odd = path.parent / left.format(path.name)
        odd.parent.mkdir(exist_ok=True)
        odd.write_bytes(b"\0\5\x16\7" + bytes(4000))
    report = import_model(mine, name="mine")
    assert report.spec.name == "mine" and verify("mine").ok


@pytest.mark.parametrize("name", ["._abc", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"])
def test_no_snapshot_is_called_so(name, tmp_path):
    (tmp_path / "models--a--b" / "snapshots" / name).mkdir(parents=True)
    assert snapshots(tmp_path, "a/b") == []
