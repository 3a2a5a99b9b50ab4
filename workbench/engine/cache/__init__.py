"""The offline model cache: list, verify, resolve, import, delete and fetch models."""

from __future__ import annotations

from workbench.engine.cache.bundles.exporting import export_bundle
from workbench.engine.cache.bundles.importing import import_bundle, list_bundle
from workbench.engine.cache.bundles.layout import BundleReport, is_bundle
from workbench.engine.cache.deletion import DeletePlan, plan_delete
from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.fetch.fetching import FetchReport, fetch, plan_fetch
from workbench.engine.cache.fetch.planning import FetchPlan
from workbench.engine.cache.fetch.transfer import Caps
from workbench.engine.cache.headers import Header, TensorInfo, file_problem, read_header
from workbench.engine.cache.imports.contents import Contents, read_contents
from workbench.engine.cache.imports.importing import ImportReport, import_model
from workbench.engine.cache.imports.vocab import Vocabulary, read_vocabulary
from workbench.engine.cache.imports.weights.architecture import contradictions
from workbench.engine.cache.imports.weights.checkpoints import read_checkpoint
from workbench.engine.cache.inventory import Stock, Verification, inventory, verify
from workbench.engine.cache.manifests import pinned_sha256, write_manifest
from workbench.engine.cache.resolving import resolve, resolve_recogniser

__all__ = [
    "BundleReport",
    "Caps",
    "Contents",
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
    "export_bundle",
    "fetch",
    "file_problem",
    "import_bundle",
    "import_model",
    "inventory",
    "is_bundle",
    "list_bundle",
    "pinned_sha256",
    "plan_delete",
    "plan_fetch",
    "read_checkpoint",
    "read_contents",
    "read_header",
    "read_vocabulary",
    "resolve",
    "resolve_recogniser",
    "sweep_drafts",
    "verify",
    "write_manifest",
]
