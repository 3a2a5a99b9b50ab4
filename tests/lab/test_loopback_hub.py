"""The loopback Hub with the real client: the cost of each network for a cached file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from workbench.engine.model.random_weights import add_to_hub_cache
from workbench.lab.files import prepare
from workbench.lab.loopback_hub import LoopbackHub

REPO, FILE = "charactr/vocos-mel-24khz", "config.yaml"
# without these the client also asks for news of itself
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
ASK = """
import json, sys, time
from huggingface_hub import hf_hub_download
began = time.perf_counter()
path = hf_hub_download(sys.argv[1], sys.argv[2])
print(json.dumps({"path": path, "seconds": time.perf_counter() - began}))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_text("some: content\n")
    add_to_hub_cache(tmp_path / "hub", REPO, {FILE: file})
    return tmp_path / "hub"


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk, or a Windows, without symbolic links."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)


def test_a_disk_without_links_holds_and_serves_the_files_themselves(without_links: None, hub: Path) -> None:
    (file,) = (hub / f"models--{REPO.replace('/', '--')}" / "snapshots").rglob(Path(FILE).name)
    assert not file.is_symlink()
    with LoopbackHub(hub, "answering") as server:
        request = urllib.request.Request(f"{server.endpoint}/{REPO}/resolve/main/{FILE}", method="HEAD")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.headers["ETag"].strip('"') == hashlib.sha256(b"some: content\n").hexdigest()
        for outside in ("../../../file", "/etc/passwd"):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f"{server.endpoint}/{REPO}/resolve/main/{outside}", timeout=10)


def test_the_lab_copies_a_model_where_there_are_no_links(without_links: None, tmp_path: Path) -> None:
    made = prepare("demo-voice", tmp_path / "hub")
    assert made["random_weights"] is False and list((tmp_path / "hub").rglob("*.safetensors"))


def ask(hub: Path, endpoint: str, **more: str) -> dict:
    """hf_hub_download of a cached file, in a fresh process with a time-out of one second."""
    environment = (
        os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_CACHE": str(hub), "HF_HUB_ETAG_TIMEOUT": "1"} | QUIET | more
    )
    done = subprocess.run(
        [sys.executable, "-c", ASK, REPO, FILE], env=environment, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("behaviour", "outcomes", "least", "most"),
    [("answering", ["200"], 0, 0.9), ("refusing", [], 0, 0.9), ("blackhole", ["never answered"], 1.0, 1.9)],
)
def test_what_a_cached_file_costs(hub: Path, behaviour: str, outcomes: list[str], least: float, most: float) -> None:
    with LoopbackHub(hub, behaviour) as server:
        answer = ask(hub, server.endpoint)
    assert Path(answer["path"]).read_text() == "some: content\n"
    assert [r.outcome for r in server.requests] == outcomes, server.requests
    assert all(r.method == "HEAD" and r.path == f"/{REPO}/resolve/main/{FILE}" for r in server.requests)
    assert least <= answer["seconds"] < most + 3 * (behaviour != "blackhole")  # a busy machine may be slow to import


def test_the_slow_one_is_late_and_answers(hub: Path) -> None:
    with LoopbackHub(hub, "slow", delay_seconds=0.4) as server:
        answer = ask(hub, server.endpoint)
    assert answer["seconds"] >= 0.4
    assert [r.outcome for r in server.requests] == ["200"]


def test_offline_asks_nobody(hub: Path) -> None:
    with LoopbackHub(hub, "blackhole") as server:
        ask(hub, server.endpoint, HF_HUB_OFFLINE="1")
    assert server.requests == []


def test_a_missing_file_downloads_from_it(hub: Path, tmp_path: Path) -> None:
    """The protocol is whole enough for a cold cache."""
    with LoopbackHub(hub) as server:
        answer = ask(tmp_path / "empty", server.endpoint, HF_HUB_DISABLE_XET="1")
    assert Path(answer["path"]).read_text() == "some: content\n"
    assert [r.method for r in server.requests] == ["HEAD", "GET"]


def test_nothing_outside_the_cache_is_served(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("no")
    server = LoopbackHub(hub)
    for path in (f"/{REPO}/resolve/main/../../../../../secret", "/etc/passwd", f"/{REPO}/resolve/other/{FILE}", "/"):
        assert server._find(path) is None
    assert server._find(f"/{REPO}/resolve/main/{FILE}") is not None


def test_ending_frees_port_and_threads(hub: Path) -> None:
    import socket
    import threading

    before = threading.active_count()
    for behaviour in ("blackhole", "refusing"):
        with LoopbackHub(hub, behaviour) as server:
            port = int(server.endpoint.rpartition(":")[2])
            waiting = socket.create_connection(("127.0.0.1", port), 2) if behaviour == "blackhole" else None
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
        if waiting:
            waiting.close()
    assert threading.active_count() <= before + 1
