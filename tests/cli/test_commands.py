"""Every command is there, and imports no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from workbench.cli.parts.commands import app

ROOT = Path(__file__).resolve().parents[2]
_MODELS = {"torch", "torchaudio", "f5_tts", "vocos", "transformers", "huggingface_hub", "faster_whisper"}
_DRAWING = {"streamlit", "plotly", "pandas", "matplotlib", "IPython"}
_SCIENCE = {"scipy.fft", "scipy.signal", "scipy.stats", "scipy.optimize", "scipy.special", "sklearn", "numba"}
_LARGE = _MODELS | _DRAWING | _SCIENCE
_SPEECH = {"numpy", "num2words", "soundfile", "workbench.engine.speech.text", "workbench.engine.measures"}
# command to what it need not import
NOT_NEEDED = {
    "--help": _LARGE,
    "app --help": _LARGE | _SPEECH,
    "nothing": _LARGE | _SPEECH,
    "runs ls": _LARGE,
    "voices": _LARGE,
    "plan Hello.": _LARGE,
}


@pytest.mark.parametrize("words", NOT_NEEDED)
def test_a_command_imports_only_what_it_needs(words: str) -> None:
    code = f"import sys; from workbench.cli import main\ntry: main({words.split()})\nexcept SystemExit: pass\n"
    done = subprocess.run([sys.executable, "-c", code + "print('imported:', *sys.modules)"], cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    imported = set(done.stdout.rpartition("imported:")[2].split())
    assert "workbench.cli.parts.commands" in imported
    assert imported & NOT_NEEDED[words] == set()


def test_every_command_has_its_name_and_its_help() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) == len(list(commands)) >= 15
    for name, command in commands.items():
        assert command.name == name in commands and command.help
    assert "nothing" not in commands


def test_a_word_that_is_no_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["rnus"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: No such command 'rnus'. Did you mean 'runs'?\n"
