"""Collect all that a machine without network needs into one folder, to carry it there.

    python scripts/airgap.py carry --models F5TTS_v1_Base whisper-base --extras asr measures --cpu
    python3 carry/set_up.py f5                    # on the other machine, which has the same system and Python

The folder holds wheels of the workbench and of all packages, each compared with its sha256 in requirements.lock before
it is built or copied; the models as one bundle; with ``--source`` also tests and lessons with their packages; the
program that installs it all; and the sha256 of every file.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import airgap_set_up as other_side  # noqa: E402
from scripts import lock  # noqa: E402

WHEEL = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "SECURITY.md", "requirements.txt",
         "workbench", "cache/README.md", "cache/demo-voice")  # fmt: skip
SOURCE = ("Makefile", "README.md", "LICENSE", "pyproject.toml", "setup.py", "MANIFEST.in", "requirements*", "scripts",
          "training", "notebooks", "tests", "workbench", "docs", "cache/README.md", "cache/demo-voice", "*.md", "*.cff",
          "mkdocs.yml", "Dockerfile", ".dockerignore", "deploy", ".devcontainer", ".github")  # fmt: skip


def names_of(extras: Iterable[str]) -> set[str]:
    """Return the canonical names of the packages that extras of pyproject.toml list. Raises SystemExit."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    found: set[str] = set()
    for extra in extras:
        if extra not in listed:
            raise SystemExit(f"There is no extra {extra!r}. The extras are: {', '.join(listed)}.")
        for line in listed[extra]:
            name, _, more = line.partition("[")
            if name == "f5tts-workbench":
                found |= names_of(more.rstrip("]").split(","))
            else:
                found.add(lock.canonical(line))
    return found


def chosen(extras: Sequence[str], *, source: bool, cpu: bool) -> dict[str, str]:
    """Return the entries of the lock that are carried."""
    text = lock.LOCK.read_text(encoding="utf-8")
    files = ["requirements.txt", *(["requirements-dev.txt"] if source else [])]
    packages = lock.part(lock.entries(text), files, names_of(extras))
    return lock.for_cpu(packages, lock.known_builds(text)) if cpu else packages


def pip(*words: str) -> None:
    """Run pip. Raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--disable-pip-version-check", "--quiet"], check=True, cwd=ROOT
    )


def wheels(folder: Path, packages: dict[str, str], options: Sequence[str], *, hashes: bool) -> None:
    """Put the wheels of ``packages`` and of the workbench into ``folder``. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as draft:
        listed = Path(draft, "requirements.txt")
        listed.write_text("".join(packages.values()) if hashes else lock.versions(packages), encoding="utf-8")
        pip("wheel", *(["--require-hashes"] if hashes else []), *options, "-w", str(folder), "-r", str(listed))
    with tempfile.TemporaryDirectory() as copy:  # a build leaves files in its folder
        for pattern in WHEEL:
            for found in ROOT.glob(pattern):
                target = Path(copy, found.relative_to(ROOT))
                target.parent.mkdir(parents=True, exist_ok=True)
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(found, target, ignore=ignored) if found.is_dir() else shutil.copy2(found, target)
        pip("wheel", "--no-deps", "-w", str(folder), copy)


def pack_source(path: Path) -> None:
    """Write what is needed for tests and lessons to a tar: no models but the demo voice, no runs."""

    def kept(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in info.name or info.name.endswith(".pyc") else info

    with tarfile.open(path, "w:gz") as archive:
        for pattern in SOURCE:
            for found in sorted(ROOT.glob(pattern)):
                archive.add(found, f"source/{found.relative_to(ROOT).as_posix()}", filter=kept)


def finish(folder: Path, extras: Sequence[str]) -> None:
    """Add the program of the other side, what it must know, and the sha256 of every file."""
    shutil.copyfile(other_side.__file__, folder / "set_up.py")
    told = {"extras": list(extras), "python": platform.python_version_tuple()[:2], "system": platform.system(),
            "machine": platform.machine()}  # fmt: skip
    (folder / other_side.ABOUT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sums = other_side.sums(folder)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / other_side.SUMS).write_text(lines, encoding="utf-8")


def main() -> None:
    """Read the arguments and fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder to carry")
    parser.add_argument("--models", nargs="*", default=[], metavar="NAME", help="models and recognisers of the cache")
    parser.add_argument("--extras", nargs="*", default=[], metavar="NAME", help="extras of pyproject.toml")
    parser.add_argument("--source", action="store_true", help="tests and lessons too, with their packages")
    parser.add_argument("--cpu", action="store_true", help="torch for the CPU: name its index with --index")
    parser.add_argument("--index", metavar="URL", help="one more package index, such as PyTorch's")
    parser.add_argument("--no-hashes", action="store_true", help="compare versions only: for builds of torch that the "
                        "lock does not know")  # fmt: skip
    given = parser.parse_args()
    if given.folder.exists() and any(given.folder.iterdir()):
        raise SystemExit(f"{given.folder} is not empty. Name a new folder.")
    packages = chosen(given.extras, source=given.source, cpu=given.cpu)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.models:
        command = [sys.executable, "-m", "workbench", "cache", "export", *given.models, "--out"]
        subprocess.run([*command, str((given.folder / other_side.BUNDLE).resolve())], check=True, cwd=ROOT)
    options = ["--extra-index-url", given.index] if given.index else []
    wheels(given.folder / other_side.WHEELS, packages, options, hashes=not given.no_hashes)
    if given.source:
        pack_source(given.folder / other_side.SOURCE)
    finish(given.folder, given.extras)
    size = sum(path.stat().st_size for path in given.folder.rglob("*") if path.is_file())
    sys.stdout.write(
        f"{given.folder}: {size / 1e9:.1f} GB. Carry it, then run there: python3 {given.folder.name}/set_up.py f5\n"
    )


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"{Path(error.cmd[0]).name} {' '.join(error.cmd[1:5])} ... failed; its messages are above."
        ) from None
