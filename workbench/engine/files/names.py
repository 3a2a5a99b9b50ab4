"""Names that users give to folders."""

from __future__ import annotations

import re

NAME = re.compile(r"[^\W_][\w .+-]{0,79}")
NAME_RULE = "Use up to 80 letters, digits, spaces and . + - _, the first a letter or a digit."


def is_name(name: object) -> bool:
    """Whether ``name`` can name a folder on every system: by ``NAME``, and without a space or dot at its end."""
    return isinstance(name, str) and bool(NAME.fullmatch(name)) and not name.endswith((" ", "."))
