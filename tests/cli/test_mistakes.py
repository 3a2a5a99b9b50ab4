"""Every mistake in a command is one line, exit code 2 and no half-written file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.helpers import QUICK


def recording(path: Path, wave: np.ndarray, rate: int = 24000) -> Path:
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, speech) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "zero.wav").write_bytes(b"")
    (folder / "text.wav").write_text("not a sound at all " * 100)
    (folder / "latin.txt").write_bytes("café".encode("latin-1"))
    (folder / "book.txt").write_text("All work and no play. " * 1_000_000)
    (folder / "run-on.txt").write_text("and so we went on and on " * 200)
    recording(folder / "silent.wav", np.zeros(48000))
    recording(folder / "nan.wav", np.where(np.arange(48000) == 9, np.nan, 0.1))
    recording(folder / "long.wav", np.full(8000 * 1200, 0.1, np.float32), 8000)
    recording(folder / "blip.wav", speech[3000:4200])
    recording(folder / "good.wav", speech)
    return {p.name: str(p) for p in folder.iterdir()}


BAD = {
    "empty text": ([""], "empty"),
    "only punctuation": (["?!... --"], "nothing to pronounce"),
    "outside the vocabulary": (["Snow ☃ falls on the town."], "U+2603"),
    "twenty megabytes": (["--text-file", "book.txt"], "16,777,216 bytes"),
    "5,000 bytes without punctuation": (["--text-file", "run-on.txt"], "without a sentence or clause end"),
    "not UTF-8": (["--text-file", "latin.txt"], "not UTF-8"),
    "no text at all": ([], "--text-file"),
    "no such text file": (["--text-file", "none.txt"], "none.txt"),
    "silent reference": (["Hello.", "--ref-audio", "silent.wav", "--ref-text", "Hm."], "silent"),
    "NaN reference": (["Hello.", "--ref-audio", "nan.wav", "--ref-text", "Hm."], "not numbers"),
    "0-byte reference": (["Hello.", "--ref-audio", "zero.wav", "--ref-text", "Hm."], "0 bytes"),
    "not audio": (["Hello.", "--ref-audio", "text.wav", "--ref-text", "Hm."], "not audio"),
    "20-minute reference": (["Hello.", "--ref-audio", "long.wav", "--ref-text", "Hm."], "1200 s long"),
    "50 ms reference": (["Hello.", "--ref-audio", "blip.wav", "--ref-text", "Hm."], "too little"),
    "missing reference text": (["Hello.", "--ref-audio", "good.wav"], "--ref-text"),
    "reference text alone": (["Hello.", "--ref-text", "Hm."], "--ref-audio"),
    "missing reference": (["Hello.", "--ref-audio", "none.wav", "--ref-text", "Hm."], "no file"),
    "setting out of range": (["Hello.", "--nfe-step", "0"], "nfe_step"),
    "setting not a number": (["Hello.", "--speed", "fast"], "speed"),
    "speed nan": (["Hello.", "--speed", "nan"], "speed"),
    "unknown model": (["Hello.", "--model", "F6TTS"], "F6TTS"),
    "a model like no other": (
        ["Hello.", "--model", "zzz"],
        "There is no model 'zzz'. `python -m workbench models` lists",
    ),
    "unknown voice": (["Hello.", "--voice", "nobody"], "nobody"),
    "a slip in the name of a voice": (["Hello.", "--voice", "Norra"], "Did you mean Nora? Choose one of"),
    "words without quotes": (["Hello", "world."], "(world.). Put the text between quotes."),
    "a text that begins with a dash": (["-5 degrees."], 'after two: -- "-5 degrees"'),
    "a misspelt flag": (["Hello.", "--sed", "1"], "Possible options: --save, --seed"),
    "unknown executor": (["Hello.", "--executor", "slurm"], "There is no executor 'slurm'"),
    "no workers": (["Hello.", "--workers", "0"], "workers is 0"),
    "an address without a cluster": (["Hello.", "--address", "ray://a"], "Only ray has an address"),
    "workers that cannot skip": (["Hello.", "--skip-failed", "--executor", "process"], "for one worker"),
    "half precision on a CPU": (["Hello.", "--device", "cpu", "--dtype", "fp16"], "fp16 is not supported on the CPU"),
    "output into a folder": (["Hello.", "--out", "."], ". is a folder. Name a file in it"),
    "weights not here": (["Hello.", "--model", "F5TTS_v1_Base"], "cache fetch F5TTS_v1_Base"),
    "no such device": (["Hello.", "--device", "cuda"], "cuda"),
    "unknown format": (["Hello.", "--dtype", "int3"], "dtype"),
    "unwritable output": (["Hello.", "--out", "/proc/nothing/out.wav"], "Cannot write"),
    "output of no known type": (["Hello.", "--out", "out.xyz"], "out.xyz"),
}


@pytest.mark.parametrize("case", BAD)
def test_every_mistake_is_one_line_exit_2_and_no_file(case, call, bad_files, tmp_path):
    words, expected = BAD[case]
    code, out, err = call("synth", *[bad_files.get(w, w) for w in words], "--json")
    assert code == 2
    assert out == ""
    assert expected in err
    if not err.startswith("Usage"):
        assert len(err.strip().splitlines()) == 1
        assert err.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


def test_truncated_weights_end_in_one_line(call, demo_home, tmp_path):
    weights = next((demo_home / "cache" / "demo-voice").glob("model_*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100_000])
    code, out, err = call("synth", "Hello there.", "--json", *QUICK)
    assert (code, out) == (2, "")
    assert weights.name in err
    assert len(err.strip().splitlines()) == 1


def test_weights_of_another_architecture_end_in_one_line(call, demo_home):
    config = demo_home / "cache" / "demo-voice" / "config.yaml"
    config.write_text(config.read_text().replace("depth:", "depth: 3 #"))
    (demo_home / "cache" / "demo-voice" / "lock.json").unlink()
    code, _, err = call("synth", "Hello there.", "--json", *QUICK)
    assert code == 2
    assert "of another architecture than demo-voice" in err and "depth" in err
