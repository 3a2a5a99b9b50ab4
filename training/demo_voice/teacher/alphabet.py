"""The signs in which the teacher reads: one token for each."""

from __future__ import annotations

import json
from pathlib import Path

SIGNS = Path(__file__).with_name("alphabet.json")
"""Token of each phoneme sign, as in the teacher's own configuration."""


def alphabet() -> dict[str, int]:
    """Token of each sign of the teacher's alphabet."""
    return json.loads(SIGNS.read_text(encoding="utf-8"))
