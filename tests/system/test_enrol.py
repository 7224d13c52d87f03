"""The gateway's side against the centre's: the real endpoint over TLS, a real broker, the command as people type it."""

import asyncio
import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from agent import config as configuration
from agent import identity, renewing
from agent.cli.entry import main
from agent.enrolling import Keys
from agent.gateway import Gateway
from agent.spool.spool import Spool
from agent.spool.terms import Stored
from agent.trust import DirectoryRefusedError
from agent.world import World
from centre import clock
from centre.fleet import lists, members, vouchers
from centre.fleet.certify import DAY_US
from centre.fleet.listener import OwnCertificate, server_of
from tests import fleet_rig
from tests.enrol_rig import SITE, config
from tests.fleet_rig import Rig
from tests.system.bell import Bell, until
from wire import request
from wire.seal import Sealer
from wire.topics import Class
from wire.voucher import Voucher

LINK_LIMIT_S = 60.0  # a refused client does not always hear why: the alert may be overtaken by the end


class Endpoint:
    """The centre's enrolment as a process would run it; gateways dial `localhost`."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig = rig
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"https://localhost:{self.port}"
        with rig.act() as act:
            lists.set_address(act, "enrol", self.url)

    def voucher(self, site: str = SITE, hours: int = 72) -> Voucher:
        with self.rig.act() as act:
            return vouchers.make(act, site, hours=hours)

    def keys(self, name: str) -> tuple[Keys, list[str]]:
        """A gateway's keys folder that is still empty, and the words that name its configuration."""
        place = self.folder / name
        place.mkdir()
        file = config(place, place / "keys")
        return Keys(place / "keys", SITE), ["--config", str(file)]

    @contextmanager
    def on(self, names: tuple[str, ...] = ("localhost",)) -> Iterator[None]:
        server = server_of(self.rig.fleet, OwnCertificate(self.rig.fleet, list(names)), f"127.0.0.1:{self.port}")
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until(lambda: server.started)
            yield
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def endpoint(tmp_path) -> Endpoint:
    rig = fleet_rig.made(tmp_path)
    rig.now = clock.utc_us()
    return Endpoint(rig, tmp_path)


def said(capsys, words: list[str]) -> tuple[int, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out + told.err


def test_a_voucher_by_network_makes_a_gateway_that_can_run(endpoint, capsys) -> None:
    made, where = endpoint.keys("a")
    voucher = endpoint.voucher()
    with endpoint.on():
        code, told = said(capsys, ["enrol", voucher.text(), "--protect", "file", *where])
        assert code == 0, told
        assert "whoever has the card has the key" in told
        assert "recipients   centre, hospital" in told
        code, again = said(capsys, ["enrol", voucher.text(), *where])
        assert code == 0, again  # an answer that was lost on the way costs no other voucher
    assert identity.load(made.folder, receipts=True).gateway == made.gateway
    log = (endpoint.folder / "a" / "state" / "audit" / "0.jsonl").read_text()
    assert log.count('"who":"cli","what":"enrolment"') == 2
    assert voucher.text() not in log
    assert main(["check", *where]) == 0
    assert "key        a file" in capsys.readouterr().out
    assert f'"gateway":"{made.gateway}"' in endpoint.rig.audit()


def test_what_is_refused_is_said_and_written_down(endpoint, capsys) -> None:
    made, where = endpoint.keys("a")
    _, other = endpoint.keys("b")
    used, strange = endpoint.voucher(), msgspec.structs.replace(endpoint.voucher(), secret=bytes(20))
    with endpoint.on():
        assert said(capsys, ["enrol", used.text(), "--protect", "file", *other])[0] == 0
        for voucher in (used, strange):
            code, told = said(capsys, ["enrol", voucher.text(), "--protect", "file", *where])
            assert (code, "error: the centre refuses the voucher" in told) == (1, True)
            assert "hint: it is unknown, used, withdrawn or too old" in told
        root = msgspec.structs.replace(endpoint.voucher(), root=bytes(32))
        assert "has another root than the voucher names" in said(capsys, ["enrol", root.text(), *where])[1]
        south = endpoint.voucher("south")
        assert "voucher is for the site south" in said(capsys, ["enrol", south.text(), *where])[1]
        assert "a letter is wrong" in said(capsys, ["enrol", used.text()[:-3] + "AAA", *where])[1]
        assert used.text() not in said(capsys, ["enrol", used.text()[:-3] + "AAA", *where])[1]
    assert "refuses connections" in said(capsys, ["enrol", endpoint.voucher().text(), *where])[1]
    assert not (made.folder / "gateway.crt").exists()
    assert endpoint.rig.audit().count('"what":"refused"') == 2


def test_an_endpoint_of_another_name_is_not_believed(endpoint, capsys) -> None:
    _, where = endpoint.keys("a")
    with endpoint.on(("elsewhere.example.org",)):
        told = said(capsys, ["enrol", endpoint.voucher().text(), "--protect", "file", *where])[1]
    assert "is for another name" in told


def test_the_endpoints_certificate_is_held_against_what_is_known_of_the_time(endpoint, capsys) -> None:
    """And not against the system's clock, which may never have been set."""
    _, where = enrolled_long_ago(endpoint, 1)
    now, far = clock.utc_us(), clock.utc_us() + 5000 * DAY_US
    with endpoint.on():
        assert said(capsys, ["enrol", "renew", "--known", f"{now - 1}-{now}", *where])[0] == 0
        for known in (f"{far}-{far}", f"{now}-{far}", f"0-{now}", "0-0"):
            code, told = said(capsys, ["enrol", "renew", "--known", known, *where])
            assert (code, "does not hold now" in told) == (1, True)


def test_the_voucher_comes_by_stick_stdin_or_qr(endpoint, capsys, monkeypatch) -> None:
    stick = endpoint.folder / "stick-with-voucher"
    stick.mkdir()
    (stick / "voucher.txt").write_text(endpoint.voucher().text().lower() + "\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(endpoint.voucher().text() + "\n"))
    roads = [["--stick", str(stick)], ["-"], ["--qr-text", endpoint.voucher().text()]]
    with endpoint.on():
        for number, road in enumerate(roads):
            _, where = endpoint.keys(f"box {number}")
            assert said(capsys, ["enrol", *road, "--protect", "file", *where])[0] == 0
    _, where = endpoint.keys("empty")
    told = said(capsys, ["enrol", "--protect", "file", "--stick", str(endpoint.folder), *where])[1]
    assert "there is no voucher in" in told


def test_a_stick_does_it_without_a_network(endpoint, capsys) -> None:
    made, where = endpoint.keys("a")
    stick = endpoint.folder / "usb"
    stick.mkdir()
    (stick / "voucher.txt").write_text(endpoint.voucher().text())
    assert said(capsys, ["enrol", "request", str(stick), "--protect", "file", *where])[0] == 0
    (asked,) = stick.glob("*.request")
    assert made.gateway in asked.name
    answer = endpoint.rig.answer(request.from_text("REQUEST", asked.read_text()))
    (stick / "answer").write_text(request.to_text("ANSWER", answer)[:-100])
    assert "copy the file again" in said(capsys, ["enrol", "answer", str(stick / "answer"), *where])[1]
    (stick / "answer").write_text(request.to_text("ANSWER", answer))
    assert said(capsys, ["enrol", "answer", str(stick / "answer"), *where])[0] == 0
    assert identity.load(made.folder, receipts=True).gateway == made.gateway
    assert "no request" in said(capsys, ["enrol", "answer", str(stick / "answer"), *where])[1]


def test_a_stick_renews_without_a_voucher(endpoint, capsys) -> None:
    made, where = enrolled_long_ago(endpoint, 70)
    before = made.enrolled()
    stick = endpoint.folder / "usb"
    stick.mkdir()
    assert said(capsys, ["enrol", "request", str(stick), *where])[0] == 0
    (asked,) = stick.glob("*.request")
    data = request.from_text("REQUEST", asked.read_text())
    assert request.read(data).kind == "renew"
    (stick / "answer").write_text(request.to_text("ANSWER", endpoint.rig.answer(data)))
    assert said(capsys, ["enrol", "answer", str(stick / "answer"), *where])[0] == 0
    assert made.enrolled().ends > before.ends


def test_label_and_certificate_name_the_same_gateway(endpoint, capsys) -> None:
    made, where = endpoint.keys("a")
    with endpoint.on():
        assert said(capsys, ["enrol", endpoint.voucher().text(), "--protect", "file", *where])[0] == 0
    assert main(["enrol", "label", "--json", *where]) == 0
    label = json.loads(capsys.readouterr().out)
    mark, gateway, _model = label["qr"].split(":")
    assert (mark, gateway.lower(), label["gateway"]) == ("WLG1", made.gateway, made.gateway)
    assert set(label["qr"]) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-in", made.folder / "gateway.crt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.gateway in shown.stdout


def enrolled_long_ago(endpoint: Endpoint, days: float, name: str = "gateway") -> tuple[Keys, list[str]]:
    """By a stick, at a centre whose clock was right then."""
    made, where = endpoint.keys(name)
    now = endpoint.rig.now
    endpoint.rig.now = now - int(days * DAY_US)
    made.make("file")
    data, asked = made.ask(endpoint.voucher(), bytes(16), 0)
    made.take_answer(asked, endpoint.rig.answer(data))
    endpoint.rig.now = now
    return made, where


class Running:
    """A gateway in this process at the fleet's broker, that looks for renewal every fifth of a second."""

    def __init__(self, endpoint: Endpoint, made: Keys, monkeypatch) -> None:
        monkeypatch.setattr(renewing, "LOOK_S", 0.2)
        folder = endpoint.folder / "broker"
        with endpoint.rig.act() as act:
            members.write_certificate(act, "broker", ["localhost"], folder)
        self._endpoint = endpoint
        self._broker = _Broker(folder)
        address = f"mqtts://localhost:{self._broker.port}"
        self._file = config(endpoint.folder, made.folder, broker=address, discover=False, interval_s=0.25)
        self.beats = 0

    def tell(self, story) -> None:
        """`story(self.gateway, bell)` while it runs."""

        async def work() -> None:
            world = World(config_file=str(self._file), progress=self._progress, uniform=lambda least, _: least)
            gateway = Gateway(configuration.load(self._file), world)
            stop = asyncio.Event()
            running = asyncio.create_task(gateway.run(stop))
            await story(gateway, Bell())
            stop.set()
            await running

        with self._broker, self._endpoint.on():
            asyncio.run(work())

    def _progress(self, _: str) -> None:
        self.beats += 1


def test_an_expired_gateway_renews_and_its_link_comes_back_without_a_restart(endpoint, monkeypatch, caplog) -> None:
    """The broker refuses the old certificate. Nobody is sure of the time here, but the wall clock is reason to ask."""
    made, _ = enrolled_long_ago(endpoint, 100)
    before = (made.folder / "gateway.crt").read_bytes()
    box = Running(endpoint, made, monkeypatch)

    async def story(gateway: Gateway, bell: Bell) -> None:
        await bell.until(lambda: gateway.uplink.stat().state.connected, LINK_LIMIT_S)
        assert "state=disconnected" in caplog.text
        assert (made.folder / "gateway.crt").read_bytes() != before
        trust, beats = gateway.trust.status(), box.beats
        assert trust is not None
        assert (trust.problem, trust.directory) == ("", endpoint.rig.directory().version)
        await _rotates(endpoint, gateway, bell)
        await bell.until(lambda: box.beats > beats)
        assert gateway.uplink.stat().state.connected
        assert gateway.uplink.stat().reconnects == 0

    box.tell(story)


async def _rotates(endpoint: Endpoint, gateway: Gateway, bell: Bell) -> None:
    """A directory that comes alone, as a command may bring it: other recipients, from the next beat on."""
    old = endpoint.rig.fleet
    with old.reading() as db:
        stale = lists.newest(db, SITE)[1]
    hour = gateway.pulse._sealer._hour
    with endpoint.rig.act() as act:
        lists.retire_recipient(act, SITE, "hospital")
    with old.reading() as db:
        version, data = lists.newest(db, SITE)
    assert await gateway.obeying.take_directory(data) == f"directory {version}"
    assert await gateway.trust.take_directory(data) == version
    await bell.until(lambda: gateway.pulse._sealer._hour > hour)
    assert [one.kind for one in gateway.pulse._sealer._recipients] == ["xwing"]
    with pytest.raises(DirectoryRefusedError, match="older"):
        await gateway.trust.take_directory(stale)
    with pytest.raises(DirectoryRefusedError, match="is refused"):
        await gateway.trust.take_directory(data[:-1] + bytes([data[-1] ^ 1]))


def test_who_is_revoked_goes_on_recording_and_says_so(endpoint, monkeypatch) -> None:
    made, _ = enrolled_long_ago(endpoint, 100)
    with endpoint.rig.act() as act:
        members.revoke(act, made.gateway, "stolen")
    box = Running(endpoint, made, monkeypatch)

    async def story(gateway: Gateway, bell: Bell) -> None:
        def problem() -> str:
            trust = gateway.trust.status()
            return f"{trust.problem}: {trust.hint}" if trust else ""

        await bell.until(lambda: "the centre has revoked this gateway" in problem(), LINK_LIMIT_S)
        assert "goes on recording; ask the centre why" in problem()
        beats = box.beats
        await bell.until(lambda: box.beats > beats)

    box.tell(story)


def test_a_dead_gateway_is_replaced_and_its_backlog_goes_with_the_new_one(endpoint, capsys) -> None:
    """As docs/enrolment.md says it. That the new one delivers it under the old name: tests/system/test_relay.py."""
    dead, _ = enrolled_long_ago(endpoint, 80, "dead")
    who = identity.load(dead.folder, receipts=True)
    spool = Spool.open(endpoint.folder / "dead" / "state" / "spool", dict.fromkeys((0, 1, 2), 8 << 20))
    sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
    for header, data in (sealer.begin_hour(), *(sealer.seal(Class.VITAL, b"reading") for _ in range(9))):
        spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
    spool.commit()
    spool.close()
    with endpoint.rig.act() as act:
        voucher = members.replace(act, dead.gateway, "its board died")
    new, where = endpoint.keys("new")
    with endpoint.on():
        assert said(capsys, ["enrol", voucher.text(), "--protect", "file", *where])[0] == 0
        code, told = said(capsys, ["enrol", "renew", "--config", str(endpoint.folder / "dead" / "gateway.toml")])
        assert (code, "revoked this gateway" in told) == (1, True)
    stick = str(endpoint.folder / "backlog.wlx")
    card = endpoint.folder / "dead"
    export = ["spool", "export", "--folder", str(card / "state" / "spool"), "--config", str(card / "gateway.toml")]
    assert said(capsys, [*export, stick])[0] == 0
    code, told = said(capsys, ["spool", "import", stick, *where])
    assert (code, f"imported 10 envelopes of {dead.gateway}" in told) == (0, True)
    assert new.gateway != dead.gateway
    assert "nothing new" in said(capsys, ["spool", "import", stick, *where])[1]


class _Broker:
    """mosquitto with the fleet's own certificate: who is expired is refused."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\n"
            f"cafile {folder}/ca.crt\ncertfile {folder}/broker.crt\nkeyfile {folder}/broker.key\n"
        )

    def __enter__(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(["mosquitto", "-c", str(self._config)], stdout=quiet, stderr=quiet)
        until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def test_the_running_gateway_reads_no_certificates_itself(endpoint, tmp_path) -> None:
    """They cost memory that a process never gives back."""
    made, _ = enrolled_long_ago(endpoint, 1)
    file = config(tmp_path, made.folder)
    script = (
        "import sys\nfrom agent import config, gateway\nfrom agent.world import World\nfrom pathlib import Path\n"
        f"gateway.Gateway(config.load(Path({str(file)!r})), World(config_file={str(file)!r}))\n"
        "print([name for name in sys.modules if 'x509' in name or name.startswith(('http', 'wire.chain'))])\n"
        "print('agent.renewing' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue\n"
