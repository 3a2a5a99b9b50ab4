"""An unfinished run as a run of the chunks that are finished: it can be heard, drawn and exported like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.engine.errors import RunError
from workbench.engine.runs.document import RunDocument, checked, damaged
from workbench.engine.runs.parts.journal import Noted, read_journal
from workbench.engine.runs.parts.stored import FOLDER, part_name
from workbench.engine.runs.parts.unfinished import read
from workbench.engine.runs.paths import PARTIAL
from workbench.engine.runs.upgrades import FORMAT_VERSION


def is_partial(folder: Path) -> bool:
    """Whether ``folder`` is that of an unfinished run."""
    return folder.name.endswith(PARTIAL)


def partial_document(folder: Path) -> RunDocument:
    """Return the document of the unfinished run in ``folder``: its chunks up to the first that is not finished.

    Raises:
        RunError: none of them is finished, or its files are damaged.
    """
    run_id, known = folder.name.removesuffix(PARTIAL), read(folder)
    noted = {found["plan"]["index"]: found for found in read_journal(folder)}
    made: list[Noted] = []
    while (found := noted.get(len(made))) is not None and (folder / FOLDER / part_name(len(made))).is_file():
        made.append(found)
    if not made:
        raise RunError(
            f"Of the unfinished run {run_id} no chunk is finished.", remedy=f"Go on: `workbench runs resume {run_id}`."
        )
    rows, request, loaded = [found["row"] for found in made], known["request"], known["known"]
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION, "created_at": known["created_at"], "request": request.as_dict(),
        "device": loaded["device"], "dtype": loaded["dtype"], "weights": loaded["weights"],
        "environment": known["environment"], "mel_config": known["mel_config"], "loads": {}, "load_seconds": 0.0,
        "time_to_first_audio_seconds": rows[0]["total_seconds"],
        "total_seconds": sum(row["total_seconds"] for row in rows),
        "audio_seconds": 0.0,  # follows from the chunks
        "plans": [found["plan"] for found in made], "chunks": rows, "spans": [],
        "utilisation": [], "envelope": [], "has_trajectory": request.settings.keep_trajectory, "apart": True,
        "n_planned": known["n_chunks"],
    }  # fmt: skip
    try:
        return checked(document, run_id)
    except ValueError as error:
        raise damaged(run_id, str(error)) from error
