"""``workbench synth``: a sound file, its run, one JSON document; one seed gives the same bytes, without network."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.helpers import QUICK, ROOT, last_json
from workbench.engine.runs.store import list_runs, load_run, runs_root


def test_synth_speaks_and_reports(call, tmp_path):
    code, out, _ = call("synth", "Any sentence you like.", "--out", "hello.wav", "--json", *QUICK)
    assert code == 0
    found = last_json(out)
    assert {"model", "voice", "device", "dtype", "settings", "load_seconds", "time_to_first_audio_seconds",
            "total_seconds", "audio_seconds", "rtf", "loads", "chunks", "spans", "out"} <= set(found)  # fmt: skip
    (chunk,) = found["chunks"]
    assert {"index", "text", "n_bytes", "seed", "planned_seconds", "audio_seconds", "text_seconds", "ode_seconds",
            "vocoder_seconds", "step_seconds", "rtf", "made"} <= set(chunk)  # fmt: skip
    assert found["settings"]["nfe_step"] == 1
    assert found["rtf"] == pytest.approx(found["total_seconds"] / found["audio_seconds"])
    wave, rate = soundfile.read(tmp_path / "hello.wav")
    assert rate == 24000
    assert len(wave) / rate == pytest.approx(found["audio_seconds"])
    assert np.abs(wave).max() > 0.01


def test_synth_shows_a_table_to_people(call):
    code, out, _ = call("synth", "Any sentence you like.", *QUICK)
    assert code == 0
    assert all(word in out for word in ("planned s", "ODE s", "vocoder s", "RTF", "first audio", "wrote speech.wav"))


def test_an_edited_sentence_costs_one_chunk_and_the_table_says_so(call):
    sizes = ("--max-chunk-bytes", "30", *QUICK)
    assert "reused" not in call("synth", "The first one stands here. The second one is this.", *sizes)[1]
    text = "The first one stands here. Another one is this."
    out = call("synth", text, *sizes)[1]
    assert "1 of 2 chunks reused; RTF is that of the others" in out
    found = [last_json(call("synth", text, "--json", *sizes, *more)[1]) for more in ((), ("--no-reuse",))]
    assert [f["n_reused"] for f in found] == [2, 0] and found[0]["rtf"] is None and found[1]["rtf"] > 0
    waves = [load_run(f["id"]).wave for f in found]
    assert np.array_equal(*waves)
    code, out, _ = call("runs", "rerun", found[0]["id"], "--json")
    assert code == 0 and last_json(out)["same"], "it is spoken again, not read"


def test_a_profile_is_written_beside_the_speech(call, tmp_path):
    code, out, _ = call("synth", "Any sentence you like.", "--profile", "trace.json.gz", "--json", *QUICK)
    found = last_json(out)
    assert code == 0 and found["profile"] == "trace.json.gz" and found["request"]["profile"]
    trace = json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))
    assert {"stage", "cpu_op"} <= {event.get("cat") for event in trace["traceEvents"]}
    code, _, err = call("synth", "Any sentence you like.", "--profile", "no/such/folder.json.gz", *QUICK)
    assert code == 2 and "folder" in err and not list(tmp_path.glob("*-2.wav"))


def test_a_run_never_overwrites_an_earlier_one_unasked(call, tmp_path):
    for _ in range(2):
        assert call("synth", "Any sentence you like.", *QUICK)[0] == 0
    assert sorted(p.name for p in tmp_path.glob("*.wav")) == ["speech-2.wav", "speech.wav"]


def test_synth_keeps_its_run_as_the_pages_do(call, _own_home):
    code, out, _ = call("synth", "Any sentence you like.", "--json", *QUICK)
    found = last_json(out)
    (listed,) = list_runs()
    assert code == 0 and listed.id == found["id"] and Path(found["saved"]) == _own_home / "runs" / listed.id
    run = load_run(listed.id)
    assert run.utilisation and run.reference is not None and len(run.weights["acoustic"]) == 64
    code, out, _ = call("synth", "Any sentence you like.", "--json", "--no-save", *QUICK)
    assert code == 0 and last_json(out)["saved"] == "" and len(list_runs()) == 1


def test_speech_is_written_also_where_its_run_cannot_be_kept(call, tmp_path, _own_home):
    (_own_home / "runs").write_text("a file in the place of the folder")
    code, out, err = call("synth", "Any sentence you like.", *QUICK)
    assert code == 0 and "cannot be written" in err and "saved" not in out
    assert (tmp_path / "speech.wav").exists()


def test_a_run_is_spoken_again_from_its_folder(call, tmp_path, speech):
    soundfile.write(tmp_path / "me.wav", speech, 24000)
    _, out, _ = call("synth", "Any sentence you like.", "--ref-audio", "me.wav", "--ref-text", "Some words.", "--json",
                     "--dtype", "fp32", *QUICK)  # fmt: skip
    run_id = last_json(out)["id"]
    (tmp_path / "me.wav").unlink()
    code, out, _ = call("runs", "rerun", run_id)
    assert code == 0 and "the same wave" in out
    folder = runs_root() / run_id
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    document["request"]["settings"] |= {"cfg_strength": 0.0, "warmth": 1}
    document["environment"]["torch"] = "1.0"
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    code, out, _ = call("runs", "rerun", run_id, "--json")
    found = last_json(out)
    assert code == 1 and not found["same"] and found["unknown_settings"] == ["warmth"]
    assert [d["what"] for d in found["differs"]] == ["torch"]
    code, out, _ = call("runs", "rerun", run_id)
    assert code == 1 and "a different wave" in out and "torch" in out and "warmth" in out


def test_the_same_seed_gives_the_same_file_and_another_does_not(call, tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        call("synth", "Any sentence you like.", "--out", f"{name}.wav", "--seed", seed, *QUICK)
    a, b, c = ((tmp_path / f"{n}.wav").read_bytes() for n in "abc")
    assert a == b != c


def test_upstreams_spelling_of_flags_is_understood(call):
    code, out, _ = call("synth", "Hello there you.", "--nfe_step", "1", "--cfg_strength", "0", "--json", "--seed", "3")
    assert code == 0
    assert last_json(out)["settings"]["cfg_strength"] == 0
    assert last_json(out)["settings"]["seed"] == 3


def test_text_from_a_file_and_a_voice_from_a_recording(call, tmp_path, voice):
    (tmp_path / "text.txt").write_text("Hello there, from a file.", encoding="utf-8")
    soundfile.write(tmp_path / "ref.flac", np.stack([voice.audio] * 2, 1), 24000)
    code, out, _ = call("synth", "--text-file", "text.txt", "--ref-audio", "ref.flac", "--ref-text", voice.ref_text,
                        "--out", "o.flac", "--json", *QUICK)  # fmt: skip
    assert code == 0
    assert last_json(out)["chunks"][0]["text"] == "Hello there, from a file."
    assert soundfile.info(tmp_path / "o.flac").format == "FLAC"


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, a Linux command")
@pytest.mark.slow
def test_without_any_network_the_bytes_are_the_same(tmp_path):
    words = [sys.executable, "-m", "workbench", "synth", "Any sentence you like.", *QUICK]
    try:
        subprocess.run(["unshare", "-n", "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("this user may not make a network namespace")
    for name, prefix in (("a.wav", []), ("b.wav", ["unshare", "-n"])):
        command = [*prefix, *words, "--out", str(tmp_path / name), "--json"]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        assert last_json(done.stdout)["loads"] == {"acoustic": 1, "vocoder": 1}
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_synth_names_what_is_in_the_way_before_a_model_is_loaded(call, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "workbench.engine.speech.synthesis.load_engine", lambda *a, **k: pytest.fail("a model was loaded")
    )
    code, out, err = call("synth", "[laugh] Hello 你好 <emphasis>there</emphasis>.", "--json")
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1
    assert "'[laugh]'" in err and "'你'" in err and "'<emphasis>'" in err and "--clean" in err


def test_words_that_nobody_wrote_are_filled_in_and_kept(call, speech, monkeypatch):
    from workbench.engine.asr.recogniser import Heard
    from workbench.engine.speech.recordings import dictation

    class Ears:
        def hear(self, wave, rate, **options):
            return Heard("Some words are heard", "en", 0.9, "whisper-base", 0.1)

    soundfile.write("me.wav", speech, 24_000)
    monkeypatch.setattr(dictation, "load_recogniser", lambda language: Ears())
    code, out, err = call("synth", "Any sentence.", "--ref-audio", "me.wav", "--json", *QUICK)
    assert code == 0 and "whisper-base filled in the words (en): “Some words are heard”; check them" in err
    (kept,) = list_runs()
    assert load_run(kept.id).request.voice.heard_by == "whisper-base" == last_json(out)["request"]["voice"]["heard_by"]
