"""A request spelled as a command and as a Python program: both make the same samples."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from workbench.engine.runs import store
from workbench.engine.settings import LoadSettings, SynthesisSettings, describe
from workbench.engine.signal.audio import exact_bytes, to_bytes
from workbench.engine.speech import spelled
from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.speech.voices import make_voice

TEXTS = ["It's \"here\" -- 'all' of it; now!\nThe second line.", "-5 degrees, or --out of it."]
SETTINGS = [
    SynthesisSettings(nfe_step=2),
    SynthesisSettings(nfe_step=3, max_chunk_bytes=30, seed=11, cfg_strength=0.0, use_epss=False, speed=1.25,
                      sway_sampling_coef=None, cross_fade_duration=0.0, numbers="off"),
]  # fmt: skip


@pytest.fixture
def tiny_load(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tiny engine in place of every model."""
    asked: list[Any] = []

    def load(model: str = "", **named: Any) -> Any:
        asked.append((model, named))
        monkeypatch.setattr(tiny_engine, "keep", named.get("keep"))
        return tiny_engine

    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", load)
    return asked


def by_command(line: str, place: Path) -> np.ndarray:
    from workbench.cli import main

    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[len(spelled.PROGRAM) :])
    assert not ended.value.code
    return soundfile.read(place / "speech.wav", dtype="int16")[0]


def by_python(program: str) -> Any:
    space: dict[str, Any] = {}
    exec(compile(program, "spelled.py", "exec"), space)
    return space["run"]


@pytest.mark.parametrize("own", [False, True], ids=["bundled voice", "own recording"])
@pytest.mark.parametrize("settings", SETTINGS, ids=["few", "many"])
@pytest.mark.parametrize("text", TEXTS, ids=["quotes", "dash"])
def test_command_and_program_make_the_same_samples(
    tiny_engine: Any, tiny_load: Any, voice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    text: str, settings: SynthesisSettings, own: bool,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    speaker = make_voice(to_bytes(voice.audio, 24_000), "It's \"own\" text; 'mother' nature.") if own else voice
    recording = ""
    if own:
        recording = str(tmp_path / "my reference.wav")
        Path(recording).write_bytes(exact_bytes(speaker.audio, 24_000))
    run = tiny_engine.run(text, speaker, settings, save=False)
    request = SpeechRequest(text, speaker.ref, settings)
    wanted = soundfile.read(io.BytesIO(to_bytes(run.wave, 24_000)), dtype="int16")[0]
    assert np.array_equal(by_command(spelled.command(request, recording=recording), tmp_path), wanted)
    again = by_python(spelled.python(request, recording=recording))
    assert np.array_equal(again.wave, run.wave) and again.voice_id == run.voice_id
    assert {r.id for r in store.list_runs()} >= {again.id}, "it is kept as the pages keep theirs"


def test_only_what_is_no_default_is_said(voice: Any) -> None:
    plain = SpeechRequest("Hello.", voice.ref)
    assert spelled.command(plain) == f"python -m workbench synth --voice={voice.name} Hello."
    assert "SynthesisSettings()" in spelled.python(plain) and "load_engine('demo-voice')" in spelled.python(plain)
    asked = plain.replace(load=LoadSettings(dtype="bf16"), model="tiny", folder="/a b", random_weights=True)
    line, program = spelled.command(asked), spelled.python(asked)
    for said in ("--dtype=bf16", "--model=tiny", "'--folder=/a b'", "--random-weights"):
        assert said in line
    assert "load_engine('tiny', dtype='bf16', folder='/a b', random_weights=True)" in program


@pytest.mark.parametrize("row", describe(SynthesisSettings), ids=lambda row: row["name"])
def test_every_setting_is_said_if_it_is_no_default(voice: Any, row: dict[str, Any]) -> None:
    kind = row["type"].split(" | ")[0]
    value = {"bool": not row["default"], "str": (row["choices"] or ("",))[-1]}.get(kind, row["high"])
    settings = SynthesisSettings().replace(**{row["name"]: value})
    request = SpeechRequest("Hello.", voice.ref, settings)
    name = row["name"].replace("_", "-")
    flags = [w for w in spelled.words(request) if w.startswith((f"--{name}", f"--no-{name}"))]
    assert len(flags) == 1 and f"{row['name']}={value!r}" in spelled.python(request)


def test_a_long_text_comes_from_a_file(
    tiny_engine: Any, tiny_load: Any, voice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "One boat is here.\n\nTwo boats, “there”."
    Path("text.txt").write_text(text, encoding="utf-8")
    request = SpeechRequest(text, voice.ref, SynthesisSettings(nfe_step=1))
    assert text not in spelled.command(request, text_file="text.txt")
    run = by_python(spelled.python(request, text_file="text.txt"))
    assert run.text == text
    wanted = soundfile.read(io.BytesIO(to_bytes(run.wave, 24_000)), dtype="int16")[0]
    assert np.array_equal(by_command(spelled.command(request, text_file="text.txt"), tmp_path), wanted)
