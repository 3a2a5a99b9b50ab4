"""The film takes the time it should, fits the limit, and shows equal pictures once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts import animation


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (80, 128, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(noise).save(target, format="PNG")
    return target.getvalue()


class Page:
    """Gives pictures one after the other, as a page that changes does."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)

    def screenshot(self) -> bytes:
        return self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]

    def wait_for_timeout(self, milliseconds: int) -> None:
        pass


def test_equal_pictures_are_shown_longer_instead_of_twice() -> None:
    film: Any = animation.Film(Page(b"a", b"a", b"b"))
    for _ in range(4):
        film.shoot(100)
    assert film.frames == [(b"a", 200), (b"b", 200)]


def test_the_time_of_a_wait_is_not_that_of_the_film() -> None:
    answers = [False, False, False, True]
    film: Any = animation.Film(Page(b"a", b"b"))
    film.wait(lambda: answers.pop(0), 60, shown_ms=10)
    assert sum(shown for _, shown in film.frames) <= 40


def test_the_film_takes_the_seconds_that_are_asked_for(tmp_path: Path) -> None:
    frames = [(picture(seed), shown) for seed, shown in enumerate((500, 100, 400))]
    assert animation.develop(frames, tmp_path / "film.webp", seconds=2) == (tmp_path / "film.webp").stat().st_size
    film = Image.open(tmp_path / "film.webp")
    assert film.n_frames == 3 and film.size == animation.SHOWN
    times = []
    for index in range(film.n_frames):
        film.seek(index)
        film.load()
        times.append(film.info["duration"])
    assert times == [1000, 200, 800]


def test_a_film_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="in the lowest quality"):
        animation.develop([(picture(1), 100)], tmp_path / "film.webp", max_bytes=100)
