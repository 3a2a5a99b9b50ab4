"""Which drafts the cache makes, and their removal when whoever wrote them was killed."""

from __future__ import annotations

import logging
from pathlib import Path

from workbench.engine.cache.paths import cache_root, locks_root
from workbench.engine.catalog import imported_folder
from workbench.engine.files.leftovers import sweep
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
# the first is today's; earlier versions named their imports, and the drafts of lock files (.tmp), otherwise
_DRAFTS = (".*.part*", ".unpack.*", ".*.????????")


def sweep_drafts() -> list[Path]:
    """Remove what killed imports, deletions and writers of lock files left; returns it. Never fails."""
    swept = [path for pattern in _DRAFTS for path in sweep(imported_folder(), pattern)]
    swept += sweep(cache_root()) + sweep(locks_root()) + sweep(locks_root(), ".*.tmp")
    for path in swept:
        log.info("swept", extra=pairs(draft=path.name))
    return swept
