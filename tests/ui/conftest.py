"""Pages under AppTest: the real scripts, the tiny engine, separate caches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).resolve().parents[2] / "workbench" / "ui" / "main.py"
Opener = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def _installed_components() -> Iterator[None]:
    """Each AppTest reads the metadata of every installed package, in search of components; once is enough."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        scan = manifest_scanner.scan_component_manifests
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(scan))
        yield


@pytest.fixture(autouse=True)
def _fresh_caches() -> Iterator[None]:
    """Streamlit's caches belong to the process; each test begins without them."""
    import streamlit as st

    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def tiny_server(tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The state of a server whose preload is done, on the tiny engine."""
    monkeypatch.setenv("WORKBENCH_MODEL", "tiny")
    monkeypatch.setattr("workbench.engine.speech.synthesis.load_engine", lambda *args, **kwargs: tiny_engine)
    from workbench.ui import resources

    resources.engine()
    resources.preload_state().doing = "ready"
    return tiny_engine


@pytest.fixture
def open_page(tiny_server: Any) -> Opener:
    """Open a page by the name of its view: ``open_page("runs", run="2026...")``; keywords are query parameters."""

    def opener(view: str = "synthesize", **query: str) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        if view != "synthesize":
            at.switch_page(f"views/{view}.py").run()
        assert not at.exception
        return at

    return opener
