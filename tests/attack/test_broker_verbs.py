"""A broker set up with nothing but `wardlink fleet` (docs/broker.md); and a centre that was not told its sites."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from agent.cli.entry import main
from centre import clock
from centre.config import Config
from centre.counts import Counts
from centre.fleet import certify, fleet, signing
from centre.fleet.broker import Site
from centre.fleet.certify import DAY_US
from centre.subscriber import Subscriber
from tests.attack.hospitals import PLUGINS, Broker, Trust, until
from tests.attack.speaker import NOT_AUTHORIZED, Pass, Speaker
from wire import keys

pytestmark = pytest.mark.skipif(not PLUGINS, reason="mosquitto and its dynamic security plugin are not installed")


class Desk:
    """Who runs the fleet: says a verb, hears what it prints."""

    def __init__(self, folder: Path, capsys, monkeypatch) -> None:
        self.folder, self.certs, self._capsys = folder / "fleet", folder / "certs", capsys
        monkeypatch.setenv("ROOT_WORDS", "a long passphrase of a root")
        root = ("--root", str(folder / "root.pem"), "--passphrase-env", "ROOT_WORDS")
        self("init", str(self.folder), *root)
        self("site", "add", "alfa")
        self("certificate", "broker", "--name", "localhost", "--out", str(self.certs))
        self("certificate", "centre", "--name", "wardlink-fleet", "--out", str(folder / "admin"))

    def __call__(self, *words: str) -> str:
        self._capsys.readouterr()
        assert main(["fleet", f"--folder={self.folder}", *words]) == 0
        return self._capsys.readouterr().out

    def enrolled(self) -> tuple[str, Pass]:
        """A gateway with a certificate, as an answered request leaves it."""
        key = Ed25519PrivateKey.generate()
        name, now = keys.gateway_id(key.public_key()), clock.utc_us()
        with fleet.Fleet(self.folder).act("test", now) as act:
            made = certify.client(name, key.public_key(), signing.authority(act), now, DAY_US)
            chain = signing.chain(act.db)
            act.db.execute("INSERT INTO gateway VALUES (?, 'alfa', '', '', 'active', 0, 0, '', NULL)", (name,))
        shown = Pass(self.certs / "ca.crt", self.certs / f"{name}.crt", self.certs / f"{name}.key")
        shown.certificate.write_bytes(
            b"".join(certify.pem(der).encode() for der in (made.public_bytes(Encoding.DER), *chain))
        )
        shown.key.write_bytes(fleet.pem_of(key))
        return name, shown


def test_a_broker_is_set_up_brought_up_to_date_and_read_by_verbs_alone(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys, monkeypatch)
    (desk.certs / "revoked.crl").write_text(desk("crl"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    access, log = tmp_path / "access.json", tmp_path / "mosquitto.log"
    access.write_text(desk("broker", "access"))
    text = desk("broker", "conf", "--certs", str(desk.certs), "--port", str(port))
    text = text.replace("/var/lib/mosquitto/dynamic-security.json", str(access)).replace(
        "/var/lib/mosquitto/", f"{tmp_path}/"
    )
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(
        text.replace("/var/log/mosquitto/mosquitto.log", str(log)) + ("user root\n" if os.geteuid() == 0 else "")
    )
    process = subprocess.Popen(["mosquitto", "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: log.exists() and " running" in log.read_text())
        sync = ("broker", "sync", "--port", str(port), "--keys", str(tmp_path / "admin"))
        assert desk(*sync) == ""
        name, shown = desk.enrolled()
        assert desk(*sync) == f"createRole {name}\ncreateClient {name}\nmodifyClient {name}\n"
        with Speaker.dial(port, shown) as gateway:
            assert gateway.connect(name).reason == 0
            assert gateway.subscribe(f"wl/1/alfa/{name}/command").reason == 1
            assert gateway.subscribe("#").reason == NOT_AUTHORIZED
        refused = [json.loads(line) for line in desk("refusals", str(log)).splitlines()]
        assert [(one["who"], one["what"], one["topic"]) for one in refused if one["who"]] == [(name, "subscribe", "#")]
    finally:
        process.terminate()
        process.wait()


def test_a_centre_that_asks_for_sites_it_does_not_serve_says_so(tmp_path, caplog):
    trust = Trust(tmp_path / "certs")
    desk = trust.party("centre")
    shutil.copy(desk.shown.key, trust.folder / "centre.tls.key")
    broker = Broker(tmp_path, trust, [Site("alfa", (), ("centre",))])
    config = Config(broker=f"mqtts://localhost:{broker.port}", keys=str(trust.folder))
    subscriber = Subscriber(config, Counts())
    try:
        with caplog.at_level(logging.ERROR):
            subscriber.start()
            until(lambda: "broker refuses subscriptions=" in caplog.text)
    finally:
        subscriber.stop()
        broker.stop()
