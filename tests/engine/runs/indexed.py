"""Functions shared by tests of the index."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from workbench.engine.runs import index, paths, store

ROOT = Path(__file__).resolve().parents[3]


def agrees() -> None:
    """Fail unless lists, SQL and folders say the same."""
    good, broken = store.scan()
    names = sorted((e.name for e in os.scandir(store.runs_root()) if paths.ID.fullmatch(e.name)), reverse=True)
    assert sorted([run.id for run in good] + [name for name, _ in broken], reverse=True) == names
    assert [run.id for run in good] == sorted((run.id for run in good), reverse=True)
    assert good == [store.summarise(run.id) for run in good]
    _, rows = index.ask("SELECT id, problem, note, (SELECT count(*) FROM chunks WHERE run_id = id) FROM runs")
    assert sorted(rows) == sorted(
        [(run.id, "", run.note, run.n_chunks) for run in good] + [(i, why, None, 0) for i, why in broken]
    )


def whole(path: Path) -> bool:
    """Whether the file is a database without damage."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def child(code: str, *words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own, with the modules of runs at hand."""
    head = "import os, signal, sys\nfrom pathlib import Path\nfrom workbench.engine.runs import index, store, tables\n"
    where = {"WORKBENCH_HOME": str(home or os.environ["WORKBENCH_HOME"]), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", head + code, *words], env=os.environ | where, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
