"""A model whose vocabulary cannot read the words of a voice says so before anything is spoken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from workbench.cli.parts.commands import app
from workbench.engine.catalog import get_model, packaged_vocab
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings.reading import told_of_unread, vocabulary_of

CASES = {
    "Cyrillic": ("Привет, мир.", ["'П' (U+041F)", "'р' (U+0440)"]),
    "Devanagari": ("नमस्ते दुनिया।", ["'न' (U+0928)", "'द' (U+0926)"]),
    "Arabic": ("مرحبا بالعالم", ["'م' (U+0645)"]),
    "Chinese": ("你好。", ["'你' (U+4F60)"]),
    "accents": ("Où est la forêt?", ["'ù' (U+00F9)", "'ê' (U+00EA)"]),
    "Hangul": ("안녕하세요.", ["'안' (U+C548)"]),
}


@pytest.mark.parametrize("script", CASES)
def test_every_character_that_is_not_known_is_named(script: str) -> None:
    words, named = CASES[script]
    (line,) = told_of_unread(words, "demo-voice", vocabulary_of(get_model("demo-voice")))
    assert all(part in line for part in named) and line.startswith("demo-voice cannot read ") and "\n" not in line


def test_nothing_is_said_where_all_is_read_or_nothing_is_known(tmp_path: Path) -> None:
    english = vocabulary_of(get_model("demo-voice"))
    assert told_of_unread("Some call me nature, others call me mother nature.", "demo-voice", english) == ()
    assert told_of_unread("“Quoted”; it is.", "demo-voice", english) == (), "upstream replaces these itself"
    assert vocabulary_of(get_model("F5TTS_Base_ru")) is None and told_of_unread("Привет", "F5TTS_Base_ru", None) == ()
    tokens = packaged_vocab().read_text(encoding="utf-8").splitlines()
    assert told_of_unread("你好。", "F5TTS_v1_Base", tokens) == (), "by its pinyin"


def test_many_are_named_in_one_short_line() -> None:
    (line,) = told_of_unread("".join(map(chr, range(0x4E00, 0x4E00 + 500))), "demo-voice", [" ", "a"])
    assert "and 490 more" in line and len(line) < 400


@pytest.mark.parametrize("command", ["plan", "synth"])
def test_the_command_line_warns_before_it_speaks(command: str, speech: np.ndarray, tmp_path: Path) -> None:
    (recording := tmp_path / "ref.wav").write_bytes(to_bytes(speech, 24_000))
    words = [command, "Hello there.", "--ref-audio", str(recording), "--ref-text", "Привет, друзья мои дорогие."]
    more = [] if command == "plan" else ["--nfe-step", "1", "--no-save", "--out", str(tmp_path / "a.wav")]
    done = CliRunner().invoke(app, [*words, *more])
    assert done.exit_code == 0 and "demo-voice cannot read 'П' (U+041F)" in " ".join(done.output.split())
    if command == "plan":
        document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
        assert any("cannot read" in warning for warning in document["voice_warnings"])
