"""The log: one line a record, ``event key=value``, or one JSON document a line.

Every module logs through ``logging.getLogger("workbench.…")`` with the pairs in the format string, such as
``log.info("chunk spoken index=%d took=%.3f", …)``. The JSON form takes the pairs from the format string and its
arguments, so numbers stay numbers and a value may hold spaces.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from typing import Any, TextIO

_PAIR = re.compile(r"\b([a-z_0-9]+)=(%(?:[-+ #0]*\d*(?:\.\d+)?)[srdfgex])")
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """A record as one JSON document: time (UTC), level, logger, event, and its pairs with their types."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        document: dict[str, Any] = {"time": stamp, "level": record.levelname, "logger": record.name}
        document |= fields(record)
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The event of ``record`` and its pairs. A message without pairs is all event."""
    template, arguments = str(record.msg), record.args
    pairs = list(_PAIR.finditer(template))
    placeholders = re.findall(r"%(?:[-+ #0]*\d*(?:\.\d+)?)[srdfgexi]", template.replace("%%", ""))
    if not pairs or not isinstance(arguments, tuple) or len(placeholders) != len(arguments):
        return {"event": record.getMessage()}
    found: dict[str, Any] = {}
    for pair in pairs:
        # its argument is the one that as many placeholders precede
        index = len(re.findall(r"%(?:[-+ #0]*\d*(?:\.\d+)?)[srdfgexi]", template[: pair.start(2)].replace("%%", "")))
        value = arguments[index]
        found[pair.group(1)] = value if isinstance(value, int | float | str | bool | dict | None) else str(value)
    message = record.getMessage()
    return {"event": re.split(r"\s+[a-z_0-9]+=", message, maxsplit=1)[0].rstrip(":"), **found}


def to_stderr(*, verbose: bool, as_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send the log to standard error.

    Args:
        verbose: the workbench's own records from INFO; otherwise warnings only.
        as_json: one JSON document a line. None: as ``WORKBENCH_LOG=json`` in the environment says.
        stream: somewhere else than standard error.
    """
    chosen = os.environ.get("WORKBENCH_LOG", "").lower() == "json" if as_json is None else as_json
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if chosen else logging.Formatter(LINE))
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "jieba", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("workbench").setLevel(logging.INFO if verbose else logging.WARNING)
