"""The chunks of a run as a table where one works: play, make again, hear takes side by side, choose, undo."""

from workbench.ui.takes.rows import table
from workbench.ui.takes.state import current

__all__ = ["current", "table"]
