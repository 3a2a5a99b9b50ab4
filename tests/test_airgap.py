"""One folder sets up a machine without network: locked packages; changed files and other machines are refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import airgap, lock
from scripts import airgap_set_up as other_side

NAMES = set(lock.entries(lock.LOCK.read_text(encoding="utf-8")))


def small_wheel(folder: Path) -> None:
    """A package with a command line that says its arguments, in place of the workbench."""
    files = {
        "workbench/__init__.py": "",
        "workbench/__main__.py": "import sys; open('said.txt', 'a').write(' '.join(sys.argv[1:2]) + chr(10))\n",
        "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
        "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for name, text in files.items()
    ]
    files["tiny-1.dist-info/RECORD"] = "\n".join([*rows, "tiny-1.dist-info/RECORD,,", ""])
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny-1-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.fixture
def carry(tmp_path: Path) -> Path:
    folder = tmp_path / "carry"
    folder.mkdir()
    small_wheel(folder / other_side.WHEELS)
    (folder / other_side.BUNDLE).write_bytes(b"models")
    with tarfile.open(folder / other_side.SOURCE, "w:gz") as archive:
        archive.add(Path(__file__), "source/tests/test_airgap.py")
    airgap.finish(folder, ["asr"])
    return folder


def test_the_extras_bring_their_packages_and_those_of_the_extras_they_name() -> None:
    assert {"jiwer", "ctranslate2"} <= airgap.names_of(["measures"]) <= NAMES
    assert {"jupyterlab", "jiwer", "pytest"} <= airgap.names_of(["dev"]) <= NAMES
    with pytest.raises(SystemExit, match="no extra 'nonsense'"):
        airgap.names_of(["nonsense"])


def test_what_is_carried_is_the_app_and_what_was_asked_for() -> None:
    plain = airgap.chosen([], source=False, cpu=True)
    assert "streamlit" in plain and not {"pytest", "faster-whisper", "nvidia-cublas"} & set(plain)
    assert {"faster-whisper", "pytest", "jupyterlab"} <= set(airgap.chosen(["asr"], source=True, cpu=True))
    assert "nvidia-cublas" in airgap.chosen([], source=False, cpu=False)


def test_the_source_holds_what_tests_and_lessons_need(tmp_path: Path) -> None:
    for name in (*airgap.SOURCE, *airgap.WHEEL):
        assert list(airgap.ROOT.glob(name)), name
    (tmp_path / "few").mkdir()
    kept = airgap.SOURCE
    try:
        airgap.SOURCE = ("notebooks/README.md", "cache/README.md", "tests/fuzzing")  # type: ignore[assignment]
        airgap.pack_source(tmp_path / "source.tar.gz")
    finally:
        airgap.SOURCE = kept
    with tarfile.open(tmp_path / "source.tar.gz") as archive:
        names = archive.getnames()
    assert "source/notebooks/README.md" in names and "source/tests/fuzzing/kind.py" in names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "bundle.tar").write_bytes(b"modelz"), "bundle.tar has changed"),
        (lambda folder: (folder / "bundle.tar").unlink(), "bundle.tar is missing"),
        (lambda folder: (folder / "wheels" / "evil-1-py3-none-any.whl").write_bytes(b""), "does not belong here"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "is not complete"),
    ],
)
def test_a_changed_folder_is_named_before_anything_is_installed(carry: Path, spoil: object, said: str) -> None:
    assert other_side.check(carry)["extras"] == ["asr"]
    spoil(carry)  # type: ignore[operator]
    with pytest.raises(SystemExit, match=said):
        other_side.check(carry)


@pytest.mark.parametrize(("name", "value"), [("python", ["3", "9"]), ("system", "Plan 9"), ("machine", "vax")])
def test_another_kind_of_machine_is_refused(carry: Path, name: str, value: object) -> None:
    about = json.loads((carry / other_side.ABOUT).read_text())
    (carry / other_side.ABOUT).write_text(json.dumps(about | {name: value}))
    lines = [f"{digest}  {file}" for file, digest in other_side.sums(carry).items()]
    (carry / other_side.SUMS).write_text("\n".join(lines))
    with pytest.raises(SystemExit, match=f"was made for {name} .*, but here it is"):
        other_side.check(carry)


@pytest.mark.slow
def test_it_installs_brings_models_in_and_unpacks_without_a_network(carry: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(carry / "set_up.py"), "f5", "--source", "lessons"]
    if shutil.which("unshare") and not subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        command = ["unshare", "-n", *command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "All files are as they were collected." in done.stdout and "Installed." in done.stdout
    assert (tmp_path / "said.txt").read_text() == "cache\n"
    assert (tmp_path / "lessons/source/tests/test_airgap.py").is_file()
    installed = list((tmp_path / "f5").rglob("workbench/__main__.py"))
    assert len(installed) == 1 and platform.python_version()
    shutil.rmtree(carry / "wheels")
    again = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert again.returncode == 1 and "is missing" in again.stderr
