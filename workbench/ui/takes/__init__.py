"""The chunks of a run as a table where one works: play, make again, hear takes side by side, choose, undo."""

from workbench.ui.takes.state import current
from workbench.ui.takes.table import table

__all__ = ["current", "table"]
