"""Ids of jobs and runs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_id() -> str:
    """Return a new id that sorts by time: date, time (UTC), microseconds in hexadecimal, random digits."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.token_hex(4)}"
