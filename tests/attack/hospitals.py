"""Two hospitals under one authority on one real mosquitto, set up by `centre.fleet.broker`, and their daily traffic."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from centre import clock
from centre.fleet import broker, certify
from centre.fleet.broker import ADMIN, FROM_CENTRE, FROM_GATEWAY, Place, Site
from centre.fleet.broker_sync import Line
from centre.fleet.certify import DAY_US, Authority
from centre.fleet.fleet import pem_of
from tests.attack.speaker import PUBLISH, Pass, Speaker
from wire import keys
from wire.topics import Address

WAIT_S = 10
PLUGINS = sorted(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))


@dataclass(frozen=True)
class Party:
    """Somebody with a certificate."""

    name: str
    shown: Pass

    def dial(self, port: int, name: str | None = None) -> Speaker:
        """Connected, under its own client id."""
        speaker = Speaker.dial(port, self.shown)
        assert speaker.connect(self.name if name is None else name).reason == 0
        return speaker


class Trust:
    """A root, an issuing key, and whom it certifies. Certificates are written beside each other in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.now = folder, clock.utc_us()
        root_key, issuing_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        root = Authority(certify.root(root_key, self.now - 3 * DAY_US), root_key)
        self.by = Authority(certify.issuing(issuing_key.public_key(), root, self.now - 3 * DAY_US), issuing_key)
        self._revoked: list[int] = []
        (folder / "ca.crt").write_bytes(root.certificate.public_bytes(Encoding.PEM))
        self.write_revoked()
        key = Ed25519PrivateKey.generate()
        self.keep("broker", certify.server(["localhost"], key.public_key(), self.by, self.now, DAY_US), key)

    def gateway(self) -> Party:
        key = Ed25519PrivateKey.generate()
        return self.party(keys.gateway_id(key.public_key()), key)

    def party(self, name: str, key: Ed25519PrivateKey | None = None, begins: int = 0, file: str = "") -> Party:
        """`begins`: days from now; the certificate is good for one day from then."""
        key = key or Ed25519PrivateKey.generate()
        made = certify.client(name, key.public_key(), self.by, self.now + begins * DAY_US, DAY_US)
        return Party(name, self.keep(file or name, made, key))

    def keep(self, file: str, certificate: x509.Certificate, key: Ed25519PrivateKey) -> Pass:
        shown = Pass(self.folder / "ca.crt", self.folder / f"{file}.crt", self.folder / f"{file}.key")
        chain = [certificate, self.by.certificate]
        shown.certificate.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        shown.key.write_bytes(pem_of(key))
        return shown

    def revoke(self, party: Party) -> None:
        self._revoked.append(x509.load_pem_x509_certificate(party.shown.certificate.read_bytes()).serial_number)
        self.write_revoked()

    def write_revoked(self) -> None:
        listed = certify.revocations([(serial, self.now) for serial in self._revoked], self.by, clock.utc_us())
        (self.folder / "revoked.crl").write_bytes(listed)


class Broker:
    """mosquitto with the generated configuration."""

    def __init__(self, folder: Path, trust: Trust, sites: list[Site]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.trust, self.log, self._conf = trust, folder / "mosquitto.log", folder / "mosquitto.conf"
        access = folder / "dynamic-security.json"
        access.write_text(broker.access_text(sites))
        place = Place(
            str(trust.folder), str(access), str(PLUGINS[0]), f"{folder}/", f"file {self.log}", "127.0.0.1", self.port
        )
        self._conf.write_text(broker.conf(place) + ("user root\n" if os.geteuid() == 0 else ""))
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(["mosquitto", "-c", str(self._conf)], stderr=subprocess.DEVNULL)
        until(self._answers)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_S)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        until(lambda: "Reloading config" in self.said())

    def said(self, since: int = 0) -> str:
        """Its log, from a length on."""
        return self.log.read_bytes()[since:].decode(errors="backslashreplace")

    def memory_bytes(self) -> int:
        """What it has of the machine's memory now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def line(self, admin: Party) -> Line:
        return Line("localhost", self.port, admin.shown.authority, admin.shown.certificate, admin.shown.key)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Hospital:
    """One gateway and its centre, and what they say to each other each beat. Anything else they hear is a breach."""

    def __init__(self, port: int, site: str, gateway: Party, centre: Party) -> None:
        self.site, self.gateway, self.centre = site, gateway, centre
        self.address = Address(site, gateway.name)
        self.beats = 0
        self.took_s: list[float] = []  # from each publication to its arrival
        self._bed, self._desk = gateway.dial(port), centre.dial(port)
        for word in FROM_CENTRE:
            assert self._bed.subscribe(self.topic(word), qos=0).reason == 0
        for word in FROM_GATEWAY:
            assert self._desk.subscribe(f"wl/1/{site}/+/{word}", qos=0).reason == 0

    def topic(self, word: str) -> str:
        return f"wl/1/{self.site}/{self.gateway.name}/{word}"

    def beat(self) -> None:
        """Each word once, each way; heard exactly so, in order, and nothing between."""
        self.beats += 1
        said = str(self.beats).encode()
        for speaker, hearer, words in ((self._bed, self._desk, FROM_GATEWAY), (self._desk, self._bed, FROM_CENTRE)):
            for word in words:
                begun = time.monotonic()
                assert speaker.publish(self.topic(word), said, retain=word == "state").reason == 0
                assert _heard(hearer) == (self.topic(word), said)
                self.took_s.append(time.monotonic() - begun)

    def hears(self) -> tuple[str, bytes]:
        """(topic, data) of what the centre hears next."""
        return _heard(self._desk)

    def close(self) -> None:
        for speaker in (self._bed, self._desk):
            speaker.leave()
            speaker.close()


def _heard(speaker: Speaker) -> tuple[str, bytes]:
    heard = speaker.until(PUBLISH)
    assert heard.kind == PUBLISH, f"disconnected: {heard}"
    return heard.publication


def until(condition) -> None:
    """Wait until another process has made it true."""
    pace = threading.Event()
    for _ in range(WAIT_S * 50):
        if condition():
            return
        pace.wait(0.02)
    pytest.fail("it did not come about")


def admin_of(trust: Trust) -> Party:
    return trust.party(ADMIN)
