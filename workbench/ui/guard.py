"""What stands before every page and route: who may ask, and what a browser may do with the answers.

Streamlit compares the Origin of a request with the names of this machine, and asks a server on the internet for one of
them. Here a foreign Origin is refused before Streamlit sees it, so nothing is looked up.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


def _inline_scripts() -> str:
    """Hashes of the scripts that stand inside Streamlit's one HTML page, as a policy names them."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    bodies = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" for body in bodies)


def content_policy() -> str:
    """The Content-Security-Policy: everything comes from this server, and no page may show it in a frame.

    Looser where Streamlit needs it: its styles are inline, a component's script is a blob, a recording too, pictures
    are data, and its reader of messages asks for WebAssembly. No source outside of this server is among them.
    """
    rules = {
        "default-src": "'self'",
        "script-src": f"'self' blob: 'wasm-unsafe-eval' {_inline_scripts()}",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' data: blob:",
        "connect-src": "'self' data: blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def security_headers() -> dict[str, str]:
    """What every answer carries."""
    return {
        "Content-Security-Policy": content_policy(),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def is_own(headers: Headers) -> bool:
    """Whether a request comes from a page of this server, or from a program, which states no Origin.

    The Origin is compared with the Host to the letter, as Streamlit does before it looks anything up.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) > 1 or len(origins) > 1:
        return False
    try:
        return not origins or urlsplit(origins[0]).netloc == hosts[0] != ""
    except (ValueError, IndexError):
        return False


class Guard:
    """ASGI middleware, the outermost: refuses foreign origins, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers = security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is None:
                return {"type": "websocket.disconnect", "code": 1003}  # Streamlit reads bytes and trips over text
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        if is_own(Headers(scope=scope)):
            await self.app(scope, heard, answer)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            refusal = PlainTextResponse("This server answers to its own pages only.\n", status_code=403)
            await refusal(scope, receive, answer)


def failed(request: Request, error: Exception) -> PlainTextResponse:
    """The answer to a request that met a bug; Starlette sends it outside of all middleware and logs the traceback."""
    return PlainTextResponse("This failed; the server's log says why.\n", status_code=500, headers=security_headers())
