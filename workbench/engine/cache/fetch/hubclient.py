"""huggingface_hub's client with our limits. Imported only when a fetch begins: the import takes a second.

The library retries for minutes, sets no limit on a listing, sleeps as long as a server asks, and reads its settings at
import. During a fetch, every request goes through one guarded httpx client.
"""

from __future__ import annotations

import logging
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import huggingface_hub
from huggingface_hub import constants, errors, file_download
from huggingface_hub.utils import _http as hub_http

from workbench.engine.cache.fetch.patience import PatientBackend, PatientClock, within
from workbench.engine.cache.fetch.transfer import HUB_HOST, Guard
from workbench.engine.errors import Cancelled, FetchError

# what the library can raise while it parses a broken or hostile answer
FAILURES = (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError)
_RETRIED_STATUS = (408, 500, 502, 503, 504)


class _GuardedBody(httpx.SyncByteStream):
    """A response body that reports each block to the guard."""

    def __init__(self, inner: httpx.SyncByteStream, guard: Guard, offset: int) -> None:
        self._inner, self._guard = inner, guard
        guard.begin_body(offset)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._inner:
                self._guard.got(len(block))
                yield block
        except httpx.TransportError as error:
            self._guard.failed(_plain(error))
            raise

    def close(self) -> None:
        self._inner.close()


class _GuardedClient(httpx.Client):
    """httpx client with our limits on every request; sends the token to the Hub's own host only."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__(
            event_hooks={"request": [hub_http.hf_request_event_hook, self._before], "response": [self._after]},
            follow_redirects=True,
            max_redirects=5,
        )
        backend = PatientBackend(guard)
        for transport in (self._transport, *self._mounts.values()):  # those behind a proxy too
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = backend

    def _before(self, request: httpx.Request) -> None:
        caps = self._guard.caps
        self._guard.begin_head()
        request.extensions["timeout"] = {
            "connect": caps.connect_seconds,
            "read": caps.read_seconds,
            "write": caps.read_seconds,
            "pool": caps.connect_seconds,
        }
        request.headers["accept-encoding"] = "identity"  # the announced length is that of the file
        if not is_hub(str(request.url)):
            request.headers.pop("authorization", None)

    def _after(self, response: httpx.Response) -> None:
        guard, status = self._guard, response.status_code
        pause = response.headers.get("retry-after")
        if status == 429 or (status in _RETRIED_STATUS and pause):  # the library would sleep as long as the server says
            raise FetchError(
                f"{response.url.host} asks for a pause ({status}, Retry-After {pause or 'not given'}).",
                remedy="Fetch again later.",
            )
        _check_identity(response, guard)
        if status in _RETRIED_STATUS:
            guard.failed(f"the server answered {status}")
        kind = response.headers.get("content-type", "")
        if status == 200 and response.request.method == "GET" and kind.startswith("text/html"):
            raise FetchError(
                f"{response.url.host} answered with a web page instead of {guard.file or 'its list of files'}.",
                remedy="Check HF_ENDPOINT, and whether a proxy or a sign-in page is in the way.",
            )
        if guard.file and status in (200, 206) and response.headers.get("content-encoding", "identity") != "identity":
            raise FetchError(
                f"{response.url.host} sent {guard.file} compressed, against the request.",
                remedy="Check HF_ENDPOINT; the size of a compressed file cannot be checked.",
            )
        start = response.headers.get("content-range", "bytes 0-").removeprefix("bytes ").partition("-")[0]
        offset = int(start) if status == 206 and start.isdigit() else 0
        response.stream = _GuardedBody(response.stream, guard, offset)  # type: ignore[arg-type]

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            return super().send(request, **options)
        except httpx.TransportError as error:
            self._guard.failed(_plain(error))
            raise


def _check_identity(response: httpx.Response, guard: Guard) -> None:
    """Raise FetchError for an ETag or commit that is not usable: the library names files and folders after them."""
    etag = response.headers.get("x-linked-etag") or response.headers.get("etag") or ""
    commit = response.headers.get("x-repo-commit")
    if any(c in etag.removeprefix("W/") for c in "/\\\0") or ".." in etag:
        raise FetchError(f"{response.url.host} sent an ETag that is a path.", remedy="Check HF_ENDPOINT.")
    if guard.revision and commit not in (None, guard.revision):
        raise FetchError(
            f"{response.url.host} answered with revision {commit} instead of {guard.revision}.",
            remedy="Check HF_ENDPOINT: the mirror may be out of date.",
        )


class _Silent:
    """Replaces the library's progress bar; the guard counts smaller blocks than its 10 MB."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def update(self, _: int = 1) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def is_hub(url: str) -> bool:
    """Whether ``url`` is the Hub itself, over TLS. Only it may receive the user's token."""
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname == HUB_HOST


def _plain(error: Exception) -> str:
    """``error`` as a short phrase."""
    names = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.ConnectError: "connection refused or host unknown",
        httpx.RemoteProtocolError: "connection cut",
    }
    return next((text for kind, text in names.items() if isinstance(error, kind)), type(error).__name__)


def _explain_answer(error: errors.HfHubHTTPError, host: str) -> FetchError:
    """The error for an answer that refuses the request."""
    if isinstance(error, errors.GatedRepoError):
        return FetchError(
            f"{host} gives these files only to those who accepted their terms (gated repository).",
            remedy="Accept them on the model's page, sign in with `hf auth login`, and fetch again.",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return FetchError(
            f"{host} has no such repository, or keeps it private.", remedy="Check the name and HF_ENDPOINT."
        )
    if isinstance(error, (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError)):
        return FetchError(
            f"{host} no longer has this revision or file ({type(error).__name__}).",
            remedy="Fetch with update=True to take the newest revision.",
        )
    if error.response.status_code in (401, 403):
        return FetchError(
            f"{host} refuses access ({error.response.status_code}).",
            remedy="Sign in with `hf auth login` if the repository is private, or check its name.",
        )
    return FetchError(f"{host} answered {error.response.status_code}.", remedy="Fetch again later.")


def explain(error: Exception, host: str) -> FetchError | Cancelled:
    """The one-line error for the exception that ended a fetch."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, (FetchError, Cancelled)):
        seen = seen.__cause__  # the library wraps some errors
    if isinstance(seen, (FetchError, Cancelled)):
        return seen
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_answer(error, host)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return FetchError("huggingface_hub is in offline mode.", remedy="Unset HF_HUB_OFFLINE and start again.")
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ else error
    if isinstance(cause, httpx.TransportError):
        return FetchError(f"{host} cannot be reached: {_plain(cause)}.", remedy="Check the connection and fetch again.")
    if isinstance(cause, (errors.FileMetadataError, ValueError, KeyError, TypeError, AttributeError)):
        return FetchError(
            f"{host} does not answer like a Hugging Face Hub ({type(cause).__name__}).",
            remedy="Check HF_ENDPOINT, and whether a proxy or a sign-in page is in the way.",
        )
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return FetchError(f"The download ended early: {text}", remedy="Check the connection and the disk, and fetch again.")


def reach(endpoint: str, guard: Guard) -> None:
    """Check within ``connect_seconds``, address look-up included, that the host accepts connections.

    Neither the look-up of a name nor the attempts on all addresses of a host have a limit of their own. Behind a proxy
    nothing is checked.

    Raises:
        FetchError: the host refuses, is unknown, or does not answer.
    """
    parts = urlsplit(endpoint)
    if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(str(parts.hostname)):
        return
    port, seconds = parts.port or (443 if parts.scheme == "https" else 80), guard.caps.connect_seconds
    try:
        within(
            seconds,
            guard,
            lambda: socket.create_connection((str(parts.hostname), port), timeout=seconds),
            lambda connection: connection.close(),
        ).close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise FetchError(
            f"{parts.hostname} (port {port}) cannot be reached: {why}.",
            remedy="Check the network and HF_ENDPOINT. Models in the cache work without it.",
        ) from error


@contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """Send every request of huggingface_hub through ``guard`` within the block.

    Changes the settings that the library read at import, and restores them. Uses plain HTTP instead of Xet, whose
    transfers ignore our limits.
    """
    talk = logging.getLogger("huggingface_hub")  # it would print each retry
    before = (hub_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET, talk.level)
    sleepers = [module for module in (hub_http, file_download) if getattr(module, "time", None) is time]
    huggingface_hub.set_client_factory(lambda: _GuardedClient(guard))
    constants.HF_HUB_DISABLE_XET = True
    talk.setLevel(logging.ERROR)
    for module in sleepers:
        module.time = PatientClock(guard)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        huggingface_hub.set_client_factory(before[0])
        constants.HF_HUB_DISABLE_XET = before[1]
        talk.setLevel(before[2])
        for module in sleepers:
            module.time = time  # type: ignore[attr-defined]


def list_files(endpoint: str, repo: str, revision: str | None, guard: Guard) -> tuple[str, dict[str, tuple[int, str]]]:
    """(full commit, path to (bytes, sha256 or git blob id)) of a model repository. Sends one request."""
    api = huggingface_hub.HfApi(endpoint=endpoint, token=None if is_hub(endpoint) else False)
    info = api.model_info(repo, revision=revision, files_metadata=True, timeout=guard.caps.read_seconds)
    table = {}
    for sibling in info.siblings or ():
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        if sibling.size is not None and digest:
            table[sibling.rfilename] = (int(sibling.size), str(digest))
    return str(info.sha), table


def download(endpoint: str, repo: str, revision: str, path: str, cache_dir: str, guard: Guard) -> str:
    """Download one file of ``repo`` into ``cache_dir``; returns its path in the snapshot."""
    return huggingface_hub.hf_hub_download(
        repo,
        path,
        revision=revision,
        cache_dir=cache_dir,
        endpoint=endpoint,
        etag_timeout=guard.caps.read_seconds,
        token=None if is_hub(endpoint) else False,
        tqdm_class=_Silent,  # type: ignore[arg-type]  # all of tqdm that is called
    )
