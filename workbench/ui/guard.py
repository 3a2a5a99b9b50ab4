"""Middleware before every page and route: refuse foreign origins and send security headers.

Streamlit compares the Origin of a request with the names of this machine, and asks a server on the internet for its
public address. The guard refuses a foreign Origin before Streamlit sees it, so nothing is looked up.
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
    """Return the hashes of the inline scripts in Streamlit's HTML page, in the form of a policy."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    bodies = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" for body in bodies)


def content_policy() -> str:
    """Return the Content-Security-Policy: all content comes from this server, and no other page may frame it.

    The exceptions are for Streamlit: inline styles, component scripts and recordings as blobs, images as data, and
    WebAssembly to read its messages. No exception allows another server.
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
    """Return the headers of every response."""
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
    """Whether a request comes from a page of this server, or from a program, which sends no Origin.

    The Origin must equal the Host exactly, as in Streamlit's first comparison.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) > 1 or len(origins) > 1:
        return False
    try:
        return not origins or urlsplit(origins[0]).netloc == hosts[0] != ""
    except (ValueError, IndexError):
        return False


class Guard:
    """Outermost ASGI middleware: refuse foreign origins and put the security headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers = security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def receive_bytes() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is None:
                return {"type": "websocket.disconnect", "code": 1003}  # Streamlit reads bytes and fails on text
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        if is_own(Headers(scope=scope)):
            await self.app(scope, receive_bytes, answer)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            refusal = PlainTextResponse("This server answers only its own pages.\n", status_code=403)
            await refusal(scope, receive, answer)


def failed(request: Request, error: Exception) -> PlainTextResponse:
    """Return the response to a request that raised; Starlette sends it outside middleware and logs the traceback."""
    return PlainTextResponse("This failed; the server's log says why.\n", status_code=500, headers=security_headers())
