"""Test sets are read as upstream reads them, from CSV too, and what cannot be used is named by its line."""

from __future__ import annotations

import ast
import os
import unicodedata
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.engine.evaluation.conftest import write_recording
from training.demo_voice.texts.held_out import held_out_sentences, words_of
from workbench.engine.catalog import upstream_folder
from workbench.engine.errors import SettingsError
from workbench.engine.evaluation.lists import BUNDLED, CSV, LIBRISPEECH_PC, SEED_TTS, TestSet, read_list
from workbench.engine.speech.voices import list_voices
from workbench.engine.text.preparing import prepare


def read(folder: Path, content: str | bytes, name: str = "meta.lst", **more: object) -> TestSet:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_list(folder / name, **more)  # type: ignore[arg-type]


def upstreams(name: str) -> Any:
    """A function of upstream's evaluation, without the packages that its module imports."""
    source = (upstream_folder() / "eval" / "utils_eval.py").read_text(encoding="utf-8")
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    names: dict[str, Any] = {"os": os}
    exec(ast.unparse(found), names)
    return names[name]


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A folder with the recordings of a Seed-TTS list."""
    write_recording(tmp_path / "prompt-wavs" / "a.wav")
    write_recording(tmp_path / "wavs" / "two.wav")
    write_recording(tmp_path / "true one.wav")
    return tmp_path


def test_seed_tts(seed: Path) -> None:
    lines = ["one|Some words.|prompt-wavs/a.wav|Other words.|true one.wav", "two|Wörter, 词。|prompt-wavs/a.wav|Hello.",
             f"three|Words.|{seed / 'prompt-wavs' / 'a.wav'}|Hello again.|"]  # fmt: skip
    found = read(seed, "\r\n".join(lines) + "\r\n\r\n")
    assert found.layout == SEED_TTS and not found.skipped
    one, two, three = found.utterances
    assert (one.id, one.text, one.ref_text, one.line) == ("one", "Other words.", "Some words.", 1)
    assert one.ref_audio == str(seed / "prompt-wavs" / "a.wav") == two.ref_audio == three.ref_audio
    assert one.truth == str(seed / "true one.wav")
    assert two.ref_text == "Wörter, 词。" and two.truth == str(seed / "wavs" / "two.wav"), "upstream's place"
    assert three.truth == "" and three.line == 3


def test_upstream_reads_the_same_seed_tts_list(seed: Path) -> None:
    lines = ["one|Some words.|prompt-wavs/a.wav|Other words.|true one.wav", "two|More.|prompt-wavs/a.wav|Hello."]
    ours = read(seed, "\n".join(lines)).utterances
    theirs = upstreams("get_seedtts_testset_metainfo")(str(seed / "meta.lst"))
    assert [(u.id, u.ref_text, u.ref_audio, u.text) for u in ours] == [tuple(line[:4]) for line in theirs]
    assert ours[1].truth == theirs[1][4]


def test_upstream_reads_the_same_librispeech_list(tmp_path: Path) -> None:
    root = tmp_path / "test-clean"
    for name in ("61-70968-0003", "61-70970-0001"):
        write_recording(root / "61" / name.split("-")[1] / f"{name}.flac")
    line = "61-70968-0003\t4.1\tSome words.\t61-70970-0001\t6.2\tOther words, please."
    found = read(tmp_path, f"\ufeff{line}\n", root=root)
    assert found.layout == LIBRISPEECH_PC and not found.skipped
    (ours,) = found.utterances
    (tmp_path / "meta.lst").write_text(line)  # upstream does not know byte order marks
    ((name, words, prompt, text, truth),) = upstreams("get_librispeech_test_clean_metainfo")(
        str(tmp_path / "meta.lst"), str(root)
    )
    assert (ours.id, ours.ref_text, ours.ref_audio, ours.text, ours.truth) == (name, words, prompt, text.strip(), truth)
    assert ours.language == "en"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(seed: Path, delimiter: str) -> None:
    rows = [("ID", "Ref Audio", "text", "ref_text", "speaker"),
            ("a", "prompt-wavs/a.wav", '"Two\nlines, here; yes."', "Hm.", "x"),
            ("b", "", "Ünïcode.", "", "")]  # fmt: skip
    content = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    found = read(seed, content, "set.csv")
    assert found.layout == CSV and not found.skipped
    a, b = found.utterances
    assert (a.text, a.ref_audio, a.ref_text) == ("Two\nlines, here; yes.", str(seed / "prompt-wavs" / "a.wav"), "Hm.")
    assert (b.text, b.ref_audio, b.line) == ("Ünïcode.", "", 4)


GOOD = "good|Words.|prompt-wavs/a.wav|Hello."


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x|Words.|prompt-wavs/none.wav|Hello.", "no recording"),
        ("x|Words.|prompt-wavs/a.wav|Hello.|none.wav", "no recording"),
        ("x|Words.|prompt-wavs|Hello.", "no recording"),
        ("x|Words.|prompt-wavs/a.wav", "3 parts"),
        ("x|Words.|prompt-wavs/a.wav|Hello.|a|b", "6 parts"),
        ("|Words.|prompt-wavs/a.wav|Hello.", "no id"),
        ("good|Words.|prompt-wavs/a.wav|Hello.", "also that of line 1"),
        ("x|Words.|prompt-wavs/a.wav| ", ""),
        ("x|Words.|prompt-wavs/a.wav|...", ""),
        ("x|Words.|prompt-wavs/\x00.wav|Hello.", "no recording"),
        ("x" * 300 + "|Words.|prompt-wavs/a.wav|Hello.", "too long"),
        ("\x1b[31mx|Words.|prompt-wavs/a.wav|Hello.", "control characters"),
        ("x|Words.|" + "a" * 5000 + "|Hello.", "no recording"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(seed: Path, line: str, why: str) -> None:
    found = read(seed, f"{GOOD}\n\n{line}\nlast|Words.|prompt-wavs/a.wav|Hello.\n")
    assert [u.id for u in found.utterances] == ["good", "last"]
    (skipped,) = found.skipped
    assert skipped.line == 3 and why in skipped.why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("61-1\t1\tA.\t61-1-1\t1\tB.", "not speaker-chapter-number"),
        ("../..-1-1\t1\tA.\t61-1-1\t1\tB.", "not speaker-chapter-number"),
        ("61-1-9\t1\tA.\t61-1-1\t1\tB.", "no recording"),
        ("61-1-1\t1\tA.\t61-1-1\t1", "5 parts"),
    ],
)
def test_a_bad_line_of_librispeech(tmp_path: Path, line: str, why: str) -> None:
    write_recording(tmp_path / "61" / "1" / "61-1-1.flac")
    found = read(tmp_path, f"61-1-1\t1\tA.\t61-1-2\t1\tGood words.\n{line}\n", root=tmp_path)
    assert len(found.utterances) == 1 and not found.utterances[0].truth
    assert found.skipped[0].line == 2 and why in found.skipped[0].why


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,Hello, world.,", "4 columns"),
        ('x,"Hello"world,', "expected after"),
        ("x,Hello.,Nora,", "4 columns"),
        (",Hello.,", "no id"),
    ],
)
def test_a_bad_row_of_csv(tmp_path: Path, row: str, why: str) -> None:
    found = read(tmp_path, f"id,text,voice\ngood,Hello.,\n{row}\nlast,Hello.,Nora\n", "set.csv")
    assert [u.id for u in found.utterances] == ["good", "last"]
    assert [s.line for s in found.skipped] == [3] and why in found.skipped[0].why


def test_a_voice_and_a_recording_exclude_each_other(seed: Path) -> None:
    rows = ["id,text,voice,ref_audio,ref_text", "a,Hello.,Nora,prompt-wavs/a.wav,Hm.", "b,Hello.,,,Hm.", "c,Hello.,,,"]
    found = read(seed, "\n".join(rows), "set.csv")
    assert [u.id for u in found.utterances] == ["c"] and [s.line for s in found.skipped] == [2, 3]


def test_a_quote_that_is_not_closed_is_named_with_the_lines_it_takes(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,text\ngood,Hello.\nx,"Hello.\ny,Hello.\nz,Hello.\n', "set.csv")
    assert [u.id for u in found.utterances] == ["good"]
    assert found.skipped[0].line == 3 and "line 5" in found.skipped[0].why


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"just text\n", "layout"),
        (b"id,text\n", "it is empty"),
        (b"id,words,text,text\nx,a,b,c\n", "two columns text"),
        (b"name,text\nx,Hello.\n", "no column id"),
        (b"a|b|none.wav|c\n", "line 1: there is no recording"),
        (b"id,text\nx,caf\xe9\n", "Line 2 .* not UTF-8"),
        (b"a\t1\tb\tc\t1\td\n", "--root"),
        (b"\xff\xfei\x00d\x00", "layout"),
        (b"\xff\xfei\x00d", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, content)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.lst", tmp_path / "a\0b"):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_list(path)
    with pytest.raises(SettingsError, match="no layout 'toml'"):
        read(tmp_path, "id,text\na,Hello.\n", layout="toml")


@pytest.mark.parametrize("path", ["wävs/ü b.wav", "wävs\\ü b.wav", "~/wävs/ü b.wav", "{folder}/wävs/ü b.wav"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_recording_is_found_as_other_systems_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, form: Literal["NFC", "NFD"]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "wävs").mkdir()
    (tmp_path / "wävs" / "ü b.wav").write_bytes(b"x")
    line = f"one|Words.|{path.format(folder=tmp_path)}|Hello.\r\n"
    (tmp_path / "meta.lst").write_bytes(unicodedata.normalize(form, line).encode("utf-8-sig"))
    (found,) = read_list(tmp_path / "meta.lst").utterances
    assert found.ref_audio == str(tmp_path / "wävs" / "ü b.wav") and found.text == "Hello."


def test_a_list_of_a_spreadsheet_in_utf16_is_read(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_bytes("id\ttext\r\none\tGrüße.\r\n".encode("utf-16"))
    assert [u.text for u in read_list(tmp_path / "set.txt").utterances] == ["Grüße."]


def test_the_bundled_set_is_held_out_from_training_and_has_every_kind() -> None:
    found = read_list("demo")
    assert len(found.utterances) == 20 and not found.skipped
    known = {words_of(sentence) for _, sentence in held_out_sentences()}
    spoken = {u.id: prepare(u.text, None, ("en",)).said() for u in found.utterances}
    assert {name for name, text in spoken.items() if words_of(text) not in known} == set()
    assert {u.voice for u in found.utterances} == {v.name for v in list_voices() if v.source == "demo voice"}
    kinds = {u.id.split("-")[0] for u in found.utterances}
    assert {"short", "plain", "question", "number", "name", "long"} <= kinds
    assert any(any(c.isdigit() for c in u.text) for u in found.utterances)
    assert list(BUNDLED) == ["demo"]
