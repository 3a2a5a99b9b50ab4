"""Note and star that users add to a run, in notes.json beside run.json, which never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.engine.errors import OutputError, RunError
from workbench.engine.files.reading import read_object
from workbench.engine.files.writing import write_json

MAX_CHARACTERS = 2_000
_MAX_BYTES = 64 * 1024  # of notes.json
_PATIENCE_SECONDS = 30.0
_KINDS = {"note": str, "star": bool}


def read_notes(folder: Path) -> dict[str, Any]:
    """Read ``{"note": str, "star": bool}`` of the run in ``folder``; missing or damaged values are left out."""
    found = read_object(folder / "notes.json", _MAX_BYTES) or {}
    good = {name: found[name] for name, kind in _KINDS.items() if isinstance(found.get(name), kind)}
    return good | {"note": good["note"][:MAX_CHARACTERS]} if "note" in good else good


def write_notes(folder: Path, changes: dict[str, Any]) -> None:
    """Write ``changes`` into the notes of the run in ``folder``; other values stay, also if another process writes.

    A damaged notes.json is kept as notes.damaged.json.

    Raises:
        RunError: the run was deleted meanwhile.
        OutputError: the notes cannot be written.
    """
    from filelock import FileLock, Timeout

    path = folder / "notes.json"
    try:
        # one lock for all runs, outside their folders, because these may be deleted meanwhile
        with FileLock(folder.parent / ".notes.lock", timeout=_PATIENCE_SECONDS, poll_interval=0.005):
            if not folder.is_dir():
                raise RunError(f"There is no run {folder.name}.", remedy="It may have been deleted.")
            if read_object(path, _MAX_BYTES) is None:
                path.replace(path.with_name("notes.damaged.json"))
            write_json(path, read_notes(folder) | changes)
    except Timeout as error:
        raise OutputError("The note cannot be written: another process is writing.", remedy="Try again.") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"The note cannot be written: {reason}.", remedy="Correct this and try again.") from error
