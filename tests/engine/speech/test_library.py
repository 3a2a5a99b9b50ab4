"""Saved voices: what comes back is what was saved; names, damage and clutter."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.errors import OutputError, VoiceError
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import store
from workbench.engine.settings import SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings import library
from workbench.engine.speech.recordings.bundled import list_voices as bundled_voices
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import Voice, list_voices, load_voice, make_voice, restore_voice

WORDS = "Some words are said in it."


@pytest.fixture
def own(speech: np.ndarray) -> Voice:
    return make_voice(to_bytes(speech, 24_000), WORDS, name="upload", language="en")


@pytest.mark.parametrize(
    "name", ["me", "Anna Müller", "声音", "मेरी आवाज़", "صوتي", "Дед-2", "it's (old)", "a_b.c", "Ω+1"]
)
def test_a_saved_voice_comes_back_by_its_name(own: Voice, name: str) -> None:
    saved = library.keep_voice(own, name, shorten_pauses=False)
    back = load_voice(unicodedata.normalize("NFD", name.upper()))
    assert (back.id, back.name, back.ref_text, back.language) == (own.id, name, own.ref_text, "en")
    assert np.array_equal(back.audio, own.audio) and np.array_equal(back.mel, own.mel)
    assert [v.name for v in list_voices()] == [*(v.name for v in bundled_voices()), name]
    assert restore_voice(back.ref).id == own.id  # in another process, by its request alone
    assert saved.document["shorten_pauses"] is False and saved.source == "yours"
    assert sorted(p.name for p in saved.path.parent.iterdir()) == ["recording.wav", "voice.json"]
    library.remove_voice(name)
    assert library.scan() == ([], []) and load_voice().name == bundled_voices()[0].name


@pytest.mark.parametrize(
    "name, reason",
    [
        ("", "is empty"), ("   ", "is empty"), ("..", "begins or ends"), (".hidden", "begins or ends"),
        ("../up", "character '/'"), ("a/b", "character '/'"), ("a\\b", "character"), ("C:x", "character ':'"),
        ("a\x00b", "character"), ("a\u202eb", "character"), ("x" * 61, "61 characters"), ("NUL", "reserved"),
        ("com1", "reserved"), ("lpt9.wav", "reserved"), ("a*", "character '*'"), ("-rf", "begins or ends"),
        ("trailing.", "begins or ends"), ("desktop.ini", "system file"), ("Thumbs.db", "system file"),
        ("nature-en", "bundled voice"), ("NATURE-EN", "bundled voice"), ("😀", "character"), ("\ud800", "character"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused_with_the_reason(own: Voice, name: str, reason: str) -> None:
    with pytest.raises(VoiceError) as refused:
        library.keep_voice(own, name)
    assert reason in str(refused.value)
    assert not library.voices_root().exists()


@pytest.mark.parametrize("again", ["Anna", "anna", "ANNA", " Anna ", "Änna", "A\u0308nna"])
def test_a_name_is_taken_once_however_it_is_written(own: Voice, again: str) -> None:
    library.keep_voice(own, "Änna" if "nna" in again and again[0] not in "Aa " else "Anna")
    if again == "A\u0308nna":
        library.remove_voice("Anna")
        library.keep_voice(own, "Änna")
    with pytest.raises(VoiceError, match="already"):
        library.keep_voice(own, again)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "no document": lambda f: (f / "voice.json").unlink(),
    "no JSON": lambda f: (f / "voice.json").write_bytes(b"{"),
    "a list": lambda f: (f / "voice.json").write_bytes(b"[]"),
    "deep": lambda f: (f / "voice.json").write_bytes(b"[" * 60_000),
    "no words": lambda f: (f / "voice.json").write_text(json.dumps(_document(f) | {"ref_text": " "})),
    "a number for words": lambda f: (f / "voice.json").write_text(json.dumps(_document(f) | {"ref_text": 5})),
    "too large": lambda f: (f / "voice.json").write_text(json.dumps(_document(f) | {"x": "y" * 70_000})),
    "no recording": lambda f: (f / "recording.wav").unlink(),
    "a folder for a recording": lambda f: ((f / "recording.wav").unlink(), (f / "recording.wav").mkdir()),
    "a pipe": lambda f: ((f / "voice.json").unlink(), os.mkfifo(f / "voice.json")),
    "a pipe for a recording": lambda f: ((f / "recording.wav").unlink(), os.mkfifo(f / "recording.wav")),
    "empty": lambda f: [p.unlink() for p in f.iterdir()],
}
CHANGED = {
    "a bit of the recording": lambda f: flip(f / "recording.wav"),
    "other words": lambda f: (f / "voice.json").write_text(json.dumps(_document(f) | {"ref_text": "Others."})),
    "another sound": lambda f: (f / "recording.wav").write_bytes(to_bytes(np.zeros(24_000, np.float32), 24_000)),
    "cut short": lambda f: (f / "recording.wav").write_bytes((f / "recording.wav").read_bytes()[:1_000]),
}


def _document(folder: Path) -> Any:
    return json.loads((folder / "voice.json").read_bytes())


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_voice_is_listed_as_such_and_can_be_deleted(own: Voice, kind: str) -> None:
    DAMAGES[kind](library.keep_voice(own, "me").path.parent)
    other = library.keep_voice(own, "other")
    good, broken = library.scan()
    assert [voice.name for voice in good] == ["other"] and [name for name, _ in broken] == ["me"]
    for act in (load_voice, library.find):
        with pytest.raises(VoiceError, match=r"voice 'me' cannot be used.*voices rm"):
            act("me")
    with pytest.raises(VoiceError, match="already"):
        library.checked_name("me")
    library.remove_voice("me")
    assert load_voice("other").id == own.id and library.scan() == ([other], [])


@pytest.mark.parametrize("kind", CHANGED)
def test_a_changed_voice_is_not_used_under_the_old_name(own: Voice, kind: str) -> None:
    CHANGED[kind](library.keep_voice(own, "me").path.parent)
    with pytest.raises(VoiceError, match=r"changed|no prepared recording"):
        load_voice("me")


def test_what_systems_leave_behind_is_no_voice(own: Voice) -> None:
    library.keep_voice(own, "me")
    root = library.voices_root()
    for name in (".DS_Store", "._me", "Thumbs.db", "notes.txt"):
        (root / name).write_text("x")
    for name in ("__MACOSX", ".0123.part", "._folder"):
        (root / name).mkdir()
    os.symlink(root / "me", root / "link")
    assert [v.name for v in library.scan()[0]] == ["me"] and library.scan()[1] == []


@pytest.mark.parametrize("name", ["nature-en", "nobody", "../runs", ""])
def test_only_a_saved_voice_is_deleted(own: Voice, name: str) -> None:
    library.keep_voice(own, "me")
    with pytest.raises(VoiceError, match=r"no saved voice|bundled voice"):
        library.remove_voice(name)
    assert len(library.scan()[0]) == 1


def test_nothing_is_half_written(own: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(library, "write_json", full)
        with pytest.raises(OutputError, match="No space"):
            library.keep_voice(own, "me")
    assert library.scan() == ([], []) and list(library.voices_root().iterdir()) == []
    assert library.keep_voice(own, "me").name == "me"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_bundled_voices_are_there_where_the_library_cannot_be_read(own: Voice) -> None:
    library.keep_voice(own, "me")
    library.voices_root().chmod(0)
    try:
        assert load_voice("nature-en").name == "nature-en"
    finally:
        library.voices_root().chmod(0o755)


def test_a_run_holds_the_voice_and_outlives_it(own: Voice, tiny_engine: Any) -> None:
    library.keep_voice(own, "me")
    pool = EnginePool()
    pool.add(tiny_engine)
    request = tiny_engine.request("One two three.", load_voice("me"), SynthesisSettings(nfe_step=1))
    run = pool.speak(SpeechRequest.from_dict(json.loads(json.dumps(request.as_dict()))))
    store.save_run(run)
    library.remove_voice("me")
    back = store.load_run(run.id)
    assert back.voice == "me" and restore_voice(back.request.voice).id == own.id
