"""Scripts on the command line: the same samples as by the engine, and files that agree."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.cli.helpers import last_json
from tests.engine.scripts.conftest import SCRIPT
from workbench.engine.jobs.pool import EnginePool
from workbench.engine.runs import exports, store
from workbench.engine.scripts import Cast, compose
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.voices import load_voice

QUICK = ["--model", "tiny", "--nfe-step", "2", "--max-chunk-bytes", "30", "--dtype", "fp32", "--no-reuse"]
SRT = "1\n00:00:01,000 --> 00:00:02,000\n[Clara] Come and see it.\n\n2\n00:00:03,000 --> 00:00:03,200\nNora: Never.\n"


def spoken(text: str, voice: str = "Nora") -> Any:
    """The run of the engine, as a page asks for it."""
    pool = EnginePool()
    settings = SynthesisSettings(nfe_step=2, max_chunk_bytes=30)
    request, voices = compose(text, Cast(load_voice(voice)), settings, model="tiny", load=LoadSettings(dtype="fp32"))
    for one in voices.values():
        pool.remember(one)
    return pool.speak(request)


def test_a_script_is_one_run_with_the_samples_of_the_engine(call: Any, tiny_home: Path, tmp_path: Path) -> None:
    Path("script.txt").write_text(SCRIPT, encoding="utf-8")
    code, out, _ = call("synth", "--script", "script.txt", *QUICK, "--out", "a.wav", "--json")
    document = last_json(out)
    run = spoken(SCRIPT)
    assert code == 0 and Path("a.wav").read_bytes() == to_bytes(run.wave, run.sample_rate)
    assert [row["speaker"] for row in document["passages"]] == ["Nora", "Arthur", "Clara", "Nora", "Arthur"]
    saved = store.load_run(document["id"])
    assert np.array_equal(saved.wave, run.wave) and saved.request.script == saved.request.script
    code, out, _ = call("runs", "rerun", document["id"], "--json")
    assert code == 0 and last_json(out)["same"]
    for kind in ("srt", "textgrid"):
        call("runs", "export", document["id"], "--as", kind, "--out", f"a.{kind}")
        assert Path(f"a.{kind}").read_bytes() == exports.get(kind).make(run)
    code, _, _ = call("runs", "export", document["id"], "--as", "wav", "--files", "passage", "--out", "parts.wav")
    files = sorted(Path("parts").iterdir())
    joined = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in files])
    assert code == 0 and np.array_equal(joined, soundfile.read("a.wav", dtype="int16")[0])


def test_a_text_with_tags_is_a_script_too(call: Any, tiny_home: Path) -> None:
    code, out, _ = call("synth", "[Clara] Come and see it. [main] Never.", "-v", "Arthur", *QUICK, "--json")
    assert code == 0 and [row["speaker"] for row in last_json(out)["passages"]] == ["Clara", "Arthur"]
    assert store.list_runs()[0].voice == "Clara, Arthur"


def test_the_command_of_a_run_makes_it_again(call: Any, tiny_home: Path, tmp_path: Path) -> None:
    Path("script.srt").write_text(SRT, encoding="utf-8")
    code, out, err = call("synth", "--script", "script.srt", *QUICK, "--out", "a.wav", "--json")
    rows = last_json(out)["passages"]
    assert code == 0 and rows[0]["start"] == 1.0 and rows[0]["speed"] != 1.0 and rows[1]["over_seconds"] > 0
    assert "1 of 2 passages do not fit; passage 2 begins 0.00 s and ends" in err
    Path("zip").mkdir()
    call("runs", "export", last_json(out)["id"], "--as", "zip", "--out", "zip/all.zip")
    with zipfile.ZipFile("zip/all.zip") as archive:
        archive.extractall("zip")
    call("synth", "--script", "zip/script.toml", "--fit", "off", *QUICK, "--out", "b.wav")
    assert Path("b.wav").read_bytes() == Path("a.wav").read_bytes()


def test_a_plan_shows_passages_voices_and_times(call: Any) -> None:
    Path("script.srt").write_text(SRT, encoding="utf-8")
    code, out, _ = call("plan", "--script", "script.srt")
    assert code == 0 and "2 passages of Clara, Nora" in out and "Times" in out and "1.00 – 2.00" in out
    code, out, _ = call("plan", "--script", "script.srt", "--fit", "off", "--json")
    document = json.loads(out)
    assert [row["speed"] for row in document["passages"]] == [1.0, 1.0]
    assert [one["name"] for one in document["speakers"]] == ["Clara", "Nora"]
    code, out, _ = call("plan", "[Clara] **Come** ☃ here. [Nora] No.", "--clean", "--json")
    assert code == 0 and json.loads(out)["chunks"][0]["text"] == "Come here."


def test_slips_are_one_line(call: Any) -> None:
    for words, said in (
        (["plan", "[Norra] Hi."], "Did you mean Nora?"),
        (["plan", "Hi.", "--script", "x.txt"], "--script holds the text"),
        (["plan", "--script", "x.txt"], "There is no file x.txt"),
        (["plan", "[Mary] Hi.", "--cast", "Mary"], 'Write --cast "Mary=Nora"'),
        (["plan", "[Mary] Hi.", "--cast", "Mary=Norra"], "There is no voice 'Norra'"),
        (["plan", "[Nora] Hi. [Clara] Ho.", "--fit", "2"], "no limits of speed"),
        (["plan", "[Nora] Hi. [Clara speed=9] Ho."], "'[Clara speed=9]': speed is 9, out of its range"),
        (["plan", "[Nora] Hi. [Clara sped=1] Ho."], "no setting 'sped'"),
        (["synth", "[Nora] Hi. [Clara] ☃ Ho."], "Passage 2 (Clara): The model's vocabulary lacks '☃'"),
    ):
        code, _, err = call(*words)
        assert code == 2 and said in err and len(err.strip().splitlines()) <= 3, (words, err)
    code, out, _ = call("plan", "[Mary] Hi.", "--cast", "Mary=Nora", "--cast", "Jon=Clara")
    assert code == 0 and "--cast names 'Jon', who says nothing here" in out and "'Mary'" not in out


def test_a_flag_is_over_the_file_though_it_has_the_default_value(call: Any) -> None:
    Path("slow.toml").write_text('voice = "Nora"\nspeed = 0.5\nmax_chunk_bytes = 30\ngen_text = "Come and see it."\n')
    seconds = [
        last_json(call("plan", "--script", "slow.toml", "--json", *flags)[1])["chunks"][0]["planned_seconds"]
        for flags in ([], ["--seed", "3"], ["--speed", "1.0"], ["--speed", "2"])
    ]
    assert seconds[0] == seconds[1] > 1.9 * seconds[2] > 3 * seconds[3]


def test_a_batch_speaks_rows_and_goes_on(call: Any, tiny_home: Path) -> None:
    Path("rows.csv").write_text("id,text,voice\na,Hello there.,Clara\nb,Hello.,Norra\n", encoding="utf-8")
    how = ["--model", "tiny", "--nfe-step", "1", "--dtype", "fp32"]
    code, out, err = call("batch", "rows.csv", *how)
    assert code == 1 and "1 of 2 rows spoken into rows" in out and "b: There is no voice 'Norra'" in err
    assert Path("rows/a.wav").is_file() and Path("rows/report.csv").is_file()
    Path("rows.csv").write_text("id,text,voice\na,Hello there.,Clara\nb,Hello.,Nora\n", encoding="utf-8")
    code, out, err = call("batch", "rows.csv", *how, "--json")
    assert code == 0 and "1 of 2 rows are done already" in err
    assert [row["status"] for row in last_json(out)["rows"]] == ["done", "done"]
