"""The server of the pages. Start it in any folder with ``python -m workbench app``, or ``streamlit run`` and this file.

It loads the models in a thread, serves the audio of jobs and runs, and answers only requests to its own host names from
its own pages. So other web pages cannot reach it, not even through a host name that points to this machine. Its
configuration is in ``.streamlit/config.toml`` beside this file; Streamlit reads it after the one of the current folder.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `streamlit run` adds workbench/, not its parent folder
    sys.path.insert(0, str(ROOT))

from workbench.engine.checks.threads import wait_briefly  # noqa: E402

wait_briefly()
import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from workbench.ui import guard  # noqa: E402
from workbench.ui.routes import ROUTES  # noqa: E402

if not st.get_option("server.address"):  # otherwise Streamlit listens on every interface and sends telemetry
    sys.exit("The workbench's own configuration was not read. Start it with: python -m workbench app")


def skip_search_for_components() -> None:
    """Let Streamlit not read the descriptions of all installed packages: the pages bring their own components."""
    with suppress(ImportError):  # it is Streamlit's own affair, and may move
        from streamlit.components.v2 import manifest_scanner

        manifest_scanner.scan_component_manifests = lambda *_, **__: []


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Start loading the models; the pages can be used meanwhile."""
    from workbench.ui import logs, uploads
    from workbench.ui.resources import warm_in_background

    logs.to_console()
    uploads.keep_addresses()
    warm_in_background()
    yield


skip_search_for_components()
app = st.App(
    Path(__file__).with_name("ui") / "main.py",
    lifespan=lifespan,
    routes=ROUTES,
    middleware=[
        Middleware(guard.Guard),
        Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts")),
    ],
    exception_handlers={Exception: guard.failed},
)
