"""Python's search for garbage is put off, and comes back."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from workbench.engine import collecting


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    enabled = gc.isenabled()
    yield
    collecting.resume()
    (gc.enable if enabled else gc.disable)()


def test_it_comes_back_when_no_reason_is_left() -> None:
    gc.enable()
    with collecting.paused():
        assert not gc.isenabled()
        with collecting.paused():
            collecting.pause()
            collecting.pause()
        assert not gc.isenabled()
    assert not gc.isenabled(), "of the start"
    collecting.resume()
    assert gc.isenabled()
    collecting.resume()
    assert gc.isenabled()


def test_it_comes_back_after_an_error() -> None:
    gc.enable()
    with pytest.raises(ZeroDivisionError), collecting.paused():
        _ = 1 / 0
    assert gc.isenabled()


def test_who_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    with collecting.paused():
        pass
    assert not gc.isenabled()


def test_what_is_spared_is_not_searched_again() -> None:
    before = gc.get_freeze_count()
    try:
        collecting.spare()
        assert gc.get_freeze_count() > before + 10_000 and len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()
