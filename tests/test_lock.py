"""The lock has all packages with hashes; its parts hold what a file of requirements brings; renewing keeps builds."""

from __future__ import annotations

import functools
import hashlib
import re
import threading
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import lock
from tests.server import ROOT

TEXT = lock.LOCK.read_text(encoding="utf-8")
PACKAGES = lock.entries(TEXT)
SMALL = """\
# build torch torch-2.13.0+cpu-x.whl sha256:{cpu}

numpy==2.4.6 \\
    --hash=sha256:{numpy}
    # via
    #   -r requirements-dev.txt
    #   torch
nvidia-cublas==13.1 ; sys_platform == 'linux' \\
    --hash=sha256:{cuda}
    # via torch
pytest==9.2.0 \\
    --hash=sha256:{pytest}
    # via -r requirements-dev.txt
torch==2.13.0 \\
    --hash=sha256:{torch}
    # via -r requirements.txt
""".format(**{name: hashlib.sha256(name.encode()).hexdigest() for name in ("cpu", "numpy", "cuda", "pytest", "torch")})


def test_every_package_of_the_lock_has_hashes_and_something_that_asks_for_it() -> None:
    assert len(PACKAGES) > 250
    for name, entry in PACKAGES.items():
        assert canonicalize_name(name) == name
        Requirement(entry.splitlines()[0].rstrip(" \\"))
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
        assert lock.asked_by(entry), name
    assert not re.search(r"\w+://", TEXT)


def test_every_source_of_the_lock_exists_and_is_in_it() -> None:
    asking = set().union(*(lock.asked_by(entry) for entry in PACKAGES.values()))
    for source in lock.SOURCES:
        assert (ROOT / source).is_file()
        assert f"-r {source}" in asking or "f5tts-workbench (pyproject.toml)" in asking


@pytest.mark.parametrize("cpu", [False, True])
def test_a_part_holds_what_a_file_brings_and_nothing_else(cpu: bool) -> None:
    packages = lock.entries(SMALL)
    app = lock.part(packages, ["requirements.txt"])
    app = lock.for_cpu(app, lock.known_builds(SMALL)) if cpu else app
    assert set(app) == {"torch", "numpy"} | (set() if cpu else {"nvidia-cublas"})
    wanted = hashlib.sha256(b"cpu" if cpu else b"torch").hexdigest()
    assert re.findall("sha256:(.*)", app["torch"]) == [wanted] and "\\\n    # via" not in app["torch"]
    assert lock.part(packages) == packages


def test_the_real_part_of_the_app_has_no_tools_and_no_cuda() -> None:
    app = lock.for_cpu(lock.part(PACKAGES, ["requirements.txt"]), lock.known_builds(TEXT))
    assert {"torch", "streamlit", "nvidia-ml-py", "gradio"} <= set(app)
    assert not {"pytest", "jupyterlab", "mkdocs", "ray", "triton", "nvidia-cublas"} & set(app)
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    direct = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line and line[0] != "#"}
    assert direct <= set(app)


def test_versions_are_constraints_without_hashes() -> None:
    lines = lock.versions(lock.entries(SMALL)).splitlines()
    assert lines == ["numpy==2.4.6", "nvidia-cublas==13.1 ; sys_platform == 'linux'", "pytest==9.2.0", "torch==2.13.0"]
    for line in lock.versions(PACKAGES).splitlines():
        Requirement(line)


def test_builds_are_found_in_a_folder_and_kept_as_long_as_the_version_stays(tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311.whl").write_bytes(b"a wheel")
    (tmp_path / "torch-2.13.0-cp311.whl").write_bytes(b"of the first index")
    digest = hashlib.sha256(b"a wheel").hexdigest()
    found = lock.builds(str(tmp_path), "torch")
    assert found == [("torch", "torch-2.13.0+cpu-cp311.whl", digest)]
    text = lock.written(lock.entries(SMALL), found)
    assert lock.known_builds(text) == found and f"sha256:{digest} \\\n" in lock.entries(text)["torch"]
    assert lock.written(lock.entries(text), lock.known_builds(text)) == text
    newer = lock.entries(text.replace("torch==2.13.0", "torch==2.14.0"))
    assert lock.known_builds(lock.written(newer, found)) == []


def test_builds_of_an_index_are_read_from_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "torch"
    page.mkdir()
    digest = "0" * 64
    (page / "index.html").write_text(
        f'<a href="/whl/torch-2.13.0%2Bcpu-cp312.whl#sha256={digest}">a</a><a href="torch-2.13.0.tar.gz">b</a>'
        f'<a href="torch-2.13.0-cp312.whl#sha256={digest}">c</a><a name="x">d</a>'
    )
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert lock.builds(address, "torch") == [("torch", "torch-2.13.0+cpu-cp312.whl", digest)]
        server.shutdown()
    assert lock.builds(address, "torch") == []
    assert "has not answered" in capsys.readouterr().err


EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
FILES = {
    "dev": "requirements-dev.txt",
    "train": "training/demo_voice/requirements.txt",
    "cluster": "requirements-cluster.txt",
}


def of_extra(name: str) -> list[Requirement]:
    """The packages of an extra, with those of the extras that it names."""
    found = []
    for line in map(Requirement, EXTRAS[name]):
        found += (
            [each for extra in line.extras for each in of_extra(extra)] if line.name == "f5tts-workbench" else [line]
        )
    return found


@pytest.mark.parametrize("name", sorted(EXTRAS))
def test_an_extra_allows_the_locked_versions_and_brings_what_its_file_lists(name: str) -> None:
    lines = of_extra(name)
    assert {canonicalize_name(line.name) for line in lines} <= set(PACKAGES), "run `make lock`"
    locked = {line: lock.version_of(PACKAGES[canonicalize_name(line.name)]) for line in lines}
    assert {str(line): version for line, version in locked.items() if version not in line.specifier} == {}
    if name in FILES:
        listed = [line.split("#")[0].strip() for line in (ROOT / FILES[name]).read_text("utf-8").splitlines()]
        listed = [canonicalize_name(line.split("==")[0]) for line in listed if "==" in line]
        assert set(listed) <= {canonicalize_name(line.name) for line in lines}


def test_the_page_of_the_installation_lists_every_extra() -> None:
    page = (ROOT / "docs/how-to/install.md").read_text("utf-8")
    assert {name for name in EXTRAS if f"| `{name}` |" not in page} == set()
