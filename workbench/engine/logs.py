"""The log: one record per line, as ``event key=value ...`` or as a JSON document.

Modules log through ``logging.getLogger("workbench.…")`` and pass values by name:
``log.info("chunk spoken", extra=pairs(index=3, took=0.81))``. JSON keeps their types; plain lines show 3 decimals.

By default no line holds a text of the user or a full path: a text is logged as its length, a path as its last part.
``WORKBENCH_LOG_TEXT=1`` in the environment logs both in full. Tracebacks are always complete.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from pathlib import PurePath
from typing import Any, TextIO

from workbench.engine.visible import visible, visible_json

_TEXT_KEYS = frozenset({"title", "text", "ref_text", "words", "note"})  # keys of text from the user
_ADDRESS_KEYS = frozenset({"path"})  # keys of the path of a web address
# an absolute file path within text, but not the path of a web address
_PATH = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\",;:()]+[/\\])+(?=[^\s/\\'\",;:()])")
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


def pairs(**values: Any) -> dict[str, Any]:
    """Return the ``extra`` argument of a log call with ``values``."""
    return {"pairs": values}


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON document: time (UTC), level, logger, event, and its values with their types."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        event, values = _redacted(record)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        document = {"time": stamp, "level": record.levelname, "logger": record.name, "event": event} | values
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return visible_json(json.dumps(document, ensure_ascii=False, default=str))


class PlainFormatter(logging.Formatter):
    """Format a record as one line of text, followed by its traceback if it has one."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of ``record`` without the traceback."""
        event, values = _redacted(record)
        record.message = " ".join([event, *(f"{key}={_plain(value)}" for key, value in values.items())])
        return visible(super().formatMessage(record))


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    odd = isinstance(value, str) and (not value or any(c.isspace() or c in "='\"" for c in value))
    return repr(value) if odd else str(value)


def _redacted(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return event and values of ``record``, without user texts and full paths unless ``WORKBENCH_LOG_TEXT=1``."""
    event, values = record.getMessage(), getattr(record, "pairs", {})
    if os.environ.get("WORKBENCH_LOG_TEXT") == "1":
        return event, values
    return _PATH.sub("…/", event), {key: _redacted_value(key, value) for key, value in values.items()}


def _redacted_value(key: str, value: Any) -> Any:
    if key in _TEXT_KEYS:
        return f"{len(str(value))} characters"
    if isinstance(value, os.PathLike):
        return PurePath(value).name
    if isinstance(value, str | BaseException) and key not in _ADDRESS_KEYS:
        return _PATH.sub("…/", str(value))
    return value


def formatter(as_json: bool | None = None) -> logging.Formatter:
    """Return the formatter for JSON or plain lines; None: JSON if the environment has ``WORKBENCH_LOG=json``."""
    chosen = os.environ.get("WORKBENCH_LOG", "").lower() == "json" if as_json is None else as_json
    return JsonFormatter() if chosen else PlainFormatter()


def to_stderr(*, verbose: bool, as_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send the log to standard error.

    Args:
        verbose: show the workbench's own records from level INFO; otherwise its warnings only.
        as_json: one JSON document per line. None: if the environment has ``WORKBENCH_LOG=json``.
        stream: used instead of standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter(as_json))
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "jieba", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("workbench").setLevel(logging.INFO if verbose else logging.WARNING)
