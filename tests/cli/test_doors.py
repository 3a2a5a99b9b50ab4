"""Unusual texts, names, numbers and streams on the command line end in one line, never in a traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

import workbench
from tests.cli.helpers import QUICK, ROOT, last_json
from workbench.cli import main
from workbench.engine.runs import store

ODD = "a \\[/b] c [red]x[/] :smile: {0} %s"


def python(*words: str, env: dict[str, str] | None = None, **streams) -> subprocess.CompletedProcess:
    """``python -m workbench`` in a process of its own."""
    command = [sys.executable, "-m", "workbench", *words]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(command, cwd=ROOT, env=os.environ | (env or {}), timeout=60, check=False, **streams)


def test_markup_in_a_text_is_text(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # beside its warnings, in one line
    code, out, _ = call("plan", ODD)
    assert code == 0
    assert ODD.replace("\\[", "[") in out  # a backslash before a bracket only says that it opens no tag


def test_markup_in_names_is_text(call, tmp_path, voice, monkeypatch):

    from workbench.engine.speech.recordings import bundled

    soundfile.write(tmp_path / "[red]x[].wav", voice.audio, 24_000)
    assert "[red]x[]" in call("plan", "Hello.", "--ref-audio", "[red]x[].wav", "--ref-text", "Some call me nature.")[1]
    strange = bundled.BundledVoice("[red]x[/]", tmp_path / "[red]x[].wav", "[/b] words", "en", "[i]")
    monkeypatch.setattr(bundled, "list_voices", lambda: [strange])
    out = call("voices")[1]
    assert all(words in out for words in ("[red]x[/]", "[/b] words", "[i]"))


ESCAPES = [
    ("plan", "a \x1b[31mred\x07 \x9b2J b.", "--json"),
    ("plan", "a \x1b[31mred\x07 \x9b2J b."),
    ("synth", "a \x1bred.", *QUICK),
    ("synth", "Hi.", "--device", "\x1b[31m"),
    ("plan", "Hi.", "--\x1b[31m"),
    ("plan", "Hi.", "--voice", "\x9b31m"),
    ("plan", "--text-file", "\x1b[31m"),
    ("plan", "Hi.", "--model", "\x1b[31m"),
]


@pytest.mark.parametrize("words", ESCAPES)
def test_no_escape_sequence_reaches_the_terminal(call, words):
    _, out, err = call(*words)
    assert not any(character in out + err for character in "\x1b\x07\x9b")
    assert any(name in (out + err).lower() for name in ("x1b", "u001b", "u+001b", "x9b"))


NOT_UTF8 = {
    "text": ["plan", "caf\udce9."],
    "text and JSON": ["plan", "caf\udce9.", "--json"],
    "a lone surrogate": ["synth", "caf\ud83d."],
    "reference text": ["plan", "Hello.", "--ref-audio", "ref.wav", "--ref-text", "caf\udce9"],
    "file name of a text": ["plan", "--text-file", "caf\udce9.txt"],
    "file name of a recording": ["plan", "Hello.", "--ref-audio", "caf\udce9.wav", "--ref-text", "Hm."],
    "output": ["synth", "Hello.", "--out", "caf\udce9/x.wav"],
    "output of no type": ["synth", "Hello.", "--out", "caf\udce9"],
    "voice": ["plan", "Hello.", "--voice", "caf\udce9"],
    "model": ["plan", "Hello.", "--model", "caf\udce9"],
    "number": ["plan", "Hello.", "--seed", "\udce9"],
    "flag": ["plan", "Hello.", "--caf\udce9"],
    "command": ["caf\udce9"],
}
NUMBERS = {
    "400 digits": (["--seed", "9" * 400], "seed is a whole number of about 400 digits"),
    "5,000 digits": (
        ["--seed", "9" * 5000],
        "(5,000 characters), not a whole number. Choose between 0 and 2,147,483,647",
    ),
    "400 digits for a float": (["--speed", "9" * 400], "speed is inf, out of its range. Choose between 0.3 and 3"),
    "a fraction": (["--nfe-step", "1.5"], "nfe_step is '1.5', not a whole number. Choose between 1 and 128 steps."),
    "a word": (["--speed", "fast"], "speed is 'fast', not a number. Choose between 0.3 and 3 x."),
    "infinite": (["--fix-duration", "inf"], "fix_duration is inf"),
}
FILES = {
    "an endless file": (["--text-file", "/dev/zero"], "more than 16,777,216 bytes"),
    "a pipe nobody writes to": (["--text-file", "pipe"], "empty"),
    "a folder": (["--text-file", "."], "Is a directory"),
    "a long name": (["--text-file", "n" * 300], "name too long"),
    "a long output": (["Hello.", "--out", "n" * 300 + ".wav"], "name too long. Choose a shorter name."),
    "an output of nobody": (["Hello.", "--out", "~nobody-of-this-name/x.wav"], "this machine does not know"),
    "a recording without end": (["Hello.", "--ref-audio", "/dev/zero", "--ref-text", "Hm."], "device or a pipe"),
    "a reference text without end": (["Hello.", "--ref-audio", "r.wav", "--ref-text", "Hm " * 9000], "27,000 bytes"),
}
LINES = (
    {name: (words, "Error: ") for name, words in NOT_UTF8.items()}
    | {name: (["plan", "Hello.", *words], expected) for name, (words, expected) in NUMBERS.items()}
    | {name: (["synth", *words], expected) for name, (words, expected) in FILES.items()}
)


@pytest.mark.parametrize("case", LINES)
def test_one_line_that_can_be_encoded(case, call, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    words, expected = LINES[case]
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert expected in err
    assert err.startswith("Error: ")
    assert len(err.strip().splitlines()) == 1
    assert len(err) < 2100
    assert err.encode("utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("content", [b"caf\xe9", b"\xff\xfe\x00"])
def test_standard_input_that_is_not_utf8(call, monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "utf-8"))
    code, _, err = call("plan", "-")
    assert (code, err) == (2, "Error: Standard input is not UTF-8 text. Save it as UTF-8.\n")


def test_a_text_of_windows_is_read(call, monkeypatch):
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        content = ("\ufeff" * (encoding == "utf-16-le") + "Come and see it.").encode(encoding)
        Path("a.txt").write_bytes(content)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "utf-8"))
        for words in (["--text-file", "a.txt"], ["-"]):
            assert "Come and see it." in call("plan", *words)[1]


def test_waiting_threads_of_a_command_leave_the_cores_to_others(call, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    call("--version")
    assert 0 < int(os.environ["GOMP_SPINCOUNT"]) < 100_000
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    call("--version")
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_the_version_and_its_folder(call):
    assert call("--version") == (0, f"workbench {workbench.__version__} in {Path(workbench.__file__).parent}\n", "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "latin-1"])
def test_any_encoding_of_the_terminal_will_do(encoding, monkeypatch):
    words = ["plan", "你好, naïve ☃ 😀."]
    for more in ([], ["--json"]):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
        with pytest.raises(SystemExit) as ended:
            main(words + more)
        assert not ended.value.code
        sys.stdout.flush()
        shown = raw.getvalue().decode(encoding)
    assert json.loads(shown)["chunks"][0]["text"] == words[1]


NARROW = {
    "voices": (["voices"], "voices", "name"),
    "models": (["models"], "models", "name"),
    "plan": (["plan", "Hello there, my friend. And a second sentence."], "chunks", "text"),
}


@pytest.mark.parametrize("case", NARROW)
def test_thirty_columns_lose_nothing(case, call, monkeypatch):
    words, rows, column = NARROW[case]
    wanted = [row[column] for row in last_json(call(*words, "--json")[1])[rows]]
    monkeypatch.setenv("COLUMNS", "30")
    out = call(*words)[1]
    assert max(map(len, out.splitlines())) <= 30
    assert all("".join(value.split()) in "".join(out.split()) for value in wanted)
    assert "…" not in out


class Full(io.StringIO):
    """A stream on a full disk."""

    code = errno.ENOSPC

    def flush(self) -> None:
        raise OSError(self.code, os.strerror(self.code))


class Unread(Full):
    """A pipe that nobody reads."""

    code = errno.EPIPE


@pytest.mark.parametrize(
    ("stream", "code", "told"),
    [(Full, 2, "Error: Cannot write to standard output: No space left on device."), (Unread, 141, "")],
)
@pytest.mark.parametrize("words", [["plan", "Hello."], ["plan", "Hello.", "--json"], ["voices"], ["--help"]])
def test_an_output_that_takes_nothing(call, monkeypatch, stream, code, told, words):
    monkeypatch.setattr(sys, "stdout", stream())
    monkeypatch.setattr(sys, "__stdout__", None)
    found, _, err = call(*words)
    assert found == code
    assert err.startswith(told) and len(err.splitlines()) == bool(told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device")
def test_the_interpreter_complains_about_no_stream_at_its_end():
    with open("/dev/full", "w") as full:
        done = python("plan", "Hello.", stdout=full)
        assert done.returncode == 2
        assert done.stderr.decode().count("\n") == 1
        assert python("plan", "", stderr=full).returncode == 2


def test_closed_streams_are_no_mistake(call, monkeypatch):
    for name in ("stdout", "stderr"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, None)
            assert call("plan", "Hello.")[0] == 0
            assert call("plan", "")[0] == 2


@pytest.fixture
def _interruptible():
    """SIGINT as a terminal sends it: a process started in the background by a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_is_one_line_and_130(call, monkeypatch, tmp_path):
    from workbench.engine.speech.synthesis import Engine

    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(Engine, "fulfil", interrupted)
    assert call("synth", "Hello there.", *QUICK) == (130, "", "Interrupted.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_at_the_end_keeps_the_speech_elsewhere(call, monkeypatch, tmp_path):
    (tmp_path / "full").mkdir()
    from workbench.engine.signal import audio

    real = audio.write_sound

    def write(path, *given):
        if path.parent.name == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, *given)

    monkeypatch.setattr(audio, "write_sound", write)
    code, out, err = call("synth", "Hello there.", "--out", "full/x.wav", "--json", *QUICK)
    assert (code, out) == (2, "")
    assert f"The result is in {tmp_path}/x.wav instead" in err
    assert len(err.splitlines()) == 1 and os.strerror(errno.ENOSPC) in err
    assert (tmp_path / "x.wav").stat().st_size > 1000
    assert not list((tmp_path / "full").iterdir())
    assert len(store.list_runs()) == 1  # the run is kept all the same


def test_an_output_that_another_run_wrote_meanwhile_is_kept(call, monkeypatch, tmp_path):
    from workbench.engine.speech.synthesis import Engine

    real = Engine.fulfil

    def slow(self, *given, **named):
        (tmp_path / "x.wav").write_bytes(b"of another run")
        return real(self, *given, **named)

    monkeypatch.setattr(Engine, "fulfil", slow)
    code, out, err = call("synth", "Hello there.", "--out", "x.wav", "--json", *QUICK)
    assert code == 0
    assert last_json(out)["out"] == "x-2.wav"
    assert "x-2.wav" in err
    assert (tmp_path / "x.wav").read_bytes() == b"of another run"
