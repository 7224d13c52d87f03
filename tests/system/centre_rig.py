"""For tests of the centre: a mosquitto of our own, a gateway's connection to it, and certificates for both."""

from __future__ import annotations

import datetime
import socket
import subprocess
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from queue import Queue

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from centre.config import Config, Gateway
from centre.ingest import Arrival
from tests.sealed import CENTRE, Bedside
from wire import keys, receipt
from wire.receipt import Receipt
from wire.topics import Class

WAIT_S = 20
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ONLINE = b'{"state":"online","epoch":1}'
QUEUES = "max_queued_messages 0\npersistence true\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A mosquitto of our own; `more` are lines of its configuration."""

    def __init__(self, folder: Path, more: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text(
            f"user root\n{QUEUES}persistence_location {folder}/\nlistener {self.port} 127.0.0.1\n{more}\n"
        )
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(["mosquitto", "-c", str(self._conf)], stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)


def until(condition: Callable[[], bool]) -> None:
    """Wait until another process or thread has made it true."""
    pace = threading.Event()
    for _ in range(WAIT_S * 50):
        if condition():
            return
        pace.wait(0.02)
    pytest.fail("it did not come about")


class Gate:
    """A gateway's connection: publishes arrivals, gathers receipts."""

    def __init__(self, port: int, bedside: Bedside) -> None:
        self._bedside = bedside
        self.receipts: Queue[Receipt] = Queue()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=bedside.gateway, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(bedside.address.topic("receipt"), qos=1)
        self._client.loop_start()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.receipts.put(receipt.read(SIGNER.public_key(), self._bedside.gateway, message.payload))

    def publish(self, *arrivals: Arrival) -> None:
        for arrival in arrivals:
            topic, retained = arrival.address.topic(arrival.word), arrival.word == "state"
            self._client.publish(topic, arrival.data, qos=1, retain=retained).wait_for_publish(WAIT_S)

    def meet(self) -> None:
        """Come online and wait for the centre: before its first subscription a broker keeps nothing for it."""
        self.publish(self._bedside.state(ONLINE))
        assert self.receipts.get(timeout=WAIT_S).held == []

    def held(self, cls: Class, ranges: list[tuple[int, int]], epoch: int = 1) -> Receipt:
        """The first receipt that says so."""
        while True:
            told = self.receipts.get(timeout=WAIT_S)
            if any((h.epoch, h.cls, h.ranges) == (epoch, int(cls), ranges) for h in told.held):
                return told

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def configured(folder: Path, port: int, bedside: Bedside, scheme: str = "mqtt") -> Config:
    (folder / "recipient.key").write_text(CENTRE.text())
    (folder / "centre.key").write_text(keys.signer_text(SIGNER))
    return Config(
        broker=f"{scheme}://127.0.0.1:{port}",
        keys=str(folder),
        store=f"sqlite:///{folder / 'centre.db'}",
        listen=f"127.0.0.1:{free_port()}",
        gateways=(Gateway(bedside.gateway, "north", "bed 12"),),
    )


def certificate(folder: Path, name: str, authority: tuple[x509.Certificate, EllipticCurvePrivateKey] | None) -> None:
    """Write `<name>.crt` and `<name>.tls.key`, signed by the authority or by itself."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority[0].subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority[1].public_key())
        builder = builder.add_extension(issuer, critical=False)
    signed = builder.sign(authority[1] if authority else key, hashes.SHA256())
    (folder / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def certified(folder: Path) -> None:
    certificate(folder, "ca", None)
    made = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca.tls.key").read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    for name in ("broker", "centre"):
        certificate(folder, name, (made, key))
