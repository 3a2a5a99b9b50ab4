"""Text from outside is shown literally and cannot control a terminal."""

from __future__ import annotations

import json

import pytest

from workbench.engine.visible import quoted, shorten, visible, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b2J\x00", "\\x9b2J\\x00"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud83d", "\\ud83d"),
        ("你好, naïve ☃ 👩‍🔬", "你好, naïve ☃ 👩‍🔬"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert visible(text) == shown


def test_json_means_the_same_after_it():
    text = "\x1b\x9b\u202e\udce9\ud83d é"
    line = visible_json(json.dumps({"t": text}, ensure_ascii=False))
    assert json.loads(line.encode("utf-8"))["t"] == text
    assert not any(c in line for c in "\x1b\x9b\u202e")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**400 - 1, "a whole number of about 400 digits"),
        (10**5000 - 1, "a whole number of about 5,000 digits"),
        ([10**5000], "a list"),
        ({"key": "x"}, "a dict"),
        (float("nan"), "nan"),
        (None, "None"),
        ("x" * 1000, "'" + "x" * 30 + "'… (1,000 characters)"),
        ("\x1b[2J", "'\\x1b[2J'"),
        (1.5, "1.5"),
    ],
    ids=["400 digits", "5,000 digits", "a list of them", "a table", "nan", "nothing", "long", "escape", "short"],
)
def test_a_quoted_value_is_short(value, shown):
    assert quoted(value) == shown


def test_the_beginning_and_the_end_are_kept():
    assert shorten("a" * 50 + "b" * 50, 31) == "a" * 20 + "…" + "b" * 10
