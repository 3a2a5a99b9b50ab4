"""The offline model cache: what is there, is it whole, where does it lie; import, deletion, and the one download."""

from __future__ import annotations

from workbench.engine.cache.architecture import contradictions
from workbench.engine.cache.checkpoints import read_checkpoint
from workbench.engine.cache.deletion import DeletePlan, plan_delete
from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.fetching import FetchPlan, FetchReport, fetch, plan_fetch
from workbench.engine.cache.headers import Header, TensorInfo, file_problem, read_header
from workbench.engine.cache.importing import ImportReport, import_model
from workbench.engine.cache.locks import write_lock
from workbench.engine.cache.resolving import resolve
from workbench.engine.cache.stock import Stock, Verification, inventory, verify
from workbench.engine.cache.transfer import Caps
from workbench.engine.cache.vocab import Vocabulary, read_vocabulary

__all__ = [
    "Caps",
    "DeletePlan",
    "FetchPlan",
    "FetchReport",
    "Header",
    "ImportReport",
    "Stock",
    "TensorInfo",
    "Verification",
    "Vocabulary",
    "contradictions",
    "fetch",
    "file_problem",
    "import_model",
    "inventory",
    "plan_delete",
    "plan_fetch",
    "read_checkpoint",
    "read_header",
    "read_vocabulary",
    "resolve",
    "sweep_drafts",
    "verify",
    "write_lock",
]
