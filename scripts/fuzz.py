"""Pass unusual and damaged input to the real entry points. Each finding is one line with the command that repeats it.

    python scripts/fuzz.py --seconds 60                      every kind, ten seconds each
    python scripts/fuzz.py models --seconds 1200 --seed 17   one kind for twenty minutes
    python scripts/fuzz.py runs audio --cases 300
    python scripts/fuzz.py models --seed 17 --case 431       only this case, again

The last line of standard output is one JSON document. The exit code is 1 if there was a finding.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Set this before torch is imported: each case is a fork, and a process with threads cannot be forked safely.
os.environ |= {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
sys.dont_write_bytecode = True

from tests.fuzzing.command import KINDS, run  # noqa: E402


def main() -> None:
    """Read the flags and run the chosen kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; default: all")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal cases")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, help="time for all kinds together (default 60)")
    length.add_argument("--cases", type=int, help="number of cases of each kind")
    length.add_argument("--case", type=int, help="run only this case; name its kind")
    given = parser.parse_args()
    unknown = [kind for kind in given.kinds if kind not in KINDS]
    if unknown or (given.case is not None and len(given.kinds) != 1):
        parser.error(f"name one kind of {', '.join(KINDS)}" if not unknown else f"there is no kind {unknown[0]!r}")
    sys.exit(run(given.kinds or list(KINDS), given.seed, seconds=given.seconds, cases=given.cases, only=given.case))


if __name__ == "__main__":
    main()
