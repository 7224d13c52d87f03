"""The gateway behind a real proxy: tinyproxy (CONNECT) or microsocks (SOCKS5), with a real broker and endpoint."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from centre import clock
from tests import fleet_rig
from tests.enrol_rig import config
from tests.proxies import microsocks, real, tinyproxy
from tests.system.bell import Bell
from tests.system.gateway_rig import Gateway, Mosquitto, Oximeter, free_port
from tests.system.test_enrol import Endpoint, said

pytestmark = real
WAYS = ("http", "socks5")
PASSWORD = "s3cretw0rd"


def proxy(way: str, folder: Path) -> AbstractContextManager[int]:
    """With a login."""
    if way == "socks5":
        return microsocks("-u", "ward", "-P", PASSWORD)
    return tinyproxy(folder, f"BasicAuth ward {PASSWORD}")


def behind(folder: Path, proxied: str, port: int, devices: tuple[Path, ...] = ()) -> Gateway:
    """A gateway of TLS whose only way out is `proxied`."""
    gateway = Gateway(folder, f"mqtts://localhost:{port}", devices, f'proxy = "{proxied}"')
    gateway.config.chmod(0o600)
    return gateway


@pytest.mark.parametrize("way", WAYS)
def test_the_gateway_sends_through_a_proxy_with_tls_to_the_broker(way: str, tmp_path) -> None:
    async def story() -> None:
        oximeter = Oximeter(tmp_path / "oximeter")
        with proxy(way, tmp_path) as through:
            gateway = behind(tmp_path, f"{way}://ward:{PASSWORD}@127.0.0.1:{through}", free_port(), (oximeter.path,))
            mosquitto = Mosquitto(tmp_path, gateway.ring.broker)
            text = gateway.config.read_text()
            gateway.config.write_text(text.replace(text.split("localhost:")[1].split('"')[0], str(mosquitto.port)))
            mosquitto.start()
            try:
                await gateway.start()
                await Bell().until(lambda: "nobody listens" in problem(gateway))  # the broker's own answer
                peers = _peers(gateway.process.pid)
                assert through in peers
                assert mosquitto.port not in peers
                assert await gateway.end() == 0
                assert PASSWORD not in gateway.log.read_text()
            finally:
                gateway.close()
                mosquitto.stop()
                await oximeter.hush()

    asyncio.run(story())


def _peers(pid: int) -> set[int]:
    """The ports at the other ends of a process's TCP connections (proc(5): inodes of its sockets)."""
    own = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in own}


def test_what_the_proxy_refuses_is_said_and_nothing_is_sent_around_it(tmp_path) -> None:
    """tinyproxy lets out to port 443 alone, then asks for a login, then is gone."""

    async def story() -> None:
        with tinyproxy(tmp_path, "ConnectPort 443") as through:
            gateway = behind(tmp_path, f"http://127.0.0.1:{through}", free_port())
            try:
                await gateway.start()
                await Bell().until(lambda: "does not connect us" in problem(gateway))
                assert "it says 403" in problem(gateway)
                assert "443" in gateway.status().link.hint
            finally:
                gateway.close()

    asyncio.run(story())


def problem(gateway: Gateway) -> str:
    now = gateway.status()
    return now.link.problem if now else ""


@pytest.fixture
def endpoint(tmp_path) -> Endpoint:
    rig = fleet_rig.made(tmp_path)
    rig.now = clock.utc_us()
    return Endpoint(rig, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_enrolment_and_renewal_go_through_the_proxy(way: str, endpoint, tmp_path, capsys) -> None:
    """The endpoint's certificate is checked as always; what the proxy refuses is named."""
    place = tmp_path / "gateway"
    place.mkdir()
    with endpoint.on(), proxy(way, tmp_path) as through:
        file = config(place, place / "keys", proxy=f"{way}://ward:{PASSWORD}@127.0.0.1:{through}")
        file.chmod(0o600)
        where = ["--config", str(file)]
        code, told = said(capsys, ["enrol", endpoint.voucher().text(), "--protect", "file", *where])
        assert code == 0, told
        assert said(capsys, ["enrol", "renew", *where])[0] == 0
        file.write_text(file.read_text().replace(PASSWORD, "0ther"))
        code, told = said(capsys, ["enrol", "renew", *where])
    assert code == 1
    assert f"error: the proxy 127.0.0.1:{through} refuses our user or password" in told
    assert "enrol with a stick" in told
    assert "0ther" not in told
