"""The log's two forms say the same, and the JSON one keeps types."""

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


def written(as_json: bool | None, *record: object, verbose: bool = True) -> str:
    stream = io.StringIO()
    logs.to_stderr(verbose=verbose, as_json=as_json, stream=stream)
    logging.getLogger("workbench.test").info(*record)
    return stream.getvalue()


def test_json_keeps_types_and_spaces() -> None:
    line = written(True, "chunk spoken index=%d took=%.3f title=%r whole=%s", 3, 1.23456, "two words", True)
    document = json.loads(line)
    assert line.count("\n") == 1
    assert {k: document[k] for k in ("event", "index", "took", "title", "whole", "level", "logger")} == {
        "event": "chunk spoken", "index": 3, "took": 1.23456, "title": "two words", "whole": True, "level": "INFO",
        "logger": "workbench.test",
    }  # fmt: skip
    assert document["time"].endswith("Z")


def test_placeholders_beside_pairs_do_not_shift_them() -> None:
    document = json.loads(written(True, "job %s id=%s 100%% took=%.1f", "done", "x", 2.0))
    assert (document["event"], document["id"], document["took"]) == ("job done", "x", 2.0)


def test_a_plain_message_is_all_event() -> None:
    assert json.loads(written(True, "nothing to see"))["event"] == "nothing to see"


def test_a_path_becomes_text() -> None:
    assert json.loads(written(True, "resolve weights=%s", Path("/a b/c")))["weights"] == "/a b/c"


def test_plain_is_one_line() -> None:
    assert written(False, "chunk spoken index=%d", 3).endswith("INFO workbench.test chunk spoken index=3\n")


def test_json_on_request_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_LOG", "json")
    assert json.loads(written(None, "resolve model=%s", "demo-voice"))["model"] == "demo-voice"


def test_quiet_is_quiet() -> None:
    assert written(True, "chunk spoken index=%d", 3, verbose=False) == ""


def test_an_error_keeps_its_traceback() -> None:
    stream = io.StringIO()
    logs.to_stderr(verbose=True, as_json=True, stream=stream)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logging.getLogger("workbench.test").exception("it failed")
    assert "ValueError: what went wrong" in json.loads(stream.getvalue())["traceback"]
