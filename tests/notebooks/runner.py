"""Run a notebook in a real kernel without network, then run more code in it."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

if TYPE_CHECKING:  # importing nbformat takes a second, in every worker that collects the tests
    from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL_TIMEOUT_SECONDS = 300
LOOK_AGAIN_SECONDS = 1.0

# the socket guard of conftest.py does not reach into the kernel's process; this one does
GUARD = """
import sys

def _stay_here(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in (None, "", "localhost", "::1") and not str(host).startswith("127."):
        raise RuntimeError(f"a notebook tried to reach {host!r}")

sys.addaudithook(_stay_here)
"""


@dataclass
class Outcome:
    """What a cell that was run in a notebook's kernel after the notebook printed, showed or raised."""

    error: str
    text: str


def names() -> list[str]:
    """Stems of all notebooks."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def read(name: str) -> NotebookNode:
    """The notebook whose file name begins with ``name``."""
    import nbformat

    return nbformat.read(next(NOTEBOOKS.glob(f"{name}*.ipynb")), as_version=4)


def tagged(book: NotebookNode, tag: str) -> str:
    """Source of the one cell with ``tag``."""
    found = [c.source for c in book.cells if tag in c.metadata.get("tags", ())]
    assert len(found) == 1, f"{len(found)} cells are tagged {tag}"
    return found[0]


def solutions(name: str) -> dict[str, str]:
    """Tag of an exercise to the code that solves it, from ``solutions/``."""
    text = (NOTEBOOKS / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    parts = text.split("\n# %% ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}


def taught(name: str) -> dict[str, list[str]]:
    """Of ``teaching/``: "hidden-1" to the hidden checks of exercise 1, "wrong-1" to its wrong answers."""
    parts: dict[str, list[str]] = {}
    for part in (NOTEBOOKS / "teaching" / f"{name}.py").read_text(encoding="utf-8").split("\n# %% ")[1:]:
        title, _, code = part.partition("\n")
        parts.setdefault(title.strip(), []).append(code.strip())
    return parts


def environment(home: Path) -> dict[str, str]:
    """Of a kernel: the package of this tree, one thread (the machine may be shared), nothing of the user's."""
    path = os.pathsep.join(filter(None, (str(NOTEBOOKS.parent), os.environ.get("PYTHONPATH"))))
    own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(home / "ipython")}
    own |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime"), "WORKBENCH_HOME": str(home)}
    return os.environ | own


class Channel(AsyncZMQSocketChannel):
    """Looks at its socket every second.

    pyzmq's poller waits for an edge and can miss one; it then returns a message that has long been there at its
    time-out only, here after 300 s of a cell that took one (zeromq/pyzmq issue 1558).
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message. Raises queue.Empty after ``timeout`` seconds, never for None."""
        ends = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, ends - time.monotonic())
            try:
                return await super().get_msg(min(left, LOOK_AGAIN_SECONDS))
            except queue.Empty:
                if left <= LOOK_AGAIN_SECONDS:
                    raise


class Client(AsyncKernelClient):
    """With channels that miss nothing."""

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)
    control_channel_class = Type(Channel)


class Manager(AsyncKernelManager):
    """With such a client."""

    client_factory = Type(Client)


class Session:
    """A notebook in its own kernel. ``run`` is the notebook as it stands; ``more`` asks the same kernel on."""

    def __init__(self, book: NotebookNode, home: Path) -> None:
        from nbclient import NotebookClient

        self.book = book
        self.client = NotebookClient(
            book,
            timeout=CELL_TIMEOUT_SECONDS,
            kernel_name="python3",
            kernel_manager_class=Manager,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        self._environment = environment(home)
        self._context: Any = None

    def __enter__(self) -> Session:
        self._context = self.client.setup_kernel(env=self._environment)
        self._context.__enter__()
        self._do(GUARD)
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(*error)

    def run(self, after: Callable[[NotebookNode], None] = lambda cell: None) -> float:
        """Every cell from the top; seconds, those in ``after`` apart, which is called with each cell that has ended.

        Raises nbclient's CellExecutionError at the first cell that fails.
        """
        seconds = 0.0
        for index, cell in enumerate(list(self.book.cells)):
            began = time.perf_counter()
            self.client.execute_cell(cell, index)
            seconds += time.perf_counter() - began
            after(cell)
        return seconds

    def more(self, source: str) -> Outcome:
        """Run ``source`` in the kernel after the notebook, whatever comes of it."""
        cell = self._do(source)
        error = next((o for o in cell.outputs if o.output_type == "error"), None)
        return Outcome(error.ename if error else "", _text(cell))

    def _do(self, source: str) -> NotebookNode:
        from nbformat.v4 import new_code_cell

        cell = new_code_cell(source, metadata={"tags": ["raises-exception"]})
        self.book.cells.append(cell)
        try:
            return self.client.execute_cell(cell, len(self.book.cells) - 1)
        finally:
            self.book.cells.remove(cell)


def _text(cell: NotebookNode) -> str:
    return "".join(
        o.get("text", "") or o.get("data", {}).get("text/plain", "") or "\n".join(o.get("traceback", ()))
        for o in cell.get("outputs", ())
    )


if __name__ == "__main__":  # python -m tests.notebooks.runner 01: one notebook, by hand
    import tempfile

    chosen = read(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, Session(chosen, Path(folder)) as session:
        print(f"{session.run():.1f} s")
        for cell in chosen.cells:
            print(_text(cell)[:2000])
