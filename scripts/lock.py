"""Print every package of this environment with its version, as a constraints file for `make lock`.

Leaves out pip, this project, and the packages of the CUDA build of torch, which torch pins itself. So one file works on
machines with and without a GPU.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions

from packaging.utils import canonicalize_name
from packaging.version import Version

LEFT_OUT = ("pip", "f5tts-workbench", "triton")
WITH_CUDA = ("nvidia-", "cuda-")
WITHOUT_CUDA = "nvidia-ml-py"  # reads a GPU's counters; a direct pin

HEADER = """\
# All packages that requirements.txt, requirements-dev.txt and requirements-docs.txt install, written by `make lock`.
# Change direct pins there, not here.
"""


def is_locked(name: str) -> bool:
    """Whether the package with this canonical name belongs in requirements.lock."""
    return name == WITHOUT_CUDA or not (name in LEFT_OUT or name.startswith(WITH_CUDA))


def locked() -> dict[str, str]:
    """Return the version, without its build (``+cpu``), of each package that belongs in requirements.lock."""
    found = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    return {name: Version(found[name]).public for name in sorted(found) if is_locked(name)}


if __name__ == "__main__":
    sys.stdout.write(HEADER + "".join(f"{name}=={version}\n" for name, version in locked().items()))
