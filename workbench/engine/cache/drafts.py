"""Removing the drafts that killed imports, deletions and downloads left in the cache."""

from __future__ import annotations

import logging
from pathlib import Path

from workbench.engine.cache.paths import cache_root, manifests_root
from workbench.engine.catalog import imported_folder
from workbench.engine.files.leftovers import sweep
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
# the first pattern is today's; the others, and .tmp for manifests, are those of earlier versions
_DRAFTS = (".*.part*", ".unpack.*", ".*.????????")


def sweep_drafts() -> list[Path]:
    """Remove the drafts of dead processes; returns the paths removed. Never fails."""
    swept = [path for pattern in _DRAFTS for path in sweep(imported_folder(), pattern)]
    swept += sweep(cache_root()) + sweep(manifests_root()) + sweep(manifests_root(), ".*.tmp")
    for path in swept:
        log.info("swept", extra=pairs(draft=path.name))
    return swept
