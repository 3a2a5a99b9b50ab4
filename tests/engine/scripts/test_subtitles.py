"""Subtitles as scripts: times, speakers, and what is left out, which is said."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.engine.errors import TextError, VoiceError
from workbench.engine.runs import exports
from workbench.engine.runs.exports.pieces import passages
from workbench.engine.scripts import compose, sheet_of
from workbench.engine.text import speakers

SRT = """1
00:00:01,000 --> 00:00:03,500
<i>Hello</i> {\\an8}there,
my friend.

00:00:04.000 --> 00:00:05.000
NORA: No number here.

3
00:00:06,000 --> 00:00:07,000
[door slams]

4
00:00:08,000 --> 00:00:09,000
[Clara] [laughing] Come [sic] in. ♪

5
00:00:12,000 --> 00:00:10,000
Backwards.
"""
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

first
00:01.000 --> 00:03.000 align:start
<v Nora>Hello &amp; <b>welcome</b>.</v>
<v.loud Clara>Hi!</v>

NOTE
nobody says this

00:00:04.000 --> 00:00:05.000
<c.yellow>Plain</c> <00:00:04.500>words in [brackets].
"""
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,Arthur,0,0,0,,{\\pos(1,2)}Hello\\Nthere.
Comment: 0,0:00:01.00,0:00:02.00,Default,Arthur,0,0,0,,Not said.
"""


def test_srt_keeps_times_and_speakers() -> None:
    sheet = sheet_of("a.srt", SRT)
    assert sheet.text.splitlines() == [
        "[main at=1 until=3.5] Hello there, my friend.",
        "[Nora at=4 until=5] No number here.",
        "[Clara at=8 until=9] Come in.",
        "[main at=12] Backwards.",
    ]
    assert sheet.is_timed and sheet.remarks == (
        "2 cues with a sound in brackets, left out", "1 cue without words, left out",
        "1 cue without a length, so without an end here",
    )  # fmt: skip


def test_vtt_voices_are_speakers_and_share_a_cue() -> None:
    sheet = sheet_of("a.vtt", VTT.encode())
    nora, clara, plain = sheet.text.splitlines()
    assert nora.startswith("[Nora at=1 until=") and nora.endswith("] Hello & welcome.")
    assert clara.endswith(" until=3] Hi!") and plain == "[main at=4 until=5] Plain words in ."
    until = nora.split("until=")[1].split("]")[0]
    assert clara.startswith(f"[Clara at={until} ")
    assert any("of several speakers" in remark for remark in sheet.remarks)


def test_ass_names_its_speakers() -> None:
    assert sheet_of("a.ass", ASS).text == "[Arthur at=1 until=2] Hello there."


def test_a_speaker_without_a_voice_is_named_and_can_be_cast(cast: Any) -> None:
    sheet = sheet_of("a.vtt", VTT.replace("v Nora", "v Mary"))
    with pytest.raises(VoiceError, match="There is no voice 'Mary'"):
        compose(sheet.text, cast, strict=True)
    from dataclasses import replace

    request, voices = compose(sheet.text, replace(cast, aliases={"Mary": "Arthur"}), strict=True)
    assert voices["Mary"].name == "Arthur" and request.script.passages[0].speaker == "Mary"


def test_words_in_subtitles_are_no_tags() -> None:
    text = sheet_of("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nA {Nora} here.\n").text
    assert text == r"[main at=1 until=2] A \{Nora} here." and len(speakers.find(text, ["Nora"])) == 1


def test_old_encodings_are_read() -> None:
    line = "1\r\n00:00:01,000 --> 00:00:02,000\r\nDéjà vu.\r\n"
    for content in (line.encode("cp1252"), line.encode("utf-16"), line.encode("utf-8-sig")):
        assert sheet_of("a.srt", content).text == "[main at=1 until=2] Déjà vu."


def test_times_that_the_readers_do_not_know_are_no_words() -> None:
    clear = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n"
    for times, tag in (
        ("00:03,000 --> 00:04,000", "[main at=3 until=4]"), ("00:00:03 --> 00:00:04", "[main at=3 until=4]"),
        ("0:0:3.5-->0:0:4.25 X1:9", "[main at=3.5 until=4.25]"),
        ("01:00:00,5 --> 01:00:01,0", "[main at=3600.5 until=3601]"),
    ):  # fmt: skip
        assert sheet_of("a.srt", f"{clear}2\n{times}\nTwo.\n").text == f"[main at=1 until=2] One.\n{tag} Two."
        if "X1" not in times:
            vtt = f"WEBVTT\n\n00:01.000 --> 00:02.000\nOne.\n\nid\n{times} align:start\nTwo.\n"
            assert sheet_of("a.vtt", vtt).text == f"[main at=1 until=2] One.\n{tag} Two."
    far = sheet_of("a.srt", f"{clear}2\n100:00:00,000 --> 100:00:01,000\nTwo.\n")
    assert far.text == "[main at=1 until=2] One." and far.remarks == ("1 cue beyond a day, left out",)
    for times in ("00:00:01:12 --> 00:00:02:01", "-0:00:01,000 --> 0:00:02,000", "0:00:01,000 -->"):
        with pytest.raises(TextError, match=r"Line 6: .* is not a time\. Write"):
            sheet_of("a.srt", f"{clear}2\n{times}\nTwo.\n")


@pytest.mark.parametrize("counted", [True, False])
def test_a_number_is_said_also_as_the_last_line(counted: bool) -> None:
    cues = ["He was born in\n1984", "42", "At 5 --> 6.", "In\n7"]
    blocks = [
        (f"{k + 1}\n" if counted else "") + f"00:00:0{k},000 --> 00:00:0{k + 1},000\n{words}\n"
        for k, words in enumerate(cues)
    ]
    said = [line.split("] ")[1] for line in sheet_of("a.srt", "\n".join(blocks)).text.splitlines()]
    assert said == [" ".join(words.split()) for words in cues]


@pytest.mark.parametrize(("hours", "first"), [(0, "00:59:58"), (1, "01:00:00"), (10, "10:00:01"), (1, "01:59:59")])
def test_whole_hours_of_a_time_code_are_taken_off_and_said(hours: int, first: str) -> None:
    srt = f"1\n{first},500 --> 11:00:02,000\nHello.\n\n2\n11:00:03,000 --> 11:00:04,000\nThere.\n"
    sheet = sheet_of("a.srt", srt)
    tags = speakers.find(sheet.text, [])
    start = speakers.seconds_of(f"{first}.500") - 3600 * hours
    assert [tag.at_seconds for tag in tags] == [start, 11 * 3600 + 3 - 3600 * hours]
    assert any(f"{hours} h taken off" in remark for remark in sheet.remarks) is (hours > 0)


def test_overlaps_are_said() -> None:
    both = "1\n00:00:03,000 --> 00:00:05,000\nB.\n\n2\n00:00:01,000 --> 00:00:04,000\nA.\n"
    sheet = sheet_of("a.srt", both)
    assert [line[-2:] for line in sheet.text.splitlines()] == ["A.", "B."]
    assert sheet.remarks == ("1 cue of which the one before has not ended, so that they may be late",)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.srt", b""), ("a.vtt", b""), ("a.vtt", b"nonsense"), ("a.srt", b"\x00\x01\x02"), ("a.vtt", b"WEBVTT"),
     ("a.ass", b"[Events]"), ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n[x]\n"), ("a.exe", b"MZ"),
     ("a.srt", b"1\n99999:00:00,000 --> 99999:00:01,000\nhi\n"), ("a.txt", b"\xfa\xff")],
)  # fmt: skip
def test_what_is_no_script_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(TextError):
        sheet_of(name, content)


def test_what_was_exported_comes_back(run: Any) -> None:
    for name in ("srt", "vtt"):
        sheet = sheet_of(f"a.{name}", exports.get(name).make(run))
        tags = speakers.find(sheet.text, ["Nora", "Arthur", "Clara"])
        assert [tag.name for tag in tags] == [run.request.script.speaker(c.chunk.passage).name for c in run.chunks]
        firsts = [piece.first for piece in passages(run)]
        assert all(abs(tags[k].at_seconds - run.starts[k] / run.sample_rate) <= 0.0005 for k in firsts)
