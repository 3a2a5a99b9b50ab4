"""espeak-ng for the tests that hear it; without the library they are skipped."""

from __future__ import annotations

import pytest

from workbench.demo_voice.espeak import Espeak, EspeakError


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    try:
        return Espeak(invents=True)
    except EspeakError as error:
        pytest.skip(str(error))
