"""One zip of several runs: a folder a run, with everything that the zip of one run holds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench.engine.runs import exports
from workbench.engine.runs.store import load_run


def zip_of(run_ids: Iterable[str]) -> bytes:
    """Return a zip with a folder for each run, named by its id.

    Raises:
        RunError: a run does not exist or is damaged.
    """
    with TemporaryDirectory() as place:
        path = Path(place, "runs.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            for run_id in run_ids:
                one = exports.get("zip").make(load_run(run_id, trajectories=False))
                with zipfile.ZipFile(io.BytesIO(one)) as inner:
                    for name in inner.namelist():
                        bundle.writestr(f"{run_id}/{name}", inner.read(name))
        return path.read_bytes()
