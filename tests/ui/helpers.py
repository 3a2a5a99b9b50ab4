"""Functions shared by tests of pages."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest


def until(at: AppTest, is_so: Callable[[AppTest], bool], seconds: float = 60) -> AppTest:
    """Rerun the page, as its timer would, until ``is_so``. AppTest never fires ``run_every``."""
    deadline = time.monotonic() + seconds
    while not is_so(at):
        assert time.monotonic() < deadline, [str(h.body) for h in at.get("html")]
        time.sleep(0.05)
        at.run()
        assert not at.exception
    return at


def html_of(at: AppTest) -> str:
    """All HTML blocks of the page, one after the other."""
    return "\n".join(str(block.proto.body) for block in at.get("html"))


def buttons_of(at: AppTest) -> list[dict[str, Any]]:
    """The sounds of all buttons of the page that play, in their order, each with the "slot" that its button fills."""
    found = re.findall(r'data-dock-slot="(.)" data-dock="([^"]*)"', html_of(at))
    return [json.loads(html.unescape(sound)) | {"slot": slot} for slot, sound in found]


def told_to_dock(at: AppTest, kind: str) -> list[dict[str, Any]]:
    """What the script run told the player: messages that hold ``kind``, "show" or "play"."""
    messages = [json.loads(one.proto.json) for one in at.get("bidi_component")]
    return [message for message in messages if message.get(kind)]
