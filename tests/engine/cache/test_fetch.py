"""fetch() with the real huggingface_hub client and a server that speaks the Hub's protocol with faults."""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import COMMIT, NEWER, HubServer, tiny_safetensors
from workbench.engine.cache import Caps, fetch, import_model, inventory, plan_delete, plan_fetch, resolve, verify
from workbench.engine.cache.fetch import fetching
from workbench.engine.cache.paths import hub_root, manifests_root
from workbench.engine.catalog import VOCODER_REPO, get_model
from workbench.engine.errors import Cancelled, FetchError, WeightsError

NAME, REPO = "F5TTS_Base_lv", "RaivisDejus/F5-TTS-Latvian"
PATIENT = Caps(connect_seconds=5, read_seconds=5, retries=1)  # for what must work, or fail for another reason
QUICK = Caps(connect_seconds=0.4, read_seconds=0.4, retries=1, slow_seconds=0.5, slow_bytes=1000)  # for silence
LIMIT_SECONDS = 10  # on a busy machine; the library alone takes 23 s when refused, 393 s or for ever when not answered
WEIGHTS = tiny_safetensors(1_000_000)


def _pickle_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    return file.getvalue()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    importlib.import_module("workbench.engine.cache.fetch.hubclient")  # its import is not part of what is timed
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in (
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    repos = {
        REPO: {"model.safetensors": WEIGHTS, "vocab.txt": b" \na\nb\n", "README.md": b"unneeded"},
        VOCODER_REPO: {"config.yaml": b"feature_extractor: {}\n", "pytorch_model.bin": _pickle_zip()},
    }
    with HubServer(repos) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def assert_nothing_claimed() -> None:
    """No lock, no partial file, no link to nothing, and resolve() says that it is missing."""
    assert not list(manifests_root().glob("*.json"))
    assert not [
        p for p in hub_root().rglob("*") if p.name.endswith(".incomplete") or (p.is_symlink() and not p.exists())
    ]
    with pytest.raises(WeightsError, match="cache fetch F5TTS_Base_lv"):
        resolve(get_model(NAME))


def failing(match: str, caps: Caps = PATIENT, **options: object) -> None:
    """Fetch, which must fail with a matching FetchError of one line in bounded time and leave nothing behind."""
    began = time.perf_counter()
    with pytest.raises(FetchError, match=match) as caught:
        fetch(NAME, caps=caps, **options)  # type: ignore[arg-type]
    assert time.perf_counter() - began < LIMIT_SECONDS
    assert "\n" not in str(caught.value)
    assert_nothing_claimed()


def test_fetch_resolves_verifies_and_pins(hub: HubServer) -> None:
    seen: list[tuple[str, int, int]] = []
    plan = plan_fetch(NAME, caps=PATIENT)
    total = sum(
        len(hub.repos[r][p])
        for r, p in (
            (REPO, "model.safetensors"),
            (REPO, "vocab.txt"),
            (VOCODER_REPO, "config.yaml"),
            (VOCODER_REPO, "pytorch_model.bin"),
        )
    )
    assert (plan.download_bytes, plan.total_bytes, plan.host) == (total, total, hub.endpoint.removeprefix("http://"))
    assert not hub.sent_bytes, "a plan downloads nothing"
    report = fetch(NAME, caps=PATIENT, on_progress=lambda *step: seen.append(step))
    assert report.downloaded_bytes == total and set(report.revisions.values()) == {COMMIT}
    assert seen[-1][1:] == (total, total) and [s[1] for s in seen] == sorted(s[1] for s in seen)
    files = resolve(get_model(NAME))
    assert files.source == "cache" and files.revision == COMMIT and files.weights.read_bytes() == WEIGHTS
    lock = json.loads(report.manifest.read_text())
    assert [len(r["revision"]) for r in lock["repos"]] == [40, 40]
    assert all(len(f["sha256"]) == 64 for r in lock["repos"] for f in r["files"].values())
    assert verify(NAME).ok
    assert next(e for e in inventory() if e.model == NAME).state == "complete"
    assert not any("authorization" in headers for _, _, headers in hub.requests)
    assert not any("README" in path for _, path, _ in hub.requests)
    assert (hub_root() / "models--RaivisDejus--F5-TTS-Latvian/refs/main").read_text() == COMMIT


def test_second_fetch_downloads_nothing_and_keeps_the_pin(hub: HubServer) -> None:
    fetch(NAME, caps=PATIENT)
    asked = len(hub.requests)
    assert plan_fetch(NAME, caps=PATIENT).download_bytes == 0
    assert fetch(NAME, caps=PATIENT).downloaded_bytes == 0
    assert len(hub.requests) == asked, "what is locked and whole needs no question"
    hub.commit = NEWER
    assert fetch(NAME, caps=PATIENT, update=True).revisions[REPO] == NEWER
    assert resolve(get_model(NAME)).revision == NEWER


def test_no_token_leaves_for_a_host_that_is_not_the_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(NAME, caps=PATIENT)
    assert hub.requests and not any("hf_secret" in str(headers) for _, _, headers in hub.requests)


def test_damaged_file_in_the_cache_is_fetched_again(hub: HubServer) -> None:
    fetch(NAME, caps=PATIENT)
    weights = resolve(get_model(NAME)).weights
    weights.write_bytes(WEIGHTS[:-1] + b"\0")
    assert not verify(NAME).ok
    fetch(NAME, caps=PATIENT)
    assert verify(NAME).ok and weights.read_bytes() == WEIGHTS


def test_connection_refused(hub: HubServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failing("cannot be reached", endpoint=f"http://127.0.0.1:{port}")


def test_listing_never_answered(hub: HubServer) -> None:
    hub.faults.silent_api = True
    failing("no answer in time", QUICK)


def test_connection_never_accepted(hub: HubServer) -> None:
    with socket.socket() as full:  # a full backlog drops further connections, like a black hole
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        failing("cannot be reached", QUICK, endpoint=f"http://127.0.0.1:{full.getsockname()[1]}")
        for sock in fill:
            sock.close()


def test_file_never_answered(hub: HubServer) -> None:
    hub.faults.silent_file = True
    failing("no answer in time", QUICK)


def test_silent_in_the_middle(hub: HubServer) -> None:
    hub.faults.silent_after = 500_000
    failing("failed 2 times", QUICK)


def test_cut_in_the_middle_every_time(hub: HubServer) -> None:
    hub.faults.cut_after = 500_000
    failing("connection cut")


def test_cut_once_is_taken_up_again(hub: HubServer) -> None:
    hub.faults.cut_after, hub.faults.cut_times = 500_000, 1
    fetch(NAME, caps=PATIENT)
    assert verify(NAME).ok


def test_trickle_counts_as_never_answering(hub: HubServer) -> None:
    hub.faults.trickle_seconds = 0.02
    failing("too slow", QUICK)


def test_same_size_but_other_content(hub: HubServer) -> None:
    hub.faults.flip_byte = True
    failing("checksum differs")


def test_web_page_instead_of_weights(hub: HubServer) -> None:
    hub.faults.html = True
    failing("web page instead of model.safetensors")


def test_web_page_instead_of_listing(hub: HubServer) -> None:
    hub.faults.html_api = True
    failing("web page")


def test_compression_that_nobody_asked_for(hub: HubServer) -> None:
    hub.faults.encoding = "gzip"  # a few kilobytes could unpack to a full disk
    failing("compressed, against")


def test_endless_answer(hub: HubServer) -> None:
    hub.faults.endless = True
    failing("longer than")


@pytest.mark.parametrize(
    ("status", "headers", "match"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, "no such repository"),
        (401, {}, "refuses access .401."),
        (403, {"X-Error-Code": "GatedRepo"}, "accepted their terms"),
        (429, {"Retry-After": "86400"}, "asks for a pause"),
        (500, {}, "answered 500"),
    ],
)
def test_refused_listing(hub: HubServer, status: int, headers: dict[str, str], match: str) -> None:
    hub.faults.api_status, hub.faults.api_headers = status, headers
    failing(match)


def test_server_error_on_the_content(hub: HubServer) -> None:
    hub.faults.status = 503
    failing("503")


def test_server_that_asks_to_wait_a_day(hub: HubServer) -> None:
    hub.faults.status, hub.faults.status_headers = 408, {"Retry-After": "86400"}
    failing(r"asks for a pause .408, Retry-After 86400")


def test_file_no_longer_in_the_repository(hub: HubServer) -> None:
    del hub.repos[REPO]["vocab.txt"]
    failing("does not list vocab.txt")


def test_listing_without_checksums(hub: HubServer) -> None:
    hub.faults.no_checksums = True
    failing("with its checksum")


def test_etag_that_is_a_path(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.etag = "../../../../escaped"
    failing("ETag that is a path")
    assert not list(tmp_path.rglob("escaped*"))


def test_other_revision_than_the_listing(hub: HubServer) -> None:
    hub.faults.commit = NEWER
    failing("answered with revision")


def test_not_enough_disk(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    failing(r"needs 4 MB and the disk of .* has 10 MB free")
    assert not hub.sent_bytes


def test_disk_full_in_the_middle(hub: HubServer) -> None:
    code = f"""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        from workbench.engine.cache import fetch, Caps
        from workbench.engine.errors import FetchError
        try:
            fetch({NAME!r}, caps=Caps(1, 1, 1))
        except FetchError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=30)
    assert "The download ended early: [Errno 27] File too large" in done.stdout, done.stderr
    assert_nothing_claimed()


def test_cancelled_in_the_middle(hub: HubServer) -> None:
    hub.faults.silent_after = 1_000_000
    cancel = threading.Event()
    threading.Thread(target=lambda: (hub.middle.wait(10), cancel.set())).start()
    began = time.perf_counter()
    with pytest.raises(Cancelled):
        fetch(NAME, caps=QUICK, cancel=cancel)
    assert time.perf_counter() - began < LIMIT_SECONDS
    assert_nothing_claimed()


def test_cancelled_from_the_progress_callback(hub: HubServer) -> None:
    def stop(file: str, done: int, total: int) -> None:
        if done > total // 2:
            raise Cancelled()

    with pytest.raises(Cancelled):
        fetch(NAME, caps=PATIENT, on_progress=stop)
    assert_nothing_claimed()


def test_pinned_commit_whose_content_changed(hub: HubServer) -> None:
    fetch(NAME, caps=PATIENT)
    resolve(get_model(NAME)).weights.resolve().unlink()
    hub.repos[REPO]["model.safetensors"] = tiny_safetensors(1_000_000, name="another")
    with pytest.raises(FetchError, match=r"another model.safetensors for the pinned revision"):
        fetch(NAME, caps=PATIENT)


def test_two_at_once(hub: HubServer) -> None:
    hub.faults.silent_after = 1_000_000
    outcome: list[Exception] = []

    def first() -> None:
        try:
            fetch(NAME, caps=Caps(1, 1.5, 0))
        except FetchError as error:
            outcome.append(error)

    worker = threading.Thread(target=first)
    worker.start()
    assert hub.middle.wait(5)
    with pytest.raises(FetchError, match=r"Another download .* is running"):
        fetch(NAME, caps=PATIENT)
    worker.join(10)
    assert len(outcome) == 1
    hub.faults.silent_after = None
    fetch(NAME, caps=PATIENT)
    assert verify(NAME).ok


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode_is_named(hub: HubServer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    failing(f"{name}=1 forbids")
    assert not hub.requests


@pytest.mark.parametrize("address", ["nonsense", "ftp://example.org", "http://", "http://127.0.0.1:port"])
def test_endpoint_that_is_no_address(hub: HubServer, address: str) -> None:
    failing("not the address of a server", endpoint=address)


def test_imported_model_fetches_the_vocoder_it_lacks(hub: HubServer, tiny_folder: Path, tmp_path: Path) -> None:
    arch = "{dim: 32, depth: 1, heads: 2, dim_head: 16, ff_mult: 2, text_dim: 16, conv_layers: 1}"
    folder = tmp_path / "own"
    shutil.copytree(tiny_folder, folder, ignore=shutil.ignore_patterns("vocos"))
    (folder / "config.yaml").write_text(f"model: {{backbone: DiT, arch: {arch}, mel_spec: {{}}}}")
    spec = import_model(folder, name="own").spec
    with pytest.raises(WeightsError, match=r"cache fetch own.*for the vocoder"):
        resolve(spec)
    assert fetch("own", caps=PATIENT).downloaded_bytes == sum(map(len, hub.repos[VOCODER_REPO].values()))
    assert resolve(spec).vocoder_config.is_file() and verify("own").ok
    plan_delete("own").execute()
    assert not list(manifests_root().glob("*"))


def test_models_that_are_not_on_the_hub(hub: HubServer) -> None:
    with pytest.raises(FetchError, match="does not come from the Hub"):
        fetch("demo-voice")
    with pytest.raises(FetchError, match=r"its own config.yaml"):
        fetch("F5TTS_Small_ar")


def test_library_is_left_as_it_was(hub: HubServer) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    before = (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET)
    hub.faults.html = True
    failing("web page")
    assert before == (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET)


def test_leftovers_of_a_killed_download_are_swept(hub: HubServer) -> None:
    code = f"""
        import os
        from workbench.engine.cache import Caps, fetch
        fetch({NAME!r}, caps=Caps(5, 5, 0), on_progress=lambda file, done, total: done > total // 2 and os._exit(9))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=30)
    assert done.returncode == 9 and list(hub_root().rglob("*.incomplete")), "it died in the middle"
    with pytest.raises(WeightsError):
        resolve(get_model(NAME))
    fetch(NAME, caps=PATIENT)
    assert not list(hub_root().rglob("*.incomplete")) and verify(NAME).ok


def test_a_file_enters_the_cache_only_once_it_is_checked(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.faults.flip_byte = True
    seen: list[bool] = []
    real = fetching.digest_matches

    def spy(path: Path, digest: str, cancel: threading.Event | None = None) -> bool:
        seen.append(any(p.name == "model.safetensors" for p in hub_root().glob("models--*/snapshots/*/*")))
        return real(path, digest, cancel)

    monkeypatch.setattr(fetching, "digest_matches", spy)
    failing("checksum differs")
    assert seen and not any(seen)


def test_content_that_is_here_under_another_revision_is_not_downloaded_again(hub: HubServer) -> None:
    fetch(NAME, caps=PATIENT)
    sent, hub.commit = hub.sent_bytes, NEWER
    hub.repos[REPO]["vocab.txt"] = b" \nc\nd\n"
    plan = plan_fetch(NAME, caps=PATIENT, update=True)
    assert [f.path for f in plan.files if not f.cached] == ["vocab.txt"]
    fetch(NAME, caps=PATIENT, update=True)
    assert hub.sent_bytes == sent and resolve(get_model(NAME)).vocab.read_bytes() == b" \nc\nd\n"
    assert verify(NAME).ok


@pytest.mark.filterwarnings("ignore:.*symlinks.*:UserWarning")
def test_a_disk_without_links(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    fetch(NAME, caps=PATIENT)
    assert verify(NAME).ok and not resolve(get_model(NAME)).weights.is_symlink()
