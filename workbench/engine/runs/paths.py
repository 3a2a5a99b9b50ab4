"""Folders of runs, and what is known of a folder without reading its files."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from workbench.engine.errors import MissingRunError, RunError
from workbench.engine.files.places import home
from workbench.engine.runs.document import ID

log = logging.getLogger("workbench.runs")

_LOCAL = {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "ntfs", "overlay", "tmpfs", "xfs", "zfs"}
PARTIAL = ".partial"  # suffix of the folder of a run that was begun and not finished
LEFTOVERS = (".part", ".deleted")  # suffixes of the hidden names of drafts and half-deleted runs
# Two changes within one tick of the file system's clock look the same, so files younger than a tick have no stamp yet.
_TICK_NS, _COARSE_TICK_NS = 100_000_000, 2_100_000_000


def runs_root() -> Path:
    """Return the folder of all runs, ``runs/`` in ``places.home()``. It may not exist yet."""
    return home() / "runs"


def run_folder(run_id: str) -> Path:
    """Return the folder of an existing run, or of one that was begun and not finished.

    Raises:
        RunError: ``run_id`` is not an id; ``MissingRunError``: there is no such run.
    """
    folder = runs_root() / checked_id(run_id)
    if not os.path.lexists(folder):
        if (begun := folder.with_name(f"{run_id}{PARTIAL}")).is_dir():
            return begun
        raise MissingRunError(f"There is no run {run_id}.", remedy="It may have been deleted; see the list of runs.")
    return folder


def checked_id(run_id: str) -> str:
    """Return ``run_id`` if it has the form of an id, without path separators and dots. Raises RunError otherwise."""
    if not isinstance(run_id, str) or not ID.fullmatch(run_id):
        raise RunError(
            f"{str(run_id)[:60]!r} is not the id of a run.", remedy="An id looks like 20261123-071500-a1b2c3."
        )
    return run_id


def version_of(folder: Path) -> tuple[int, ...]:
    """Return times and sizes of the run's files, as a key for cached values: it changes when a file changes."""
    found = []
    for name in ("run.json", "chunks.npz", "trajectories.npz", "takes.json", "chunks.jsonl"):
        try:
            stat = (folder / name).stat()
        except OSError:
            found += [0, 0]
        else:
            found += [stat.st_mtime_ns, stat.st_size]
    return tuple(found)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in ``folder``, without following links; what cannot be read counts as 0."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
                elif entry.is_dir(follow_symlinks=False):
                    total += folder_bytes(Path(entry.path))
    except OSError:
        log.debug("size unknown: %s", folder.name)
    return total


def look(root: Path) -> tuple[dict[str, str], bool]:
    """List the runs in ``root`` without reading any file.

    Returns:
        Id to stamp of every folder and link with the name of a run, the newest first; and whether there are drafts or
        half-deleted runs. Equal stamps mean equal files. The stamp "" equals none: files may still change within a
        clock tick. Both are empty if ``root`` does not exist.

    Raises:
        RunError: ``root`` cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            seen = list(entries)
    except FileNotFoundError:
        return {}, False
    except OSError as error:
        raise RunError(
            f"The folder of runs {root} cannot be read: {error.strerror}.",
            remedy="Check its owner and permissions, or set WORKBENCH_HOME to another folder.",
        ) from error
    found = [entry for entry in seen if ID.fullmatch(entry.name) and (entry.is_symlink() or entry.is_dir())]
    found.sort(key=lambda entry: entry.name, reverse=True)
    now = time.time_ns()
    stamps = {entry.name: _stamp(entry.path, entry.is_symlink(), now) for entry in found}
    return stamps, any(entry.name[0] == "." and entry.name.endswith(LEFTOVERS) for entry in seen)


def _stamp(folder: str, is_link: bool, now: int) -> str:
    """Return, as text, times and sizes of the folder, run.json and notes.json.

    Some file systems number inodes anew at every mount, so the inode's change time is used instead of its number.
    Unlike the modification time, users cannot set it.
    """
    parts = ["link" if is_link else "folder"]
    for path in (folder, f"{folder}/run.json", f"{folder}/notes.json"):
        try:
            found = os.stat(path)
        except OSError:
            parts.append("-")
            continue
        for at in (found.st_mtime_ns, found.st_ctime_ns):
            if abs(now - at) < (_TICK_NS if at % 1_000_000 else _COARSE_TICK_NS):
                return ""
        size = 0 if path is folder else found.st_size
        parts.append(f"{found.st_mtime_ns}.{found.st_ctime_ns}.{size}")
    return " ".join(parts)


def is_on_this_machine(folder: Path) -> bool:
    """Whether ``folder`` is on a local file system, which no other machine writes to; False if unknown."""
    import psutil

    place = os.path.realpath(folder)
    try:
        mounts = psutil.disk_partitions(all=True)
    except (OSError, RuntimeError):
        return False
    above = [m for m in mounts if place == m.mountpoint or place.startswith(m.mountpoint.rstrip("/\\") + os.sep)]
    return max(above, key=lambda m: len(m.mountpoint)).fstype.lower() in _LOCAL if above else False
