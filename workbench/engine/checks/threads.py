"""How long the threads of a matrix product spin while they wait for each other."""

from __future__ import annotations

import os
import sys

SPINS = "5000"  # iterations of libgomp's waiting loop, a fraction of a millisecond; its default is 300,000


def wait_briefly() -> None:
    """Let waiting OpenMP threads sleep early. Call before torch is imported; later it has no effect.

    For the pages, whose threads and browser need the cores that a spinning thread occupies, and for commands, of which
    several may run at once. Measured on 2 cores, a sentence of 78 bytes at NFE 7: 2.7 s instead of 3.5 s beside one
    busy process, 1.15 s instead of 1.09 s on an idle machine; two ``synth`` at once beside a dozen busy processes: 2 to
    3 s instead of 25 to 52 s, and they load in 17 s instead of 50 s. Keeps a policy that the user has set.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
