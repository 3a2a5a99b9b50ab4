"""``workbench cache``: list, verify, fetch, delete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.helpers import QUICK, last_json


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


def test_kept_chunks_are_counted_and_cleared(call, _own_home):
    assert "0 B of at most 512 MB" in call("cache", "chunks")[1]
    call("synth", "Any sentence you like.", *QUICK)
    found = last_json(call("cache", "chunks", "--json")[1])
    assert found["bytes"] > 100_000 and found["folder"] == str(_own_home / "cache" / "chunks")
    assert last_json(call("cache", "chunks", "--clear", "--json")[1])["freed_bytes"] == found["bytes"]
    assert last_json(call("cache", "chunks", "--json")[1])["bytes"] == 0


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


def test_a_bundle_is_written_and_brought_in(call, tiny_home, monkeypatch, tmp_path):
    code, out, _ = call("cache", "export", "tiny", "--out", "b.tar")
    assert code == 0 and "written to b.tar; licence unknown" in out
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "other"))
    code, _, err = call("cache", "import", "b.tar", "--name", "another")
    assert code == 2 and "Leave out the options" in err
    found = last_json(call("cache", "import", "b.tar", "--json")[1])
    assert found["models"] == {"tiny": "unknown"} and found["kept"] == []
    assert "was here already" in call("cache", "import", "b.tar")[1]
    assert last_json(call("cache", "verify", "tiny", "--json")[1])["ok"]
