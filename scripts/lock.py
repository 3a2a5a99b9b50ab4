"""Renew requirements.lock, or print a part of it.

The lock pins every package of all requirements files and extras, for every system and Python that is supported, with
the sha256 of each of its files. uv resolves them (``make lock``). The other actions need Python only:

    python scripts/lock.py --versions > constraints.txt       versions without hashes, for any build of torch
    python scripts/lock.py --only requirements.txt --cpu      what requirements.txt brings, without CUDA, with hashes

The builds of torch have the same version but other files on each index: ``--builds`` adds the hashes of those that
another index, or a folder, has (``torch-2.13.0+cpu-...whl``). The lock keeps them as long as the version stays.
"""

from __future__ import annotations

import argparse
import hashlib
import html.parser
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
OLDEST = "3.11.5"  # mkdocs-material needs it; the workbench itself runs on every 3.11
SOURCES = (
    *("requirements.txt", "requirements-dev.txt", "requirements-docs.txt", "requirements-cluster.txt"),
    *("training/demo_voice/requirements.txt", "pyproject.toml"),
)
LIMITS = ("typing<=3.7.4.3",)  # for resemblyzer; pip refuses newer ones on Python 3.5 and later, uv does not
WITH_BUILDS = ("torch", "torchaudio")
WITH_CUDA = ("nvidia-", "cuda-", "triton")
WITHOUT_CUDA = "nvidia-ml-py"  # reads a GPU's counters; a direct pin

HEADER = """\
# Every package of the workbench with the sha256 of its files, for Linux, macOS and Windows and Python 3.11 to 3.13,
# written by `make lock`. Change direct pins in requirements*.txt and pyproject.toml, not here.
# Install all of it: pip install --require-hashes -r requirements.lock
# A part of it: python scripts/lock.py --help
"""
BUILD = re.compile(r"^# build (?P<name>\S+) (?P<file>\S+) sha256:(?P<digest>[0-9a-f]{64})$", flags=re.M)
ENTRY = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<marker>[^\\\n]*)", flags=re.M)


def needs_cuda(name: str) -> bool:
    """Whether the package with this canonical name comes only with the CUDA build of torch."""
    return name.startswith(WITH_CUDA) and name != WITHOUT_CUDA


def entries(lock: str) -> dict[str, str]:
    """Return each package of a lock with its lines: the pin with its marker, the hashes, and what asks for it."""
    starts = [*ENTRY.finditer(lock)]
    ends = [*(found.start() for found in starts[1:]), len(lock)]
    return {found["name"]: lock[found.start() : end] for found, end in zip(starts, ends, strict=True)}


def version_of(entry: str) -> str:
    """Return the version that an entry pins."""
    found = ENTRY.match(entry)
    assert found is not None
    return found["version"]


def asked_by(entry: str) -> set[str]:
    """Return what asks for the package of an entry: ``-r FILE`` and names of packages."""
    lines = [line.strip().removeprefix("# via").lstrip("# ") for line in entry.splitlines() if line.startswith("    #")]
    return {line for line in lines if line}


def known_builds(lock: str) -> list[tuple[str, str, str]]:
    """Return (package, file, sha256) of the builds from other indexes that a lock names in its head."""
    return [(found["name"], found["file"], found["digest"]) for found in BUILD.finditer(lock)]


def for_cpu(packages: dict[str, str], known: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Return the packages without those of CUDA; torch only as the CPU builds among ``known``, if there are any."""
    kept = {name: entry for name, entry in packages.items() if not needs_cuda(name)}
    for name in WITH_BUILDS:
        own = [digest for package, file, digest in known if package == name and "+cpu" in file]
        if own and name in kept:
            pin, *rest = kept[name].splitlines(keepends=True)
            hashes = [f"    --hash=sha256:{digest} \\\n" for digest in own]
            hashes[-1] = hashes[-1].replace(" \\", "")
            kept[name] = "".join([pin, *hashes, *(line for line in rest if "--hash=" not in line)])
    return kept


def canonical(requirement: str) -> str:
    """Return the name of a requirement as the lock writes it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def part(packages: dict[str, str], sources: Sequence[str] = (), names: Iterable[str] = ()) -> dict[str, str]:
    """Return the packages that the files ``sources`` and the packages ``names`` bring; all without ``sources``."""
    if not sources:
        return packages
    members = {f"-r {source}" for source in sources} | set(names)
    while new := {name for name, entry in packages.items() if name not in members and asked_by(entry) & members}:
        members |= new
    return {name: entry for name, entry in packages.items() if name in members}


def versions(packages: dict[str, str]) -> str:
    """Return the packages as constraints: versions and markers, without hashes."""
    found = [ENTRY.match(entry) for entry in packages.values()]
    return "".join(f"{each['name']}=={each['version']}{each['marker'].rstrip()}\n" for each in found if each)


# Renewal -------------------------------------------------------------------------------------------------------------


def renewed(upgrade: Iterable[str], places: Sequence[str]) -> str:
    """Return a new lock. Packages keep their version where the pins allow it, except those in ``upgrade``."""
    old = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    with tempfile.TemporaryDirectory() as folder:
        draft, limits = Path(folder, LOCK.name), Path(folder, "limits.txt")
        limits.write_text("\n".join(LIMITS), encoding="utf-8")
        draft.write_text(old, encoding="utf-8")  # uv keeps the versions of the file that it replaces
        more = [f"--upgrade-package={name}" for name in upgrade]
        command = [sys.executable, "-m", "uv", "--no-config", "pip", "compile", "--quiet", "--universal",
                   "--python-version", OLDEST, "--generate-hashes", "--no-header", "--no-emit-index-url",
                   "--all-extras", *more, "--constraint", str(limits), "--output-file", str(draft),
                   *SOURCES]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)
        text = re.sub(r"^ +#.* -c \S+/limits.txt\n", "", draft.read_text(encoding="utf-8"), flags=re.M)
        packages = entries(text)
    known = known_builds(old)
    known += [build for place in places for name in WITH_BUILDS for build in builds(place, name)]
    return written(packages, known)


def written(packages: dict[str, str], known: Iterable[tuple[str, str, str]]) -> str:
    """Return the text of a lock with the hashes of the builds ``known``: (package, file, sha256)."""
    told, lines = dict(packages), []
    for name, file, digest in sorted(set(known)):
        if name in told and file.startswith(f"{name}-{version_of(told[name])}+"):
            lines.append(f"# build {name} {file} sha256:{digest}\n")
            if digest not in told[name]:
                told[name] = told[name].replace("    --hash=", f"    --hash=sha256:{digest} \\\n    --hash=", 1)
    return HEADER + "".join(lines) + "\n" + "".join(told.values())


class _Links(html.parser.HTMLParser):
    """Collects the addresses of a page of a package index."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def builds(place: str, name: str) -> list[tuple[str, str, str]]:
    """Return (package, file, sha256) of the wheels of ``name`` with a build (``+cpu``) in a folder or on an index.

    An index that cannot be reached is named on standard error, and has none.
    """
    if "://" not in place:
        wheels = sorted(Path(place).glob(f"{name}-*+*.whl"))
        return [(name, wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()) for wheel in wheels]
    links = _Links()
    try:
        with urllib.request.urlopen(f"{place.rstrip('/')}/{name}/", timeout=30) as page:
            links.feed(page.read().decode("utf-8"))
    except OSError as error:
        sys.stderr.write(f"{place} has not answered ({error}): the known builds of {name} are kept\n")
    split = [urllib.parse.urldefrag(link) for link in links.found]
    named = [(urllib.parse.unquote(url.rpartition("/")[2]), mark) for url, mark in split]
    return [(name, file, mark.removeprefix("sha256=")) for file, mark in named
            if re.fullmatch(r"sha256=[0-9a-f]{64}", mark) and "+" in file and file.endswith(".whl")]  # fmt: skip


def main() -> None:
    """Read the arguments; renew the lock or print a part of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write requirements.lock; needs uv and an index")
    parser.add_argument("--upgrade", nargs="*", default=[], metavar="NAME", help="with --renew: take its newest")
    parser.add_argument("--builds", nargs="*", default=[], metavar="PLACE", help="with --renew: folders and indexes")
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", choices=SOURCES, help="what these files bring")
    parser.add_argument("--cpu", action="store_true", help="without the packages of torch's CUDA build")
    parser.add_argument("--versions", action="store_true", help="without hashes")
    given = parser.parse_args()
    if given.renew:
        LOCK.write_text(renewed(given.upgrade, given.builds), encoding="utf-8")
        return
    lock = LOCK.read_text(encoding="utf-8")
    chosen = part(entries(lock), given.only)
    chosen = for_cpu(chosen, known_builds(lock)) if given.cpu else chosen
    sys.stdout.write(versions(chosen) if given.versions else "".join(chosen.values()))


if __name__ == "__main__":
    main()
