"""Install the workbench from this folder, without a network: ``python3 set_up.py f5``.

Compares the sha256 of every file, makes a virtual environment, installs the wheels, and brings the models in. Needs
Python only. A second run repairs the environment; models that are there unchanged are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

ABOUT, BUNDLE, SOURCE, SUMS, WHEELS = "about.json", "bundle.tar", "source.tar.gz", "SHA256SUMS", "wheels"


def sums(folder: Path) -> dict[str, str]:
    """Return name and sha256 of every file below ``folder``, except the list itself."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / SUMS):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        found[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return found


def check(folder: Path) -> dict[str, object]:
    """Return what is known of the folder. Raises SystemExit if a file has changed or this machine is another kind."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        listed = {line[66:]: line[:64] for line in lines}
        about: dict[str, object] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder} is not complete ({error}). Copy it again.") from None
    here = sums(folder)
    wrong = [name for name in sorted({*here, *listed}) if here.get(name) != listed.get(name)]
    if wrong:
        what = "is missing" if wrong[0] not in here else "has changed" if wrong[0] in listed else "does not belong here"
        raise SystemExit(f"{wrong[0]} {what} ({len(wrong)} of {len(listed)} files). Copy {folder} again.")
    own = {"python": [*platform.python_version_tuple()[:2]], "system": platform.system(), "machine": platform.machine()}
    for name, value in own.items():
        if about[name] != value:
            raise SystemExit(f"The folder was made for {name} {told(about[name])}, but here it is {told(value)}.")
    return about


def told(value: object) -> str:
    """Return a value of about.json for a message."""
    return ".".join(map(str, value)) if isinstance(value, list) else str(value)


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments and install."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path, help="folder of the virtual environment")
    parser.add_argument("--source", type=Path, help="unpack tests and lessons here")
    given = parser.parse_args()
    folder = Path(__file__).resolve().parent
    if given.source is not None and not (folder / SOURCE).is_file():
        raise SystemExit("The folder holds no tests and lessons. Collect it with --source.")
    check(folder)
    say("All files are as they were collected.")
    venv.create(given.environment, with_pip=True)
    programs = given.environment.resolve() / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, *sorted(str(path) for path in (folder / WHEELS).glob("*.whl"))], check=True)
    if (folder / BUNDLE).is_file():
        subprocess.run([str(python), "-m", "workbench", "cache", "import", str(folder / BUNDLE)], check=True)
    if given.source is not None:
        with tarfile.open(folder / SOURCE) as archive:
            archive.extractall(given.source, filter="data")
    say(f"Installed. Start the pages with {programs / 'workbench'} app, or check with {programs / 'workbench'} doctor.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
