"""Texts that other programs wrote: their encodings."""

from __future__ import annotations

import pytest

from workbench.engine.errors import TextError
from workbench.engine.files.reading import text_of

TABLE = "id;text\r\nb;Grüß Gott.\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_export_is_read(encoding: str) -> None:
    assert text_of(TABLE.encode(encoding), "a.csv") == TABLE


@pytest.mark.parametrize("content", [TABLE.encode("cp1252"), TABLE.encode("utf-16")[:-1]], ids=["cp1252", "cut"])
def test_other_encodings_are_refused_with_the_name_and_a_remedy(content: bytes) -> None:
    with pytest.raises(TextError, match=r"a\.csv is not UTF-8 text\. Save it so\."):
        text_of(content, "a.csv", "Save it so.")
