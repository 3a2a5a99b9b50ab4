"""fetch(): the only function of the project that uses the network.

It pins the full commit, downloads with huggingface_hub's client, compares the checksum of each file with the Hub's
listing before the file enters ``cache/hub``, and writes the manifest last. After a failure no incomplete file is left.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from workbench.engine.cache.drafts import sweep_drafts
from workbench.engine.cache.fetch.planning import FetchPlan, PlannedFile, endpoint_of, fetchable, make_plan, pinned_plan
from workbench.engine.cache.fetch.transfer import Caps, Guard, Progress
from workbench.engine.cache.manifests import PinnedFile, PinnedRepo, fetched_manifest
from workbench.engine.cache.paths import hub_root, repo_folder
from workbench.engine.errors import Cancelled, FetchError
from workbench.engine.files.writing import git_id_of, human_bytes, sha256_of, write_json, write_whole
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
SPARE_BYTES = 50_000_000  # left free on the disk beyond what is downloaded


@dataclass(frozen=True)
class FetchReport:
    """Result of a fetch: host, bytes downloaded, seconds, path of the manifest, repository to commit."""

    model: str
    host: str
    downloaded_bytes: int
    seconds: float
    manifest: Path
    revisions: dict[str, str]


@contextmanager
def _online(address: str, guard: Guard) -> Iterator[None]:
    """Let huggingface_hub use the network under ``guard``; every failure is raised as FetchError or Cancelled."""
    from workbench.engine.cache.fetch import hubclient

    try:
        hubclient.reach(address, guard)
        with hubclient.guarded(guard):
            yield
    except (FetchError, Cancelled):
        raise
    except hubclient.FAILURES as error:
        raise hubclient.explain(error, urlsplit(address).netloc.rpartition("@")[2]) from error


def plan_fetch(
    name: str,
    *,
    endpoint: str | None = None,
    caps: Caps | None = None,
    update: bool = False,
    cancel: threading.Event | None = None,
) -> FetchPlan:
    """Plan what fetch() would download, from which host, and how many bytes. Asks the Hub for file listings only.

    A model with a manifest and all its files needs no request.

    Raises:
        ModelError: no such model.
        FetchError: the model is not on the Hub, or the Hub does not answer within the limits of ``Caps``.
    """
    spec, address = fetchable(name), endpoint_of(endpoint)
    guard = Guard(caps or Caps(), cancel)
    known = None if update else pinned_plan(spec, address)
    if known is not None:
        return known
    with one_at_a_time(), _online(address, guard):
        return make_plan(spec, address, update, guard)


def digest_matches(path: Path, digest: str, cancel: threading.Event | None = None) -> bool:
    """Whether ``digest`` is the file's sha256 (64 digits) or git blob id (40)."""
    return (sha256_of(path, cancel=cancel) if len(digest) == 64 else git_id_of(path)) == digest


def _sweep(repos: list[str]) -> None:
    """Remove what a failed download leaves: the staging folder, broken links, empty folders."""
    shutil.rmtree(_staging(), ignore_errors=True)
    for base in (repo_folder(hub_root(), repo) for repo in repos):
        for path in sorted(base.rglob("*"), key=lambda p: -len(p.parts)):
            if path.is_symlink() and not path.exists():
                path.unlink(missing_ok=True)
            elif path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
        if base.is_dir() and not any(base.iterdir()):
            base.rmdir()


def _staging() -> Path:
    """Folder for files that are not checked yet: on the same disk, and never searched for models."""
    return hub_root() / ".partial"


def _is_good(path: Path, entry: PlannedFile, cancel: threading.Event | None) -> bool:
    """Whether ``path`` exists with the right content. Removes it if the content is wrong."""
    if not path.exists():
        return False
    if digest_matches(path, entry.digest, cancel):
        return True
    log.warning("a damaged file is fetched again", extra=pairs(file=entry.path))
    path.unlink()
    return False


def _link(entry: PlannedFile) -> None:
    """Link the blob into the snapshot, or move it there on a disk without links."""
    entry.place.parent.mkdir(parents=True, exist_ok=True)
    entry.place.unlink(missing_ok=True)
    try:
        entry.place.symlink_to(os.path.relpath(entry.blob, entry.place.parent))
    except (OSError, NotImplementedError):
        os.replace(entry.blob, entry.place)


def _get_file(entry: PlannedFile, plan: FetchPlan, guard: Guard) -> PinnedFile:
    """Download one file if the cache lacks it. It enters the cache only after its content has been checked.

    Raises:
        FetchError: the checksum differs from the one that the Hub lists.
    """
    from workbench.engine.cache.fetch import hubclient

    guard.begin_file(entry.path, entry.size, entry.revision)
    if not _is_good(entry.place, entry, guard.cancel):
        if not _is_good(entry.blob, entry, guard.cancel):
            got = hubclient.download(plan.endpoint, entry.repo, entry.revision, entry.path, str(_staging()), guard)
            if not digest_matches(Path(got), entry.digest, guard.cancel):
                raise FetchError(
                    f"{entry.path} from {plan.host} is not the file that the Hub lists: its checksum differs.",
                    remedy="It was deleted. Fetch again; if it happens again, the host or a proxy changes the file.",
                )
            entry.blob.parent.mkdir(parents=True, exist_ok=True)
            os.replace(os.path.realpath(got), entry.blob)
        _link(entry)
    guard.end_file()
    sha256 = entry.digest if len(entry.digest) == 64 else sha256_of(entry.place)
    return PinnedFile(entry.path, sha256, entry.size)


def _check_disk(plan: FetchPlan) -> None:
    """Raise FetchError if the disk has too little free space for the download."""
    free = shutil.disk_usage(hub_root()).free
    if plan.download_bytes + SPARE_BYTES > free:
        raise FetchError(
            f"{plan.model} needs {human_bytes(plan.download_bytes)} and the disk of {hub_root()} has "
            f"{human_bytes(free)} free.",
            remedy="Free some space, or move the cache with WORKBENCH_HOME.",
        )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the cache's fetch lock. Raises FetchError at once if another process holds it."""
    import filelock

    try:
        hub_root().mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(hub_root() / ".fetch.lock", timeout=0, thread_local=False)
        lock.acquire()
    except filelock.Timeout as error:
        raise FetchError(
            f"Another download into {hub_root()} is running.", remedy="Wait until it has finished, or cancel it."
        ) from error
    except OSError as error:
        raise FetchError(
            f"{hub_root()} cannot be written ({error.strerror or error}).",
            remedy="Check its permissions, or move the cache with WORKBENCH_HOME.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _write_down(plan: FetchPlan, have: dict[str, list[PinnedFile]], revisions: dict[str, str]) -> None:
    """Write refs/main, with which other tools find the snapshot offline, and then the manifest."""
    for repo, revision in revisions.items():
        ref = repo_folder(hub_root(), repo) / "refs" / "main"
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_whole(ref, revision.encode())
    repos = [PinnedRepo(repo, revisions[repo], tuple(files)) for repo, files in have.items()]
    write_json(
        fetched_manifest(plan.model),
        {
            "model": plan.model,
            "endpoint": plan.endpoint,
            "repos": [
                {
                    "repo": r.repo,
                    "revision": r.revision,
                    "files": {f.path: {"sha256": f.sha256, "size": f.size} for f in r.files},
                }
                for r in repos
            ],
        },
    )


def _get_all(plan: FetchPlan, guard: Guard) -> None:
    """Download every file of the plan, then write the manifest."""
    guard.total_bytes = plan.total_bytes
    log.info(
        "fetch",
        extra=pairs(model=plan.model, host=plan.host, bytes=plan.download_bytes, total_bytes=plan.total_bytes),
    )
    have: dict[str, list[PinnedFile]] = {}
    for entry in plan.files:
        have.setdefault(entry.repo, []).append(_get_file(entry, plan, guard))
    _write_down(plan, have, {f.repo: f.revision for f in plan.files})


def fetch(
    name: str,
    *,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
    endpoint: str | None = None,
    caps: Caps | None = None,
    update: bool = False,
) -> FetchReport:
    """Download the files that ``name`` lacks into ``cache/hub``. The only function that uses the network.

    Args:
        on_progress: called with (file, bytes done, total bytes), counted over all files; may raise Cancelled.
        cancel: set it to stop at the next block of bytes, at most ``caps.read_seconds`` later.
        endpoint: address of the Hub or a mirror; None reads HF_ENDPOINT now.
        caps: time limits; with the defaults an unreachable or silent host ends within about 35 s.
        update: take the newest revision instead of the one that the manifest pins.

    Raises:
        ModelError: no such model.
        FetchError: any failure, in one line with its remedy.
        Cancelled: on request.
    """
    began = time.perf_counter()
    spec, address = fetchable(name), endpoint_of(endpoint)
    guard = Guard(caps or Caps(), cancel, on_progress)
    repos = [r for r in (spec.repo, spec.vocoder_repo) if r]
    with one_at_a_time():
        sweep_drafts()
        shutil.rmtree(_staging(), ignore_errors=True)  # left by a killed download
        try:
            plan = None if update else pinned_plan(spec, address)
            if plan is None or not all(digest_matches(f.place, f.digest, cancel) for f in plan.files):
                with _online(address, guard):
                    plan = make_plan(spec, address, update, guard)
                    _check_disk(plan)
                    _get_all(plan, guard)
        except (FetchError, Cancelled) as error:
            took = time.perf_counter() - began
            log.warning("fetch failed: %s", error, extra=pairs(model=spec.name, took=took))
            raise
        finally:
            _sweep(repos)
    seconds = time.perf_counter() - began
    log.info("fetch done", extra=pairs(model=spec.name, bytes=plan.download_bytes, took=seconds))
    revisions = {f.repo: f.revision for f in plan.files}
    return FetchReport(spec.name, plan.host, plan.download_bytes, seconds, fetched_manifest(spec.name), revisions)
