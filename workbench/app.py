"""The server: ``python -m workbench app``, or ``streamlit run`` with this file, from any folder.

Loads the models in a thread as soon as it is up, serves the audio of jobs and runs beside the pages, and answers to
its own names and pages only: a page on the web cannot reach it, nor through a name that was pointed at this machine.
Its configuration lies beside it, in ``.streamlit/config.toml``, where Streamlit reads it after that of the folder it
is started from.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `streamlit run` adds workbench/, not the folder it lies in
    sys.path.insert(0, str(ROOT))

from workbench.engine.checks.threads import wait_briefly  # noqa: E402

wait_briefly()
import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from workbench.ui import guard  # noqa: E402
from workbench.ui.routes import ROUTES  # noqa: E402

if not st.get_option("server.address"):  # unset, Streamlit would listen on every interface, and tell its makers
    sys.exit("The workbench's own configuration was not read. Start it with: python -m workbench app")


def import_for_pages() -> None:
    """Import what pages draw with, before there is a second thread.

    Where the first visitors and the preload import pandas at the same time, Python lets one of them go on with half of
    it rather than wait for ever.
    """
    for name in ("pandas", "plotly.graph_objects", "scipy.optimize", "PIL.Image"):
        importlib.import_module(name)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Begin to load the models; the pages are usable meanwhile."""
    from workbench.ui import logs
    from workbench.ui.resources import warm_in_background

    logs.to_console()
    import_for_pages()
    warm_in_background()
    yield


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
