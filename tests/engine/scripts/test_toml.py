"""Scripts in TOML, as upstream's command line takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.engine.catalog import upstream_folder
from workbench.engine.errors import SettingsError, WorkbenchError
from workbench.engine.scripts import compose, read_sheet, sheet_of
from workbench.engine.signal.audio import to_bytes

OURS = """
model = "demo-voice"
voice = "Clara"
gen_text = "Hello there. [town] Oh no. [main] Well. [Mary] Yes."
nfe_step = 7
gap_seconds = 0.25
[voices.town]
ref_audio = "town.wav"
ref_text = "Some words are here."
speed = 0.8  # will ignore global speed
[voices.Mary]
voice = "Arthur"
"""


@pytest.fixture
def files(speech: np.ndarray) -> dict[str, bytes]:
    return {"town.wav": to_bytes(speech, 24_000)}


def test_upstreams_story_is_read_with_its_recordings() -> None:
    sheet = read_sheet(upstream_folder() / "infer/examples/multi/story.toml")
    assert sheet.text.startswith("A Town Mouse") and sheet.model == "F5TTS_v1_Base" and sheet.out
    assert sheet.remarks[0].startswith("remove_silence is not used: ") and list(sheet.voices) == ["town", "country"]
    request, voices = compose(sheet.text, sheet.cast(None), strict=True)
    assert [p.speaker for p in request.script.passages] == ["main", "town", "main", "country", "main", "country"]
    assert [p.settings for p in request.script.passages][1] == {"speed": 0.8}
    assert voices["town"].ref_text, "the words of recordings that came with the project are known"


def test_upstreams_basic_example_is_an_ordinary_text() -> None:
    sheet = read_sheet(upstream_folder() / "infer/examples/basic/basic.toml")
    told = sheet.cast(None)
    request, voices = compose(sheet.text, told, strict=True)
    assert request.script is None and voices == {} and told.main.ref_text.startswith("Some call me nature")


def test_voices_are_recordings_or_names(files: dict[str, bytes]) -> None:
    sheet = sheet_of("a.toml", OURS, files=files)
    assert dict(sheet.settings) == {"nfe_step": 7} and sheet.gap_seconds == 0.25
    request, voices = compose(sheet.text, sheet.cast(None), gap_seconds=sheet.gap_seconds, strict=True)
    assert list(voices) == ["Clara", "town", "Mary"] and voices["Mary"].name == "Arthur"
    assert [p.speaker for p in request.script.passages] == ["Clara", "town", "Clara", "Mary"]
    assert request.script.main == "Clara" and request.script.gap_seconds == 0.25


def test_files_of_this_disk_are_read_only_for_a_script_of_this_disk(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "town.wav").write_bytes(files["town.wav"])
    (tmp_path / "words.txt").write_text("Hello. [town] Oh.", encoding="utf-8")
    content = OURS.replace("gen_text", "gen_file = 'words.txt'\ntext")
    (tmp_path / "a.toml").write_text(content, encoding="utf-8")
    assert read_sheet(tmp_path / "a.toml").text == "Hello. [town] Oh."
    with pytest.raises(WorkbenchError, match="is not among those given"):
        sheet_of("a.toml", OURS.replace("town.wav", str(tmp_path / "other.wav")), files=files)
    found = sheet_of("a.toml", OURS.replace("town.wav", str(tmp_path / "town.wav")), files={"town.wav": b"given"})
    assert found.voices["town"].recording == b"given", "by its name among those given, never from the disk"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model = "demo-voice"', "model = ", "no valid TOML"),
        ('"town.wav"', r'"C:\Users\town.wav"', "Write paths with / or between single quotes"),
        ("[voices.town]", '[voices.slow]\nvoice = "Nora"\nspeed = 9\n[voices.town]', "The voice 'slow': speed is 9"),
        ("nfe_step = 7", "nfe_steps = 7", "'nfe_steps', which is unknown. Did you mean nfe_step?"),
        ("speed = 0.8", "sped = 0.8", "Did you mean speed?"),
        ("speed = 0.8", "speed = 80", "speed is 80, out of its range"),
        ('voice = "Arthur"', "", "neither voice nor ref_audio"),
        ('ref_audio = "town.wav"', 'ref_audio = "town.wav"\nvoice = "Nora"', "both voice and ref_audio"),
        ('"Hello there. [town] Oh no. [main] Well. [Mary] Yes."', '" "', "has no text"),
        ("gap_seconds = 0.25", "gap_seconds = true", "not a number"),
        ("[voices.town]", "[voices]\nMary = 1\n[more.town]", ""),
        ('ref_audio = "town.wav"', 'ref_audio = "not here.wav"', "not among those given"),
        ('ref_audio = "town.wav"', "ref_audio = 5", "not a text"),
        ("[town]", "[twon]", ""),
    ],
)
def test_what_is_wrong_is_named(files: dict[str, bytes], old: str, new: str, said: str) -> None:
    with pytest.raises(WorkbenchError) as error:
        sheet = sheet_of("a.toml", OURS.replace(old, new, 1), files=files)
        compose("\n" + sheet.text, sheet.cast(None), strict=True)
        if new == "[twon]":  # within a line, so near to a name that it is one
            raise SettingsError("not refused")
    assert said in str(error.value) and "not refused" not in str(error.value)
