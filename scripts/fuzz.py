"""Throw odd and damaged input at the real entry points; every finding is one line that shows it again.

    python scripts/fuzz.py --seconds 60                      every kind, ten seconds each
    python scripts/fuzz.py models --seconds 1200 --seed 17   one kind for twenty minutes
    python scripts/fuzz.py runs audio --cases 300
    python scripts/fuzz.py models --seed 17 --case 431       exactly that case again

The last line of standard output is one JSON document. Exit code 1 if something was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# before torch is imported: a process with threads cannot be forked safely, and each case is a fork
os.environ |= {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
sys.dont_write_bytecode = True

from tests.fuzzing.command import KINDS, run  # noqa: E402


def main() -> None:
    """Read the flags and run the kinds that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; none: all of them")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds, equal cases")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, help="for all kinds together (default 60)")
    length.add_argument("--cases", type=int, help="of each kind")
    length.add_argument("--case", type=int, help="run this one only; name its kind")
    given = parser.parse_args()
    unknown = [kind for kind in given.kinds if kind not in KINDS]
    if unknown or (given.case is not None and len(given.kinds) != 1):
        parser.error(f"name one kind of {', '.join(KINDS)}" if not unknown else f"there is no kind {unknown[0]!r}")
    sys.exit(run(given.kinds or list(KINDS), given.seed, seconds=given.seconds, cases=given.cases, only=given.case))


if __name__ == "__main__":
    main()
