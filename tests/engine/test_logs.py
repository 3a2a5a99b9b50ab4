"""Both forms of the log have the same content, and JSON keeps types."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.engine import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("workbench")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def written(as_json: bool | None, *record: object, verbose: bool = True, **values: object) -> str:
    stream = io.StringIO()
    logs.to_stderr(verbose=verbose, as_json=as_json, stream=stream)
    logging.getLogger("workbench.test").info(*record, extra=logs.pairs(**values))
    return stream.getvalue()


def test_json_keeps_types_and_spaces() -> None:
    line = written(True, "chunk spoken", index=3, took=1.23456, name="two words", whole=True)
    document = json.loads(line)
    assert line.count("\n") == 1
    assert {k: document[k] for k in ("event", "index", "took", "name", "whole", "level", "logger")} == {
        "event": "chunk spoken", "index": 3, "took": 1.23456, "name": "two words", "whole": True, "level": "INFO",
        "logger": "workbench.test",
    }  # fmt: skip
    assert document["time"].endswith("Z")


def test_a_plain_message_is_all_event() -> None:
    assert json.loads(written(True, "nothing to see"))["event"] == "nothing to see"
    assert json.loads(written(True, "job %s 100%%", "done", id="x"))["event"] == "job done 100%"


def test_a_path_becomes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_LOG_TEXT", "1")
    assert json.loads(written(True, "resolve", weights=Path("/a b/c")))["weights"] == "/a b/c"


def test_plain_is_one_line() -> None:
    line = written(False, "chunk spoken", index=3, took=1.23456, name="two\nwords", empty="")
    assert line.endswith("INFO workbench.test chunk spoken index=3 took=1.235 name='two\\nwords' empty=''\n")


def test_json_on_request_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_LOG", "json")
    assert json.loads(written(None, "resolve", model="demo-voice"))["model"] == "demo-voice"


def test_quiet_is_quiet() -> None:
    assert written(True, "chunk spoken", index=3, verbose=False) == ""


def test_an_error_keeps_its_traceback() -> None:
    stream = io.StringIO()
    logs.to_stderr(verbose=True, as_json=True, stream=stream)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logging.getLogger("workbench.test").exception("it failed")
    assert "ValueError: what went wrong" in json.loads(stream.getvalue())["traceback"]


DISCREET = {
    "a text": (("job %s", "done"), {"title": "My secret words"}, "secret", "15 characters"),
    "a path": (("resolve",), {"weights": Path("/home/me/models/w.pt")}, "/home", "w.pt"),
    "a path in a message": (("fetch failed: %s", OSError("No such file: '/home/me/w.pt'")), {}, "/home", "…/w.pt"),
    "a path in an error": (("failed",), {"error": OSError("No such file: '/home/me/w.pt'")}, "/home", "…/w.pt"),
    "a path that is text": (("import",), {"source": "/home/me/w.pt"}, "/home", "w.pt"),
    "a path in plain words": (("cannot read /home/me/w.pt",), {}, "/home", "…/w.pt"),
}


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("case", DISCREET)
def test_texts_and_full_paths_are_left_out_unless_asked_for(case, as_json, monkeypatch) -> None:
    record, values, hidden, shown = DISCREET[case]
    line = written(as_json, *record, **values)
    assert hidden not in line
    assert shown in line
    monkeypatch.setenv("WORKBENCH_LOG_TEXT", "1")
    assert hidden in written(as_json, *record, **values)


@pytest.mark.parametrize("as_json", [True, False])
def test_addresses_stay_and_control_characters_do_not_pass(as_json) -> None:
    assert "https://hub.test/a/b/c.bin" in written(as_json, "fetch from %s", "https://hub.test/a/b/c.bin")
    assert "/api/models/x" in written(as_json, "network attempt", path="/api/models/x")
    line = written(as_json, "chunk", name="a\x1b[2J\x9b\udce9")
    assert not any(c in line for c in "\x1b\x9b\udce9")


def test_preparing_a_voice_logs_neither_its_name_nor_its_words(speech, caplog) -> None:
    from workbench.engine.signal.audio import to_bytes
    from workbench.engine.speech.voices import make_voice

    with caplog.at_level(logging.INFO, "workbench"):
        make_voice(to_bytes(speech, 24_000), "Secret words of mine.", name="Hidden")
    assert "voice prepared" in caplog.text
    logged = str([vars(record) for record in caplog.records])
    assert "Secret" not in logged and "Hidden" not in logged
