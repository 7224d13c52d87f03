"""A whole centre on a real broker takes its gateways from the fleet, while it runs; and the broker takes its list."""

import hashlib
import signal
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from centre import clock
from centre.config import Config
from centre.fleet import authorities, members
from centre.fleet.fleet import pem_of
from centre.run import run
from centre.store import Store
from config.load import ConfigError
from tests import fleet_rig
from tests.fleet_rig import Gateway, Rig
from tests.sealed import CATALOGUE, Bedside, block, reading
from tests.system.centre_rig import Broker, Gate, configured, until
from tests.system.test_subscriber import running
from wire import keys


def enrolled(rig: Rig, name: str) -> tuple[Bedside, list[bytes]]:
    """A gateway that seals, and its chain."""
    asker = Gateway(0)
    asker.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    asker.id = keys.gateway_id(asker.key.public_key())
    voucher = rig.voucher(bed=f"bed of {name}")
    return Bedside(name), asker.reads(voucher.root, rig.answer(asker.asks(voucher))).chain


def test_who_enrols_is_heard_and_who_is_revoked_is_not(tmp_path: Path) -> None:
    rig, broker, first = fleet_rig.made(tmp_path), Broker(tmp_path), Bedside("first")
    config = by_fleet(configured(tmp_path, broker.port, first), rig)
    gate = Gate(broker.port, first)
    with running(config):
        gate.publish(first.state(b'{"state":"online","epoch":1}'))  # nobody knows it
        enrolled(rig, "first")
        gate.meet()
        gate.publish(first.grant(), first.vital(CATALOGUE, reading(5)))
        meets(rig, broker, "second")  # in the broker's queue behind what the first one said
        with rig.act() as act:
            members.revoke(act, first.gateway, "stolen")
        gate.publish(first.wave(block(0)))
        meets(rig, broker, "third")
        gate.close()
    broker.stop()
    store = Store(config.store)
    assert store.summary(first.gateway).held == 2
    assert store.last_index(first.gateway, 1, 1) is None
    assert {bed.gateway: bed.bed for bed in store.beds()} == {
        first.gateway: "bed of first",
        Bedside("second").gateway: "bed of second",
        Bedside("third").gateway: "bed of third",
    }
    store.close()


def meets(rig: Rig, broker: Broker, name: str) -> None:
    bedside, _ = enrolled(rig, name)
    gate = Gate(broker.port, bedside)
    gate.meet()
    gate.close()


def by_fleet(config: Config, rig: Rig) -> Config:
    return replace(config, gateways=(), fleet=str(rig.fleet.folder))


def test_a_fleet_that_is_not_there_is_a_word_about_the_configuration(tmp_path: Path) -> None:
    config = Config("mqtt://127.0.0.1:1", str(tmp_path), store=f"sqlite:///{tmp_path / 'centre.db'}", fleet="/nowhere")
    (tmp_path / "recipient.key").write_text(fleet_rig.CENTRE.text())
    (tmp_path / "centre.key").write_text(keys.signer_text(Ed25519PrivateKey.generate()))
    with pytest.raises(ConfigError, match=r"fleet\.db") as failed:
        run(config)
    assert "fleet init" in failed.value.hint


def written(folder: Path, name: str, chain: list[bytes]) -> Path:
    folder.mkdir()
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    (folder / "gateway.key").write_bytes(pem_of(key))
    (folder / "gateway.crt").write_text("".join(map(ssl.DER_cert_to_PEM_cert, chain)))
    return folder


def is_let_in(port: int, own: Path, roots: Path) -> bool:
    """With TLS 1.3 a client learns of its refusal when it reads."""
    context = ssl.create_default_context(cafile=str(roots))
    context.load_cert_chain(own / "gateway.crt", own / "gateway.key")
    hello = bytes.fromhex("101100044d51545405020000000004") + b"tall"
    with (
        socket.create_connection(("127.0.0.1", port), 10) as link,
        context.wrap_socket(link, server_hostname="localhost") as safe,
    ):
        try:
            safe.sendall(hello)
            return safe.recv(1) == b"\x20"
        except OSError:
            return False


def test_a_broker_refuses_who_is_listed_by_either_issuing_key(tmp_path: Path) -> None:
    rig = fleet_rig.made(tmp_path)
    rig.now = clock.utc_us() - 10_000_000
    chains = [enrolled(rig, "first")[1]]
    with rig.act() as act:
        authorities.rotate_issuing(act, rig.root)
    chains += [enrolled(rig, "second")[1], enrolled(rig, "third")[1]]
    with rig.act() as act:
        members.write_certificate(act, "broker", ["localhost"], tmp_path / "broker")
        (tmp_path / "broker" / "crl.pem").write_bytes(members.revocations(act))
    place = tmp_path / "broker"
    broker = Broker(
        tmp_path,
        f"cafile {place}/ca.crt\ncertfile {place}/broker.crt\nkeyfile {place}/broker.key\ncrlfile {place}/crl.pem\n"
        "require_certificate true\nuse_identity_as_username true\ntls_version tlsv1.3",
    )
    places = [
        written(tmp_path / name, name, chain) for name, chain in zip(("first", "second", "third"), chains, strict=True)
    ]
    try:
        assert [is_let_in(broker.port, one, place / "ca.crt") for one in places] == [True, True, True]
        rig.now += 5_000_000
        with rig.act() as act:
            for name in ("first", "second"):
                members.revoke(act, Bedside(name).gateway, "stolen")
            (place / "crl.pem").write_bytes(members.revocations(act))
        broker._process.send_signal(signal.SIGHUP)
        until(lambda: not is_let_in(broker.port, places[0], place / "ca.crt"))
        assert [is_let_in(broker.port, one, place / "ca.crt") for one in places] == [False, False, True]
    finally:
        broker.stop()
