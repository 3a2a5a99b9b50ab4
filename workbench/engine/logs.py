"""The log: one line a record, ``event key=value``, or one JSON document a line.

Every module logs through ``logging.getLogger("workbench.…")`` with the pairs in the format string, such as
``log.info("chunk spoken index=%d took=%.3f", …)``. The JSON form takes the pairs from the format string and its
arguments, so numbers stay numbers and a value may hold spaces.

By default no line holds a text of the user or a full path: texts are told by their length, paths by their last part.
``WORKBENCH_LOG_TEXT=1`` in the environment shows both. Tracebacks are as they are.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import sys
import time
from pathlib import PurePath
from typing import Any, TextIO

from workbench.engine.visible import visible, visible_json

_PAIR = re.compile(r"\b([a-z_0-9]+)=(%(?:[-+ #0]*\d*(?:\.\d+)?)[srdfgex])")
_PLACEHOLDER = re.compile(r"%(?:[-+ #0]*\d*(?:\.\d+)?)[srdfgexi]")
_TEXT_KEYS = frozenset({"title", "text", "ref_text", "words", "note"})  # pairs whose value the user wrote
_ADDRESS_KEYS = frozenset({"path"})  # pairs whose value, a text, is the path of an address on a Hub
# an absolute path within words, but not the path of an address
_PATH = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\",;:()]+[/\\])+(?=[^\s/\\'\",;:()])")
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """A record as one JSON document: time (UTC), level, logger, event, and its pairs with their types."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        document: dict[str, Any] = {"time": stamp, "level": record.levelname, "logger": record.name}
        document |= fields(discreet(record))
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return visible_json(json.dumps(document, ensure_ascii=False, default=str))


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The event of ``record`` and its pairs. A message without pairs is all event."""
    template, arguments = str(record.msg), record.args
    pairs = list(_PAIR.finditer(template))
    placeholders = _PLACEHOLDER.findall(template.replace("%%", ""))
    if not pairs or not isinstance(arguments, tuple) or len(placeholders) != len(arguments):
        return {"event": record.getMessage()}
    found: dict[str, Any] = {}
    for pair in pairs:
        value = arguments[_index(template, pair)]
        found[pair.group(1)] = value if isinstance(value, int | float | str | bool | dict | None) else str(value)
    message = record.getMessage()
    return {"event": re.split(r"\s+[a-z_0-9]+=", message, maxsplit=1)[0].rstrip(":"), **found}


def _index(template: str, pair: re.Match[str]) -> int:
    """Which argument belongs to ``pair``: the one that as many placeholders precede."""
    return len(_PLACEHOLDER.findall(template[: pair.start(2)].replace("%%", "")))


class PlainFormatter(logging.Formatter):
    """A record as one line of text."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without the traceback that may follow it."""
        return visible(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback if there is one."""
        return super().format(discreet(record))


def discreet(record: logging.LogRecord) -> logging.LogRecord:
    """``record`` without texts of the user and full paths, unless ``WORKBENCH_LOG_TEXT=1``."""
    if os.environ.get("WORKBENCH_LOG_TEXT") == "1":
        return record
    quiet = copy.copy(record)
    if not record.args:
        quiet.msg = _PATH.sub("…/", str(record.msg))
    elif isinstance(record.args, tuple):
        template = str(record.msg)
        keys = {_index(template, pair): pair.group(1) for pair in _PAIR.finditer(template)}
        quiet.args = tuple(_discreet_value(keys.get(i, ""), value) for i, value in enumerate(record.args))
    return quiet


def _discreet_value(key: str, value: Any) -> Any:
    if key in _TEXT_KEYS:
        return _Length(value)
    if isinstance(value, os.PathLike):
        return PurePath(value).name
    if isinstance(value, str | BaseException) and key not in _ADDRESS_KEYS:
        return _PATH.sub("…/", str(value))
    return value


class _Length:
    """Stands for a text in a line of the log."""

    def __init__(self, text: Any) -> None:
        self._words = f"{len(str(text))} characters"

    def __repr__(self) -> str:
        return self._words


def formatter(as_json: bool | None = None) -> logging.Formatter:
    """JSON or plain lines; None: as ``WORKBENCH_LOG=json`` in the environment says."""
    chosen = os.environ.get("WORKBENCH_LOG", "").lower() == "json" if as_json is None else as_json
    return JsonFormatter() if chosen else PlainFormatter()


def to_stderr(*, verbose: bool, as_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send the log to standard error.

    Args:
        verbose: the workbench's own records from INFO; otherwise warnings only.
        as_json: one JSON document a line. None: as ``WORKBENCH_LOG=json`` in the environment says.
        stream: somewhere else than standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter(as_json))
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "jieba", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("workbench").setLevel(logging.INFO if verbose else logging.WARNING)
