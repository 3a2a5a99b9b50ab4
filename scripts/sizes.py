"""Print the installed size of the packages: of the plain install, of each extra on top of it, and of the largest ones.

    python scripts/sizes.py

Measures the environment that runs it, so install what should be measured. Sizes are of the files on disk, in MB.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import lock  # noqa: E402
from scripts.airgap import names_of  # noqa: E402


def size_of(name: str) -> int | None:
    """Return the bytes of an installed package; None if it is not installed."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return None
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def told(title: str, names: Iterable[str], sizes: dict[str, int | None]) -> str:
    """Return a row: what, how many packages, MB, and how many of them are not installed."""
    known = [sizes[name] for name in names]
    here = [size for size in known if size is not None]
    lacking = f", {len(known) - len(here)} more not installed" if len(here) < len(known) else ""
    return f"| {title} | {len(here)}{lacking} | {sum(here) / 1e6:.0f} |"


def main() -> None:
    """Print three tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = lock.LOCK.read_text(encoding="utf-8")
    packages = lock.for_cpu(lock.entries(text), lock.known_builds(text))
    sizes = {name: size_of(name) for name in packages}
    plain = set(lock.part(packages, ["requirements.txt"]))
    lines = ["| install | packages | MB |", "|---|---|---|", told("plain", plain, sizes)]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra in extras:
        more = set(lock.part(packages, ["requirements.txt"], names_of([extra]))) - plain
        lines.append(told(f"`{extra}`", more, sizes))
    lines += ["", "| package | MB |", "|---|---|"]
    ranked = sorted(plain, key=lambda name: sizes[name] or 0, reverse=True)
    lines += [f"| `{name}` | {(sizes[name] or 0) / 1e6:.0f} |" for name in ranked[:15]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
