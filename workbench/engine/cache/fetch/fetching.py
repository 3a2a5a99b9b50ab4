"""fetch(): the one function of the project that may use the network.

It pins the full commit first, downloads with the real huggingface_hub client, checks the sha256 of each file against
the Hub's listing before it enters ``cache/hub``, and writes the lock file last. Whatever goes wrong, nothing stays that
is not whole.
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
from workbench.engine.cache.fetch.planning import FetchPlan, PlannedFile, endpoint_of, fetchable, locked_plan, make_plan
from workbench.engine.cache.fetch.transfer import Caps, Guard, Progress
from workbench.engine.cache.manifests import LockedFile, LockedRepo, fetched_lock
from workbench.engine.cache.paths import hub_root, repo_folder
from workbench.engine.errors import Cancelled, FetchError
from workbench.engine.files.writing import git_id_of, human_bytes, sha256_of, write_json, write_whole
from workbench.engine.logs import pairs

log = logging.getLogger("workbench.cache")
SPARE_BYTES = 50_000_000  # left free on the disk beyond what is downloaded


@dataclass(frozen=True)
class FetchReport:
    """How a fetch ended."""

    model: str
    host: str
    downloaded_bytes: int
    seconds: float
    lock: Path
    revisions: dict[str, str]


@contextmanager
def _online(address: str, guard: Guard) -> Iterator[None]:
    """The network, under guard; whatever fails comes out as one FetchError or Cancelled."""
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
    """What fetch() would download, from where, and how much. Asks the Hub for the listings only.

    A model that is locked and all here needs no question.

    Raises:
        ModelError: no such model.
        FetchError: it is not on the Hub, or the Hub cannot be asked; in bounded time, see ``Caps``.
    """
    spec, address = fetchable(name), endpoint_of(endpoint)
    guard = Guard(caps or Caps(), cancel)
    known = None if update else locked_plan(spec, address)
    if known is not None:
        return known
    with one_at_a_time(), _online(address, guard):
        return make_plan(spec, address, update, guard)


def digest_matches(path: Path, digest: str, cancel: threading.Event | None = None) -> bool:
    """Is this the file's sha256 (64 digits), or its git blob id (40)?"""
    return (sha256_of(path, cancel=cancel) if len(digest) == 64 else git_id_of(path)) == digest


def _sweep(repos: list[str]) -> None:
    """Remove what a download leaves that did not end well: the staging folder, links to nothing, empty folders."""
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
    """Where files lie until they are checked: on the same disk, and no place that anything is resolved from."""
    return hub_root() / ".partial"


def _is_good(path: Path, entry: PlannedFile, cancel: threading.Event | None) -> bool:
    """Is ``path`` there with the right content? If its content is wrong it is removed."""
    if not path.exists():
        return False
    if digest_matches(path, entry.digest, cancel):
        return True
    log.warning("a damaged file is fetched again", extra=pairs(file=entry.path))
    path.unlink()
    return False


def _link(entry: PlannedFile) -> None:
    """Put the blob into the snapshot, by a link or, on a disk that has none, by moving it there."""
    entry.place.parent.mkdir(parents=True, exist_ok=True)
    entry.place.unlink(missing_ok=True)
    try:
        entry.place.symlink_to(os.path.relpath(entry.blob, entry.place.parent))
    except (OSError, NotImplementedError):
        os.replace(entry.blob, entry.place)


def _get_file(entry: PlannedFile, plan: FetchPlan, guard: Guard) -> LockedFile:
    """Download one file if it is not here. It enters the cache once its content has been checked, not before.

    Raises:
        FetchError: the content is not what the Hub lists.
    """
    from workbench.engine.cache.fetch import hubclient

    guard.begin_file(entry.path, entry.size, entry.revision)
    if not _is_good(entry.place, entry, guard.cancel):
        if not _is_good(entry.blob, entry, guard.cancel):
            got = hubclient.download(plan.endpoint, entry.repo, entry.revision, entry.path, str(_staging()), guard)
            if not digest_matches(Path(got), entry.digest, guard.cancel):
                raise FetchError(
                    f"{entry.path} from {plan.host} is not the file that the Hub lists: its checksum differs.",
                    remedy="It was deleted. Fetch again; if it happens again, the host or a proxy alters it.",
                )
            entry.blob.parent.mkdir(parents=True, exist_ok=True)
            os.replace(os.path.realpath(got), entry.blob)
        _link(entry)
    guard.end_file()
    sha256 = entry.digest if len(entry.digest) == 64 else sha256_of(entry.place)
    return LockedFile(entry.path, sha256, entry.size)


def _check_disk(plan: FetchPlan) -> None:
    """Raise FetchError if the disk cannot hold what will be downloaded."""
    free = shutil.disk_usage(hub_root()).free
    if plan.download_bytes + SPARE_BYTES > free:
        raise FetchError(
            f"{plan.model} needs {human_bytes(plan.download_bytes)} and the disk of {hub_root()} has "
            f"{human_bytes(free)} free.",
            remedy="Free some space, or move the cache with WORKBENCH_HOME.",
        )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds the cache's fetch lock; a second fetch is told so at once."""
    import filelock

    try:
        hub_root().mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(hub_root() / ".fetch.lock", timeout=0, thread_local=False)
        lock.acquire()
    except filelock.Timeout as error:
        raise FetchError(
            f"Another download into {hub_root()} is under way.", remedy="Wait for it to end, or cancel it."
        ) from error
    except OSError as error:
        raise FetchError(
            f"{hub_root()} cannot be written ({error.strerror or error}).",
            remedy="Free it, or move the cache with WORKBENCH_HOME.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _write_down(plan: FetchPlan, have: dict[str, list[LockedFile]], revisions: dict[str, str]) -> None:
    """refs/main, so that other tools find the snapshot offline too, and then the lock file."""
    for repo, revision in revisions.items():
        ref = repo_folder(hub_root(), repo) / "refs" / "main"
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_whole(ref, revision.encode())
    repos = [LockedRepo(repo, revisions[repo], tuple(files)) for repo, files in have.items()]
    write_json(
        fetched_lock(plan.model),
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
    """Every file of the plan, and then the lock file."""
    guard.total_bytes = plan.total_bytes
    log.info(
        "fetch",
        extra=pairs(model=plan.model, host=plan.host, bytes=plan.download_bytes, total_bytes=plan.total_bytes),
    )
    have: dict[str, list[LockedFile]] = {}
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
    """Download what ``name`` needs and lacks into ``cache/hub``. The one function here that goes online.

    Args:
        on_progress: called with (file, bytes done, bytes in all), over all files; may raise Cancelled.
        cancel: set it to stop at the next block of bytes, at the latest after ``caps.read_seconds``.
        endpoint: address of the Hub or a mirror; None reads HF_ENDPOINT now.
        caps: patience; the defaults end every hopeless case in about 35 s.
        update: take the newest revision, instead of the one that the lock file pins.

    Raises:
        ModelError: no such model.
        FetchError: anything that went wrong, in one line with its remedy.
        Cancelled: on request.
    """
    began = time.perf_counter()
    spec, address = fetchable(name), endpoint_of(endpoint)
    guard = Guard(caps or Caps(), cancel, on_progress)
    repos = [r for r in (spec.repo, spec.vocoder_repo) if r]
    with one_at_a_time():
        sweep_drafts()
        shutil.rmtree(_staging(), ignore_errors=True)  # of a download that was killed
        try:
            plan = None if update else locked_plan(spec, address)
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
    return FetchReport(spec.name, plan.host, plan.download_bytes, seconds, fetched_lock(spec.name), revisions)
