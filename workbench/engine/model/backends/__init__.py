"""Ways to evaluate the model, all behind the one ``solve``; and the rules by which ``auto`` takes one.

eager
    Upstream's forward pass as it is.
graph
    The same, recorded once as a CUDA graph and replayed: the same speech to the last bit, without the launches.
lean
    The same mathematics in fewer and faster operations: everything that no step changes is computed once, and the
    products are those that suit the device. Differs from eager in the last digits.

Nothing is measured when a choice is made: the rules are ``chosen_name``'s, and a table in the tests.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it imports torch
    from workbench.engine.model.backends.base import Backend

log = logging.getLogger("workbench.backends")


def chosen_name(asked: str, device: str, *, lean_fits: bool, has_triton: bool) -> tuple[str, str]:
    """The backend for what was ``asked``, and why it is another, in words; "" where it is not.

    ``auto`` is lean where lean fits the model and the device is a CPU, or a GPU for which Triton can compile it; on
    other CUDA devices it is graph, and elsewhere eager.

    Args:
        asked: as ``LoadSettings.backend``.
        device: torch device string.
        lean_fits: the model is one that lean can evaluate.
        has_triton: Triton is installed, which compiles for GPUs.
    """
    kind = device.split(":")[0]
    reasons = {
        "lean": (
            "the model is not one it knows"
            if not lean_fits
            else f"it is made for cpu and cuda, not for {kind}"
            if kind not in ("cpu", "cuda")
            else "Triton is not installed, which compiles it"
            if kind == "cuda" and not has_triton
            else ""
        ),
        "graph": "" if kind == "cuda" else "there are graphs on cuda only",
        "eager": "",
    }
    order = ("lean", "graph", "eager")
    wanted = order if asked == "auto" else order[order.index(asked) :]
    name = next(name for name in wanted if not reasons[name])
    return name, "" if asked in ("auto", name) else reasons[asked]


def equality_of(recorded: str) -> str:
    """The class of backends that give the same samples to the last bit, of what a run records of its backend."""
    return {"graph": "eager"}.get(recorded, recorded)


def build(asked: str, cfm: Any, device: str) -> Backend:
    """The backend for ``cfm`` on ``device``; a warning says why it is another than was asked for."""
    import importlib.util

    from workbench.engine.model.backends.eager import Eager
    from workbench.engine.model.backends.graph import Graph
    from workbench.engine.model.backends.lean.field import Lean, fits, lean_on_cuda

    has_triton = importlib.util.find_spec("triton") is not None
    name, reason = chosen_name(asked, device, lean_fits=fits(cfm.transformer), has_triton=has_triton)
    if reason:
        log.warning("backend %s instead of %s: %s", name, asked, reason)
    if name == "graph":
        return Graph(device)
    if name == "lean":
        return lean_on_cuda(cfm, device) if device.startswith("cuda") else Lean(cfm)
    return Eager()
