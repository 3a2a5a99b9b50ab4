"""``workbench app``: the flags for Streamlit, and the options that are refused before the server listens."""

from __future__ import annotations

import socket

import pytest

from workbench.cli.serve import flags_of
from workbench.engine.errors import ServerError


def _values(flags: list[str], name: str) -> list[str]:
    return [flags[k + 1] for k in range(0, len(flags), 2) if flags[k] == f"--{name}"]


def test_without_arguments_all_stands_in_the_configuration() -> None:
    assert flags_of(None, "127.0.0.1", []) == flags_of(None, "localhost", []) == []


def test_an_address_is_listened_on_and_answered_to() -> None:
    flags = flags_of(None, "192.0.2.7", [])
    assert _values(flags, "server.address") == _values(flags, "browser.serverAddress") == ["192.0.2.7"]
    assert _values(flags, "server.allowedHosts") == ["127.0.0.1", "localhost", "192.0.2.7"]


def test_every_interface_needs_a_name_that_is_then_shown_and_answered_to() -> None:
    for host in ("0.0.0.0", "::", "2001:db8::7"):
        with pytest.raises(ServerError, match="--allow-host"):
            flags_of(None, host, [])
        flags = flags_of(None, host, ["*.example", "Lab.example"])
        assert _values(flags, "server.address") == [host]
        assert _values(flags, "browser.serverAddress") == ["lab.example"]
        assert _values(flags, "server.allowedHosts") == ["127.0.0.1", "localhost", "*.example", "lab.example"]


@pytest.mark.parametrize(
    "name", ["*", "", "http://lab.example", "lab.example:8501", "lab example", "a..b", "*.*", "-\n"]
)
def test_what_is_not_a_host_name_is_refused(name: str) -> None:
    with pytest.raises(ServerError, match="not a host name"):
        flags_of(None, "127.0.0.1", [name])


@pytest.mark.parametrize("host", ["", "lab.example", "127.0.0.1:80", "1.2.3", "evil\nhost", "fe80::1%eth0; rm"])
def test_what_is_not_an_address_is_refused_and_not_looked_up(host: str) -> None:
    with pytest.raises(ServerError):
        flags_of(None, host, [])


def test_a_port_that_cannot_be_had_is_refused_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"Port {port} of 127.0.0.1 is taken"):
            flags_of(port, "127.0.0.1", [])
    assert flags_of(0, "127.0.0.1", []) == ["--server.port", "0"]
    for port in (-1, 65_536):
        with pytest.raises(ServerError, match="1 to 65535"):
            flags_of(port, "127.0.0.1", [])
    with pytest.raises(ServerError, match="address of this machine"):
        flags_of(8501, "192.0.2.7", [])
