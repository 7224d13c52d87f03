"""Rows 10 and 16: receipts that lie, and words that the broker retains. The spool frees nothing that is not held.

Written to the broker by whoever can: unsigned, forged, another gateway's, cut, oversize, an old one replayed, retained
so that each new connection meets them first. Then one that the centre itself signed, "all received, for ever": that
one is believed for what was sealed by then; the bytes stay on the card until the space is needed, and what is sealed
later is not held.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.spool.acks import Acks
from agent.spool.files import Disk
from tests.attack.long import long
from tests.attack.ward import confirms_by_receipt, running
from tests.system.bell import Bell
from tests.system.gateway_rig import SITE, scene
from wire import keys
from wire.command import ROTATE_LIMIT_BYTES
from wire.receipt import RECEIPT_LIMIT_BYTES, Held, Receipt, sign
from wire.topics import Address, Class

FOR_EVER = [Held(1, cls, [(0, (1 << 32) - 1)]) for cls in range(3)]
FUTURE = Receipt(1 << 52, FOR_EVER)


def forgeries(gateway: str, centre: Ed25519PrivateKey) -> list[bytes]:
    good = sign(centre, gateway, FUTURE)
    return [
        good[:-64] + bytes(64),
        good[:-64],
        good[:-1],
        good + b"\0",
        bytes([good[0] ^ 1]) + good[1:],
        sign(Ed25519PrivateKey.generate(), gateway, FUTURE),
        sign(centre, "otherotherotherother", FUTURE),
        sign(centre, gateway, Receipt(0, [Held(1, 2, [(7, 3)])])),
        sign(centre, gateway, Receipt(0, [Held(1, 99, [(0, 9)])])),
        b"",
        bytes(RECEIPT_LIMIT_BYTES + 1),
    ]


REASONS = {"signature", "size", "malformed", "class"}


def refused_of(gateway) -> dict[str, int]:
    """What the status says of receipts so far."""
    now = gateway.status()
    return now.link.receipts_refused if now else {}


class Writer:
    """Whoever may write to this broker; its access list is row 14's."""

    def __init__(self, port: int, address: Address) -> None:
        self._address = address
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def write(self, word: str, data: bytes, retain: bool = False) -> None:
        self._client.publish(self._address.topic(word), data, qos=1, retain=retain).wait_for_publish(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def held_on_disk(spool: Path) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """What the stopped gateway's card says is held."""
    acks = Acks(Disk(), spool)
    acks.load([file.name for file in spool.iterdir()])
    return {key: ranges.pairs() for key, ranges in acks.held.items() if ranges}


def test_nobody_but_the_centre_frees_anything_and_what_is_retained_poisons_nothing(tmp_path: Path) -> None:
    async def story() -> tuple:
        async with scene(tmp_path) as (gateway, oximeter, mosquitto):
            confirms_by_receipt(gateway)
            centre = keys.signer((gateway.ring.centre / "centre.key").read_text())
            writer = Writer(mosquitto.port, Address(SITE, gateway.ring.gateway_id))
            lies = forgeries(gateway.ring.gateway_id, centre)
            writer.write("receipt", lies[5], retain=True)
            writer.write("command", bytes(ROTATE_LIMIT_BYTES + 1), retain=True)
            async with running(gateway):
                await Bell().until(lambda: (now := gateway.status()) and "size" in now.link.commands_refused)
                for lie in lies:
                    writer.write("receipt", lie)
                writer.write("command", sign(centre, gateway.ring.gateway_id, FUTURE), retain=True)
                await Bell().until(lambda: set(refused_of(gateway)) >= REASONS)
                seen = gateway.status()
                await oximeter.fall_silent()
                await gateway.end()
            writer.stop()
            return seen, held_on_disk(gateway.spool), gateway.stored().heard("pleth", str(oximeter.path)), oximeter.said

    seen, held, stored, said = asyncio.run(story())
    assert seen.link.held_envelopes == 0
    assert seen.link.receipts_refused["size"] >= 2
    assert seen.link.receipts_refused["malformed"] >= 1
    assert set(seen.link.commands_refused) <= {"size", "signature"}
    assert seen.link.commands_refused["size"] >= 1
    assert seen.link.connected
    assert held == {}
    assert stored == said
    assert any("no signature of the centre" in what for what, _ in problems_of(seen))


def problems_of(seen) -> list[tuple[str, str]]:
    from agent.health import causes

    return [(what, step) for _, what, step in causes.of(seen, 0.0)]


@long
def test_a_centre_that_says_all_received_for_ever_is_believed_for_what_there_was(tmp_path: Path) -> None:
    async def story() -> tuple:
        async with scene(tmp_path) as (gateway, oximeter, mosquitto):
            confirms_by_receipt(gateway)
            centre = keys.signer((gateway.ring.centre / "centre.key").read_text())
            writer = Writer(mosquitto.port, Address(SITE, gateway.ring.gateway_id))
            async with running(gateway):
                await Bell().until(lambda: len(oximeter.said) > 60)
                writer.write("receipt", sign(centre, gateway.ring.gateway_id, FUTURE))
                await Bell().until(lambda: (now := gateway.status()) and now.link.held_envelopes)
                count = len(oximeter.said)
                await Bell().until(lambda: len(oximeter.said) > count + 120)
                await oximeter.fall_silent()
                await gateway.end()
            writer.stop()
            return held_on_disk(gateway.spool), gateway.stored(), oximeter

    held, stored, oximeter = asyncio.run(story())
    assert stored.heard("pleth", str(oximeter.path)) == oximeter.said, "what is held left the card though there is room"
    last = max(header.seq for header in stored.headers if header.cls is Class.VITAL)
    assert held[Class.VITAL, 1][0][0] == 0
    assert held[Class.VITAL, 1][-1][1] < last, "what was sealed after the receipt counts as held"
