"""Paths of the cache, and of the Hugging Face layout within it.

Every call reads the environment anew. huggingface_hub reads it once, at import, and then ignores later changes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.places import home


def cache_root() -> Path:
    """``home()/cache``."""
    return home() / "cache"


def hub_root() -> Path:
    """``cache/hub``: the project's own cache in the Hugging Face layout."""
    return cache_root() / "hub"


def manifests_root() -> Path:
    """``cache/locks``: holds one manifest for each fetched model."""
    return cache_root() / "locks"


def user_hub_root() -> Path:
    """The user's own Hugging Face cache, by the rules of huggingface_hub.

    A ``~`` that cannot be expanded stays in the path, as in huggingface_hub; such a cache does not exist.
    """

    def folder(value: str) -> Path:
        return Path(os.path.expanduser(os.path.expandvars(value)))

    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return folder(os.environ[name])
    if os.environ.get("HF_HOME"):
        return folder(os.environ["HF_HOME"]) / "hub"
    return folder(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def repo_folder(root: Path, repo: str) -> Path:
    """``models--owner--name`` under ``root``."""
    return root / ("models--" + repo.replace("/", "--"))


def is_commit(revision: str) -> bool:
    """Whether ``revision`` is a full commit: 40 hexadecimal digits."""
    return len(revision) == 40 and all(c in "0123456789abcdef" for c in revision)


def snapshots(root: Path, repo: str, *, prefer: str | None = None) -> list[Path]:
    """Snapshot folders of ``repo`` under ``root``: ``prefer``, then the one in refs/main, then the newest first.

    Leaves out folders that cannot be read.
    """
    base = repo_folder(root, repo)
    found: dict[Path, float] = {}
    with suppress(OSError):
        for path in (base / "snapshots").iterdir():
            with suppress(OSError):  # a folder that was deleted meanwhile, or that this user may not read
                if path.is_dir() and not is_clutter(path.name):
                    found[path] = path.stat().st_mtime
    main = _main(base)
    return sorted(found, key=lambda p: (p.name != prefer, p.name != main, -found[p], p.name))


def _main(base: Path) -> str:
    """The commit in refs/main of a repository's folder; empty if it cannot be read."""
    try:
        return (base / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def why_picked(snapshot: Path, pinned: str | None = None) -> str:
    """Why ``snapshot`` was picked, if neither the ``pinned`` revision nor refs/main names it; else empty."""
    base, main = snapshot.parent.parent, _main(snapshot.parent.parent)
    if snapshot.name in (pinned, main):
        return ""
    n_snapshots = len(snapshots(base.parent, base.name.removeprefix("models--").replace("--", "/")))
    which = "the only one here" if n_snapshots == 1 else f"the newest usable of {n_snapshots}"
    reason = f"refs/main names {main[:12]!a}, which is not usable here" if main else "refs/main is missing"
    return f"{base.name.removeprefix('models--').replace('--', '/')} at {snapshot.name[:12]}, {which}: {reason}"
