"""What a proxy says, and what we say of it: sockets of this machine, no proxy of anybody's."""

from __future__ import annotations

import socket

import pytest

from agent import config, tunnel
from agent.health import causes
from agent.tunnel import TunnelError, through
from config import codes
from config.load import ConfigError
from config.proxy import Proxy, proxy_of
from tests.proxies import saying
from tests.system.gateway_rig import free_port

SECRET = "s3cret-word"
HOST, PORT = "broker.example.org", 8883


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://10.0.0.1:3128", Proxy("http", "10.0.0.1", 3128)),
        ("http://u:p%40%2F%23@proxy.hospital:8080/", Proxy("http", "proxy.hospital", 8080, "u", "p@/#")),
        ("socks5://[fd00::1]:1080", Proxy("socks5", "fd00::1", 1080)),
    ],
)
def test_a_proxy_is_read(text: str, proxy: Proxy) -> None:
    assert proxy_of(text) == proxy
    assert "p@/#" not in repr(proxy_of(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"http://u:{SECRET}@proxy", "no address with a port"),
        (f"http://u:{SECRET}#@proxy:1", "no address"),
        (f"http://u:{SECRET}@proxy:port", "no address"),
        (f"https://u:{SECRET}@proxy:1", "no TLS"),
        (f"ftp://u:{SECRET}@proxy:1", "neither"),
        (f"http://:{SECRET}@proxy:1", "no user"),
        (f"http://u%3Av:{SECRET}@proxy:1", "':'"),
        (f"http://u:{SECRET}%0A@proxy:1", "cannot be said"),
        (f"socks5://u:{SECRET}{'x' * 255}@proxy:1", "cannot be said"),
        ("10.0.0.1:3128", "no address"),
    ],
)
def test_what_is_no_proxy_is_said_without_its_password(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        proxy_of(text)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value) + caught.value.hint


def said(text: str, limit_s: float = 5.0, host: str = HOST) -> TunnelError:
    with pytest.raises(TunnelError) as caught:
        through(proxy_of(text))(host, PORT, limit_s)
    assert SECRET not in str(caught.value) + caught.value.hint
    assert causes.link_code(str(caught.value)) == codes.PROXY
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", "refuses our user", "user:password"),
        (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\n\r\n", "a login that we do not speak", "without a login"),
        (b"HTTP/1.0 403 No\r\n\r\n", "does not connect us to broker.example.org:8883: it says 403", "443"),
        (b"HTTP/1.1 502 No\r\n\r\n", "it says 502", "443"),
        (b"SSH-2.0-x\r\n", "is no HTTP proxy", "socks5"),
        (b"\x05\xff", "is no HTTP proxy", "socks5"),
        (b"HTTP/1.1 200 x\r\n" + b"a" * 20_000, "is no HTTP proxy", ""),
        (b"HTTP/1.1 200 x\r\n", "it closed the connection", "443"),
        (b"", "it closed the connection", "443"),
    ],
)
def test_what_an_http_proxy_refuses_with(answer: bytes, words: str, hint: str) -> None:
    with saying(answer) as port:
        error = said(f"http://u:{SECRET}@127.0.0.1:{port}")
    assert words in str(error)
    assert hint in error.hint
    assert f"127.0.0.1:{port}" in str(error)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((b"\x05\xff",), "asks for another login"),
        ((b"\x05\x02", b"\x01\x01"), "refuses our user or password"),
        ((b"\x05\x00", b"\x05\x02\x00\x01"), "it does not allow it (SOCKS 2)"),
        ((b"\x05\x00", b"\x05\x05\x00\x01"), "it was refused (SOCKS 5)"),
        ((b"\x05\x00", b"\x05\x09\x00\x01"), "it failed (SOCKS 9)"),
        ((b"HTTP/1.1 400 x\r\n\r\n",), "is no SOCKS5 proxy"),
        ((b"\x05\x00", b"\x05\x00"), "it closed the connection"),
    ],
)
def test_what_a_socks_proxy_refuses_with(answers: tuple[bytes, ...], words: str) -> None:
    with saying(*answers) as port:
        assert words in str(said(f"socks5://u:{SECRET}@127.0.0.1:{port}"))


def test_a_proxy_that_is_not_there_is_named() -> None:
    port = free_port()
    assert str(said(f"http://127.0.0.1:{port}")) == f"the proxy 127.0.0.1:{port} refuses connections"
    assert "the proxy's name no-such.invalid cannot be resolved" in str(said("http://no-such.invalid:1"))


def test_a_proxy_that_says_nothing_is_not_waited_for_and_a_drop_at_a_time_is_nothing(monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "no answer in 0 s" in str(said(f"http://127.0.0.1:{server.getsockname()[1]}", limit_s=0.05))
    times = iter(range(0, 10**15, 10**9))  # a second passes with each letter
    monkeypatch.setattr(tunnel.clock, "now", lambda: next(times))
    with saying(b"HTTP/1.1 200 " + b"a" * 100) as port:
        assert "no answer in 9 s" in str(said(f"http://127.0.0.1:{port}", limit_s=9))


def test_nothing_that_the_other_end_says_is_lost() -> None:
    """Its first bytes may come together with the proxy's answer."""
    with (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfirst words") as port,
        through(proxy_of(f"http://127.0.0.1:{port}"))(HOST, PORT, 5) as link,
    ):
        assert link.recv(100) == b"first words"
    with (
        saying(b"\x05\x00", b"\x05\x00\x00\x03\x02ab\x00\x00first words") as port,
        through(proxy_of(f"socks5://127.0.0.1:{port}"))(HOST, PORT, 5) as link,
    ):
        assert link.recv(100) == b"first words"


def test_a_password_that_everybody_may_read_is_refused(tmp_path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'site = "north"\nbroker = "mqtts://b"\nproxy = "http://u:{SECRET}@p:1"\n')
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="anybody") as caught:
        config.load(file)
    assert "chmod 640" in caught.value.hint
    file.chmod(0o640)
    assert config.load(file).proxy
