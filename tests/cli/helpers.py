"""Functions shared by tests of the command line."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--nfe-step", "1"]


def last_json(out: str) -> dict:
    lines = out.strip().splitlines()
    assert len(lines) == 1, "one JSON document and nothing else"
    return json.loads(lines[0])
