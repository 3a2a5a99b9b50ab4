"""Backends, which evaluate the model for ``solve``, and the rules by which ``auto`` chooses one.

eager
    Upstream's forward pass, unchanged.
graph
    Upstream's forward pass, recorded once as a CUDA graph and replayed: exactly the same speech without the launches.
lean
    The same mathematics with fewer and faster operations: everything constant over the steps is computed once, and the
    products are the fastest for the device. The result differs from eager in the last digits.

``chosen_name`` chooses by fixed rules, without measuring; a table in the tests lists them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imports torch
    from workbench.engine.model.backends.base import Backend

log = logging.getLogger("workbench.backends")


def chosen_name(asked: str, device: str, *, lean_fits: bool, has_triton: bool) -> tuple[str, str]:
    """Return the name of the backend, and the reason if it is not the one ``asked`` for, else "".

    ``auto`` chooses lean if lean can evaluate the model and the device is a CPU, or a GPU for which Triton can compile
    it. It chooses graph on other CUDA devices, and eager elsewhere.

    Args:
        asked: as ``LoadSettings.backend``.
        device: torch device string.
        lean_fits: whether lean can evaluate the model.
        has_triton: whether Triton is installed, which compiles for GPUs.
    """
    kind = device.split(":")[0]
    reasons = {
        "lean": (
            "it cannot evaluate this model"
            if not lean_fits
            else f"it works on cpu and cuda, not on {kind}"
            if kind not in ("cpu", "cuda")
            else "it needs Triton, which is not installed"
            if kind == "cuda" and not has_triton
            else ""
        ),
        "graph": "" if kind == "cuda" else "graphs exist only on cuda",
        "eager": "",
    }
    order = ("lean", "graph", "eager")
    wanted = order if asked == "auto" else order[order.index(asked) :]
    name = next(name for name in wanted if not reasons[name])
    return name, "" if asked in ("auto", name) else reasons[asked]


def equality_of(recorded: str) -> str:
    """Return the class of backends with exactly the same samples, from a run's record of its backend."""
    return {"graph": "eager"}.get(recorded, recorded)


def build(asked: str, cfm: Any, device: str) -> Backend:
    """Return the backend for ``cfm`` on ``device``; warn with the reason if it is not the one ``asked`` for."""
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
