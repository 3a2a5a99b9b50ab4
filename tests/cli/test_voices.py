"""``workbench voices``: a recording saved under a name is a voice for every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.helpers import last_json
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings import library

WORDS = "Some words are said in it."


@pytest.fixture
def added(call, tmp_path: Path, speech: np.ndarray):
    (tmp_path / "rec.wav").write_bytes(to_bytes(speech, 24_000))
    code, out, _ = call("voices", "add", "Anna", "rec.wav", "--text", WORDS, "--language", "en", "--json")
    assert code == 0
    return last_json(out)


def test_a_voice_is_added_listed_shown_used_and_deleted(call, added, tmp_path):
    assert added["made_from"] == "rec.wav" and added["ref_text"] == WORDS and added["shorten_pauses"] is False
    for words in (("voices", "--json"), ("voices", "ls", "--json")):
        rows = last_json(call(*words)[1])["voices"]
        assert (rows[-1]["name"], rows[-1]["source"], rows[-1]["language"]) == ("Anna", "yours", "en")
    assert "Anna" in call("voices")[1] and WORDS in call("voices", "show", "anna")[1]
    assert last_json(call("voices", "show", "Anna", "--json")[1])["id"] == added["id"]
    (tmp_path / "rec.wav").unlink()
    planned = last_json(call("plan", "Hello to all of you.", "--voice", "ANNA", "--json")[1])
    assert planned["voice"] == "Anna" and planned["reference_seconds"] == pytest.approx(added["seconds"])
    assert call("voices", "rm", "Anna", "--yes")[0] == 0 and library.scan() == ([], [])


@pytest.mark.parametrize(
    "words, said",
    [
        (("add", "Bea", "none.wav", "--text", WORDS), "none.wav"),
        (("add", "Bea", "rec.wav", "--text", " "), "The text of the reference 'Bea' is missing"),
        (("add", "nature-en", "rec.wav", "--text", WORDS), "A bundled voice has the name"),
        (("add", "Anna", "rec.wav", "--text", WORDS), "already"),
        (("add", "../Bea", "rec.wav", "--text", WORDS), "character '/'"),
        (("show", "Bea"), "There is no saved voice 'Bea'"),
        (("rm", "Bea", "--yes"), "There is no saved voice 'Bea'"),
        (("rm", "nature-en", "--yes"), "is a bundled voice"),
        (("rm", "Anna"), "Add --yes"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(call, added, words, said):
    code, out, err = call("voices", *words)
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1 and said in err
    assert [voice.name for voice in library.scan()[0]] == ["Anna"]


def test_a_damaged_voice_is_listed_with_its_reason(call, added):
    path = Path(added["path"])
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    found = last_json(call("voices", "ls", "--json")[1])
    assert found["broken"][0]["name"] == "Anna" and "Anna" not in [v["name"] for v in found["voices"]]
    assert "have changed" in call("voices", "ls")[1]
    assert call("voices", "show", "Anna")[0] == 2 and call("plan", "Hello.", "--voice", "Anna")[0] == 2
