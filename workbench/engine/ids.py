"""Names of jobs and of the runs they make."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_id() -> str:
    """An id that sorts by when it was made: date, time (UTC), microseconds in hexadecimal, and a random tail."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.token_hex(4)}"
