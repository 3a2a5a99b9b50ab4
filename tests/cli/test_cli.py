"""Commands without synthesis: plan, lists, doctor, bench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.helpers import last_json


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


def test_lists_and_doctor_answer_in_json(call):
    assert len(last_json(call("voices", "--json")[1])["voices"]) >= 8
    names = [m["name"] for m in last_json(call("models", "--json")[1])["models"]]
    assert {"demo-voice", "F5TTS_v1_Base", "F5TTS_Base", "E2TTS_Base"} <= set(names)
    assert last_json(call("doctor", "--quick", "--json")[1])["ok"]


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
