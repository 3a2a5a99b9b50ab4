"""``workbench app``: start the pages from any folder, with the app's own configuration."""

from __future__ import annotations

import errno
import ipaddress
import re
import runpy
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.engine import collecting
from workbench.engine.errors import ServerError

APP = Path(__file__).resolve().parents[1] / "app.py"
LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")

Port = Annotated[
    int | None,
    typer.Option("--port", help="Port to listen on; 0 takes any free port. Default: the first free port from 8501."),
]
Host = Annotated[
    str, typer.Option("--host", help="Address to listen on. The default can be reached only from this machine.")
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option("--allow-host", help="Host name that visitors type to reach the app, with --host. May be repeated."),
]


def serve(port: Port = None, host: Host = LOOPBACK, allow_host: AllowHost = None) -> None:
    """Start the pages and print their address. Ctrl-C stops them.

    Without --host, only this machine can reach them. There are no accounts: everyone who can reach the app can use all
    of it.
    """
    flags = flags_of(port, host, allow_host or [])
    if not ipaddress.ip_address(_address(host)).is_loopback:
        print(f"Warning: there are no accounts: everyone who can reach {host} can use the workbench and hear its runs.",
              file=sys.stderr)  # fmt: skip
    sys.argv = ["streamlit", "run", str(APP), *flags]
    collecting.pause()  # until the model is loaded
    try:
        runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    finally:
        collecting.resume()


def flags_of(port: int | None, host: str, names: list[str]) -> list[str]:
    """Return Streamlit's flags for port, address and host names; the app's configuration holds the rest.

    Raises:
        ServerError: ``host`` is no address, a name is no host name, or the port cannot be used.
    """
    address = _address(host)
    own = _names(address, names)
    flags = []
    if address != LOOPBACK:
        shown = next((name for name in own if "*" not in name), "localhost")
        flags += ["--server.address", address, "--browser.serverAddress", shown]
    if own:
        flags += [part for name in (LOOPBACK, "localhost", *own) for part in ("--server.allowedHosts", name)]
    if port is not None:
        _try(address, port)
        flags += ["--server.port", str(port)]
    return flags


def _address(host: str) -> str:
    """Return ``host`` as an IP address. Names are refused: they need a look-up, and their address may change."""
    if host == "localhost":
        return LOOPBACK
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ServerError(
            f"--host is {host!r}, which is not an IP address.",
            remedy="Give an address of this machine, such as 127.0.0.1, and names with --allow-host.",
        ) from None


def _names(address: str, names: list[str]) -> list[str]:
    """Return the names under which visitors reach ``address``, besides those of loopback. Raises ServerError."""
    for name in names:
        if not _NAME.fullmatch(name.lower()):
            raise ServerError(
                f"--allow-host is {name!r}, which is not a host name.",
                remedy="Give the name alone, as in lab.example or *.example, without http:// and port.",
            )
    ip = ipaddress.ip_address(address)
    typed = [address] if ip.version == 4 and not ip.is_unspecified and address != LOOPBACK else []
    if not (names or typed or ip.is_loopback):
        raise ServerError(
            f"The name that visitors type to reach {address} is unknown.",
            remedy="Add --allow-host NAME, or listen on one IPv4 address: requests under other names are refused.",
        )
    return [*(name.lower() for name in names), *typed]


def _try(address: str, port: int) -> None:
    """Raise ServerError if ``port`` of ``address`` cannot be used; Streamlit would report less."""
    if not 0 <= port <= 65_535:
        raise ServerError(f"--port is {port}.", remedy="Use 1 to 65535, or 0 for any free port.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if sys.platform != "win32":  # on Windows it would let two servers use one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"Port {port} of {address} is taken.", remedy="Give another port with --port, or 0 for any free port."
            ) from error
        raise ServerError(
            f"Cannot listen on port {port} of {address} ({error.strerror}).",
            remedy="Give an address of this machine with --host and a port above 1023 with --port.",
        ) from error
