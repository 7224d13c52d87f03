"""The sockets of the page: where it listens, and those that systemd hands over."""

from __future__ import annotations

import os
import socket

import pytest

from agent.page import server


def reached(listening: socket.socket, host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listening, socket.socket(family) as caller:
        return caller.connect_ex((host, listening.getsockname()[1])) == 0


@pytest.mark.parametrize(
    ("listen", "host"), [("*:0", "127.0.0.1"), ("*:0", "::1"), ("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")]
)
def test_it_listens_where_it_is_told(listen: str, host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    (listening,) = server.sockets(listen)
    assert reached(listening, host)


def test_one_address_is_not_every_address() -> None:
    (listening,) = server.sockets("127.0.0.1:0")
    assert not reached(listening, "127.0.0.2")


@pytest.mark.parametrize("listen", ["", "80x", "*:", "host", "127.0.0.1:65536", "*:-1"])
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(ValueError):
        server.sockets(listen)


def test_sockets_that_systemd_hands_over_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as made:
        monkeypatch.setattr(server, "FIRST_FD", os.dup(made.fileno()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        (handed,) = server.sockets("nowhere")
        assert reached(handed, "127.0.0.1")
        monkeypatch.setenv("LISTEN_PID", "1")
        with pytest.raises(ValueError):
            server.sockets("nowhere")
