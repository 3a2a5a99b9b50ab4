"""Plan a download: full commits, and the checksum and size that the Hub lists for each file.

Own code, not ``snapshot_download(dry_run=True)``: its result holds no checksum, it sends one more request for each
file, and it takes every file of the right name in the cache for complete.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from workbench.engine.cache.fetch.transfer import HUB_HOST, Guard
from workbench.engine.cache.headers import file_problem
from workbench.engine.cache.links import followed
from workbench.engine.cache.manifests import pinned_repos
from workbench.engine.cache.paths import hub_root, is_commit, repo_folder
from workbench.engine.catalog import VOCODER_FILES, Entry, get_entry
from workbench.engine.errors import CacheError, FetchError
from workbench.engine.files.writing import human_bytes


@dataclass(frozen=True)
class PlannedFile:
    """One file of the plan, ``size`` in bytes. ``digest`` is its sha256, or its git blob id if it is not in LFS."""

    repo: str
    revision: str
    path: str
    size: int
    digest: str
    cached: bool

    @property
    def place(self) -> Path:
        """Its path in the snapshot."""
        return repo_folder(hub_root(), self.repo) / "snapshots" / self.revision / self.path

    @property
    def blob(self) -> Path:
        """Path of its content, which all snapshots share."""
        return repo_folder(hub_root(), self.repo) / "blobs" / self.digest


@dataclass(frozen=True)
class FetchPlan:
    """Plan of a fetch: the files, the host and the bytes."""

    model: str
    endpoint: str
    files: tuple[PlannedFile, ...]
    license: str

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]

    @property
    def total_bytes(self) -> int:
        return sum(f.size for f in self.files)

    @property
    def download_bytes(self) -> int:
        """Bytes that the cache lacks."""
        return sum(f.size for f in self.files if not f.cached)

    def describe(self) -> str:
        """The plan in one line of text."""
        return (
            f"{self.model}: {human_bytes(self.download_bytes)} to download from {self.host} "
            f"({sum(not f.cached for f in self.files)} of {len(self.files)} files; licence {self.license})."
        )


def endpoint_of(endpoint: str | None) -> str:
    """The Hub's address: the argument, else HF_ENDPOINT, else the Hub's own. Raises FetchError if it is no URL."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise FetchError(f"{name}={os.environ[name]} forbids downloads.", remedy=f"Unset {name} and fetch again.")
    address = (endpoint or os.environ.get("HF_ENDPOINT") or f"https://{HUB_HOST}").rstrip("/")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid:
        raise FetchError(
            f"HF_ENDPOINT {address!r} is not the address of a server.", remedy=f"For the Hub: https://{HUB_HOST}."
        )
    return address


def fetchable(name: str) -> Entry:
    """The catalogue entry ``name``. Raises FetchError if neither it nor its vocoder comes from the Hub."""
    spec = get_entry(name)
    if spec.not_runnable:
        raise FetchError(f"{spec.name} cannot be fetched: {spec.not_runnable}")
    if spec.repo is None and spec.vocoder_repo is None:
        raise FetchError(
            f"{spec.name} does not come from the Hub: it is in {spec.folder}.", remedy="There is nothing to fetch."
        )
    return spec


def wanted(spec: Entry) -> dict[str, tuple[str, ...]]:
    """Repository to the files needed from it."""
    own = {spec.repo: spec.repo_files} if spec.repo else {}
    return own | ({spec.vocoder_repo: VOCODER_FILES} if spec.vocoder_repo else {})


def pinned_plan(spec: Entry, address: str) -> FetchPlan | None:
    """Plan without downloads of a model whose files all have the sizes in its manifest; None for others."""
    try:
        pins = pinned_repos(spec.name)
    except CacheError:
        return None
    files = []
    for repo, paths in wanted(spec).items():
        entries = {f.path: f for f in pins[repo].files} if repo in pins else {}
        for path in paths:
            if path not in entries:
                return None
            entry = entries[path]
            files.append(PlannedFile(repo, pins[repo].revision, path, entry.size, entry.sha256, True))
    whole = not any(file_problem(followed(f.place), f.size) for f in files)
    return FetchPlan(spec.name, address, tuple(files), spec.license) if whole else None


def make_plan(spec: Entry, address: str, update: bool, guard: Guard) -> FetchPlan:
    """Plan from the listing of each repository. Keeps the pinned revision unless ``update``. Asks the Hub."""
    from workbench.engine.cache.fetch import hubclient

    try:
        pins = {} if update else pinned_repos(spec.name)
    except CacheError:
        pins = {}  # this fetch replaces the damaged manifest
    files: list[PlannedFile] = []
    for repo, paths in wanted(spec).items():
        pinned = pins[repo].revision if repo in pins else None
        revision, table = hubclient.list_files(address, repo, pinned, guard)
        if not is_commit(revision):
            raise FetchError(f"{address} names no full commit for {repo} ({revision!r}).", remedy="Check HF_ENDPOINT.")
        for path in paths:
            size, digest = table.get(path, (-1, ""))
            if size < 0 or len(digest) not in (40, 64) or not set(digest) <= set("0123456789abcdef"):
                raise FetchError(
                    f"{repo} at {revision[:12]} does not list {path} with its checksum.",
                    remedy="The repository may have changed: see its page.",
                )
            known = next((f.sha256 for f in pins[repo].files if f.path == path), digest) if pinned else digest
            if len(digest) == 64 and known != digest:
                raise FetchError(
                    f"{address} lists another {path} for the pinned revision {revision[:12]} than the manifest.",
                    remedy="A commit never changes: check HF_ENDPOINT.",
                )
            entry = PlannedFile(repo, revision, path, size, digest, False)
            whole = not file_problem(entry.place, size) or not file_problem(entry.blob, size)
            files.append(PlannedFile(repo, revision, path, size, digest, whole))
    return FetchPlan(spec.name, address, tuple(files), spec.license)
