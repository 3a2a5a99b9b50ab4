"""Print every package of this environment with its version, as a file of constraints: what `make lock` writes.

Left out are pip, this project, and what comes with the CUDA build of torch, which pins it itself: the same file serves
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
# Every package that requirements.txt and requirements-dev.txt bring along, written by `make lock`.
# Direct pins are changed there, not here.
"""


def is_locked(name: str) -> bool:
    """Whether a package, by its canonical name, belongs in the lock."""
    return name == WITHOUT_CUDA or not (name in LEFT_OUT or name.startswith(WITH_CUDA))


def locked() -> dict[str, str]:
    """Version of each package of this environment that belongs in the lock, without its build (``+cpu``)."""
    found = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    return {name: Version(found[name]).public for name in sorted(found) if is_locked(name)}


if __name__ == "__main__":
    sys.stdout.write(HEADER + "".join(f"{name}=={version}\n" for name, version in locked().items()))
