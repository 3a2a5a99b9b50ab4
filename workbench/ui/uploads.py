"""Recordings that visitors uploaded, kept on the server: they survive other pages and a reload of the browser."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import wraps
from typing import Any

LIMIT_BYTES = 100 * 2**20  # of all uploads together
LIMIT_COUNT = 100


@dataclass
class Upload:
    """A recording as it was uploaded.

    Attributes:
        source: the kind of widget it came from.
        name: of the voice, shown to users.
        file: name of the file with its ending, for messages.
        content: bytes of the file.
        digest: sha256 of ``content``.
        words: what the visitor typed as its words.
    """

    source: str
    name: str
    content: bytes
    digest: str
    words: str = ""
    file: str = ""


class Uploads:
    """Uploads by a token that nobody can guess; the oldest go first where they need too much memory. Thread-safe."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES, limit_count: int = LIMIT_COUNT) -> None:
        self._limits = limit_bytes, limit_count
        self._kept: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, upload: Upload) -> str:
        """Keep ``upload``; return its token."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[token] = upload
            while len(self._kept) > 1 and (
                sum(len(kept.content) for kept in self._kept.values()) > self._limits[0]
                or len(self._kept) > self._limits[1]
            ):
                self._kept.popitem(last=False)
        return token

    def get(self, token: str | None) -> Upload | None:
        """Return the upload of ``token``, if it is still kept."""
        with self._lock:
            if token is None or token not in self._kept:
                return None
            self._kept.move_to_end(token)
            return self._kept[token]

    def forget(self, token: str | None) -> None:
        """Drop the upload of ``token``."""
        with self._lock:
            self._kept.pop(token or "", None)


def keep_addresses() -> None:
    """Let no script run throw away the address that a browser has asked for, to send a file to. Call it once.

    Streamlit drops what is not sent yet when a run of the whole page begins. A file chosen in that moment would be
    ignored without a word, as its address never comes.
    """
    from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

    clear = ForwardMsgQueue.clear

    @wraps(clear)
    def clear_all_but_addresses(self: Any, retain_lifecycle_msgs: bool = False, *rest: Any, **more: Any) -> None:
        waiting = [message for message in self._queue if message.WhichOneof("type") == "file_urls_response"]
        clear(self, retain_lifecycle_msgs, *rest, **more)
        if retain_lifecycle_msgs:  # else all of it was sent, or nobody listens any more
            self._queue += [message for message in waiting if not any(message is other for other in self._queue)]

    if not hasattr(clear, "__wrapped__"):
        ForwardMsgQueue.clear = clear_all_but_addresses  # type: ignore[method-assign]
