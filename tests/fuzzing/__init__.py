"""The fuzzer: odd and damaged input of seven kinds for the real entry points, each case in a process of its own.

``scripts/fuzz.py`` is its command line. ``driver`` draws, runs and reports the cases, ``worker`` is the process of one
case, ``drawing`` and ``damage`` make odd values and spoil good files; the other modules hold one kind each.
"""
