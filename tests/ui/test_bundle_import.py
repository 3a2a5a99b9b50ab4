"""Models page: a bundle is shown, checked, and brought in by path or upload; a damaged one leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.ui.helpers import until
from workbench.engine import cache
from workbench.engine.cache.paths import cache_root

pytestmark = pytest.mark.slow


@pytest.fixture
def bundle(tiny_home: Path, tmp_path: Path) -> Path:
    """A bundle with the model tiny, which is then removed from the cache."""
    cache.export_bundle(["tiny"], tmp_path / "bundle.tar")
    shutil.rmtree(cache_root() / "imported")
    return tmp_path / "bundle.tar"


def models() -> list[str]:
    return [stock.model for stock in cache.inventory()]


def offered(at: Any) -> list[str]:
    return [name for table in at.dataframe if "already here" in table.value for name in table.value["model"]]


def test_a_bundle_is_shown_then_brought_in_from_a_path(open_page: Any, bundle: Path) -> None:
    at = open_page("models")
    at.text_input(key="bundle_path_0").set_value(str(bundle)).run()
    assert offered(at) == ["tiny"] and "tiny" not in models()
    at.button(key="bundle_go").click().run()
    until(at, lambda page: page.error or "tiny" in list(page.dataframe[0].value["model"]))
    assert not at.error and any("every checksum right: tiny." in done.value for done in at.success)
    assert cache.verify("tiny").ok and at.text_input(key="bundle_path_1").value == ""
    at.text_input(key="bundle_path_1").set_value(str(bundle)).run()
    at.button(key="bundle_go").click().run()
    until(at, lambda page: any("Here already, unchanged: tiny." in done.value for done in page.success))


def test_a_bundle_of_ones_own_machine_is_brought_in(open_page: Any, bundle: Path) -> None:
    at = open_page("models")
    at.get("file_uploader")[0].set_value(("mine.tar", bundle.read_bytes(), "application/x-tar")).run()
    assert offered(at) == ["tiny"]
    at.button(key="bundle_go").click().run()
    until(at, lambda page: page.error or "tiny" in list(page.dataframe[0].value["model"]))
    assert not at.error and cache.verify("tiny").ok


def test_a_damaged_bundle_is_refused_and_leaves_nothing(open_page: Any, bundle: Path) -> None:
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    bundle.write_bytes(raw)
    at = open_page("models")
    at.text_input(key="bundle_path_0").set_value(str(bundle)).run()
    at.button(key="bundle_go").click().run()
    until(at, lambda page: bool(page.error))
    assert "damaged" in at.error[0].value and "Nothing of it was kept" in at.error[0].value
    assert "tiny" not in models() and not [p for p in cache_root().rglob("*") if p.name.endswith(".part")]


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/etc/passwd", "/etc", "~nobody/x", "\x00", "a" * 900])
def test_what_is_no_bundle_is_told_in_one_line(open_page: Any, path: str) -> None:
    at = open_page("models")
    at.text_input(key="bundle_path_0").set_value(path).run()
    assert len(at.error) == 1 and not at.exception and offered(at) == []
