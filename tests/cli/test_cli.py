"""The command line: one JSON document, one line for each mistake, no half-written file, no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench.cli import main
from workbench.engine.runs.store import list_runs, load_run, runs_root

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--nfe-step", "1"]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line in an empty folder; returns (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")  # a table of long times folds its texts on a narrower one

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(w) for w in words])
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def last_json(out: str) -> dict:
    lines = out.strip().splitlines()
    assert len(lines) == 1, "one JSON document and nothing else"
    return json.loads(lines[0])


def test_synth_speaks_and_reports(call, tmp_path):
    code, out, _ = call("synth", "Any sentence you like.", "--out", "hello.wav", "--json", *QUICK)
    assert code == 0
    found = last_json(out)
    assert {"model", "voice", "device", "dtype", "settings", "load_seconds", "time_to_first_audio_seconds",
            "total_seconds", "audio_seconds", "rtf", "loads", "chunks", "spans", "out"} <= set(found)  # fmt: skip
    (chunk,) = found["chunks"]
    assert {"index", "text", "n_bytes", "seed", "planned_seconds", "audio_seconds", "text_seconds", "ode_seconds",
            "vocoder_seconds", "step_seconds", "rtf"} <= set(chunk)  # fmt: skip
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
    assert code == 1 and "another wave" in out and "torch" in out and "warmth" in out


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


def test_plan_needs_no_model(call):
    code, out, _ = call(
        "plan", "One sentence here. And another one, a little longer.", "--max-chunk-bytes", "30", "--json"
    )
    assert code == 0
    chunks = last_json(out)["chunks"]
    assert len(chunks) == 3
    assert all({"index", "text", "n_bytes", "planned_seconds", "warnings"} <= set(c) for c in chunks)
    assert max(c["n_bytes"] for c in chunks) <= 30


def test_plan_warns_of_what_synth_would_refuse(call):
    code, out, _ = call("plan", "A snowman ☃ stands here; “quite” still.", "--json")
    assert code == 0
    warnings = " ".join(w for c in last_json(out)["chunks"] for w in c["warnings"])
    assert "the vocabulary lacks '☃'" in warnings


def test_plan_loads_no_torch():
    code = "import sys; from workbench.cli import main\ntry: main(['plan', 'Hello there.'])\nexcept SystemExit: pass\n"
    done = subprocess.run([sys.executable, "-c", code + "print('torch' in sys.modules)"], cwd=ROOT, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout.strip().endswith("False")


def recording(path: Path, wave: np.ndarray, rate: int = 24000) -> Path:
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return path


@pytest.fixture
def bad_files(tmp_path, speech) -> dict[str, str]:
    folder = tmp_path / "bad"
    folder.mkdir()
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
    "unknown voice": (["Hello.", "--voice", "nobody"], "nobody"),
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
    assert [p for p in tmp_path.iterdir() if p.name != "bad"] == []


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
    assert "does not hold demo-voice" in err


def test_lists_and_doctor_answer_in_json(call):
    assert len(last_json(call("voices", "--json")[1])["voices"]) >= 8
    names = [m["name"] for m in last_json(call("models", "--json")[1])["models"]]
    assert {"demo-voice", "F5TTS_v1_Base", "F5TTS_Base", "E2TTS_Base"} <= set(names)
    assert last_json(call("doctor", "--quick", "--json")[1])["ok"]


def test_cache_commands(call, demo_home):
    stocks = {m["model"]: m for m in last_json(call("cache", "ls", "--json")[1])["models"]}
    assert stocks["demo-voice"]["state"] == "complete"
    assert last_json(call("cache", "verify", "demo-voice", "--json")[1])["ok"]
    code, _, err = call("cache", "rm", "demo-voice", "--yes")
    assert code == 2
    assert "tracked by git" in err
    planned = last_json(call("cache", "rm", "demo-voice", "--force", "--dry-run", "--json")[1])
    assert planned["freed_bytes"] == 0
    assert (demo_home / "cache" / "demo-voice" / "vocab.txt").exists()


def test_verify_finds_a_flipped_bit(call, demo_home):
    path = demo_home / "cache" / "demo-voice" / "vocos" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    code, out, _ = call("cache", "verify", "demo-voice", "--json")
    assert code == 1
    bad = [f["name"] for f in last_json(out)["files"] if f["status"] != "ok"]
    assert bad == ["vocos/model.safetensors"]


def test_fetch_says_how_to_go_on_when_offline_is_demanded(call, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, err = call("cache", "fetch", "F5TTS_v1_Base", "--yes")
    assert code == 2
    assert "HF_HUB_OFFLINE" in err


@pytest.fixture
def hub(monkeypatch):
    from tests.engine.cache.hub_server import HubServer, tiny_safetensors

    repos = {
        "RaivisDejus/F5-TTS-Latvian": {"model.safetensors": tiny_safetensors(100_000), "vocab.txt": b" \na\nb\n"},
        "charactr/vocos-mel-24khz": {"config.yaml": b"head: {}\n", "pytorch_model.bin": b"\x80\x02}q\x00." * 99},
    }
    with HubServer(repos) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def test_fetch_downloads_pins_and_says_how_much_first(call, hub):
    code, out, err = call("cache", "fetch", "F5TTS_Base_lv", "--json")
    assert code == 0
    assert "to download from 127.0.0.1" in err
    found = last_json(out)
    assert len(found["revisions"]["RaivisDejus/F5-TTS-Latvian"]) == 40
    assert Path(found["lock"]).exists()
    assert last_json(call("cache", "verify", "F5TTS_Base_lv", "--json")[1])["ok"]
    asked = len(hub.requests)
    assert last_json(call("cache", "ls", "--json")[1])["models"]
    assert len(hub.requests) == asked, "listing and verifying ask nobody"


def test_a_download_of_the_wrong_content_is_refused_in_one_line(call, hub, _own_home):
    hub.faults.flip_byte = True
    code, out, err = call("cache", "fetch", "F5TTS_Base_lv", "--json")
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1].startswith("Error: ")
    assert not list((_own_home / "cache").rglob("model.safetensors"))


@pytest.mark.slow
def test_bench_compares_with_upstream_and_ends_in_json(call, tmp_path, tiny_folder):
    from workbench.engine.cache import import_model

    import_model(tiny_folder, name="tiny-bench", config=_tiny_yaml(tmp_path))
    code, out, err = call(
        "bench", "engine", "--model", "tiny-bench", "--chunks", "2", "--nfe-step", "2", "--rounds", "1"
    )
    assert code == 0
    found = json.loads(out.strip().splitlines()[-1])
    assert found["chunks"] == 2
    assert found["ratio"] == pytest.approx(found["upstream_seconds"][0] / found["ours_seconds"][0])
    assert found["audio_seconds"]["ours"] == pytest.approx(found["audio_seconds"]["upstream"], abs=0.03)
    assert "round 1/1" in err


def _tiny_yaml(folder: Path) -> Path:
    import yaml

    from tests.conftest import TINY_SPEC

    mel = {"target_sample_rate": 24000, "n_mel_channels": 100, "hop_length": 256, "win_length": 1024, "n_fft": 1024,
           "mel_spec_type": "vocos"}  # fmt: skip
    path = folder / "tiny.yaml"
    model = {"name": "tiny", "tokenizer": "custom", "backbone": "DiT", "arch": dict(TINY_SPEC.arch), "mel_spec": mel}
    path.write_text(yaml.safe_dump({"model": model}))
    return path


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


def test_plan_says_what_was_changed_and_clean_makes_what_is_offered(call):
    words = "**One** boat\u200b 😀 is here. [pause 1.5s] It is 22."
    code, out, _ = call("plan", words, "--json")
    document = json.loads(out)
    assert code == 0 and [c["before"] for c in document["changes"]] == ["\u200b"]
    assert [c["before"] for c in document["offers"]] == ["**", "**", "😀"]
    first, second = document["chunks"]
    assert "vocabulary lacks '*', '😀'" in first["warnings"][-1] and first["pause_seconds"] == 1.5
    assert (second["written"], second["text"]) == ("It is 22.", "It is twenty-two.")
    code, out, _ = call("plan", words, "--clean", "--json")
    document = json.loads(out)
    assert document["offers"] == [] and document["chunks"][0]["text"] == "One boat is here."
    code, out, _ = call("plan", words, "--numbers", "off")
    assert code == 0 and "(pause)" in out and "changed: U+200B left out" in out and "--clean" in out
    assert "twenty" not in out


def test_synth_names_what_is_in_the_way_before_a_model_is_loaded(call, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "workbench.engine.speech.synthesis.load_engine", lambda *a, **k: pytest.fail("a model was loaded")
    )
    code, out, err = call("synth", "[laugh] Hello 你好 <emphasis>there</emphasis>.", "--json")
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1
    assert "'[laugh]'" in err and "'你'" in err and "'<emphasis>'" in err and "--clean" in err
