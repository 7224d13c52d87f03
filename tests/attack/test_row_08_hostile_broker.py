"""Row 8: the broker's certificate is good and its will is bad. It may delay; it can lose nothing and free nothing.

It swallows and answers, refuses, doubles, reorders, answers what was never asked, cuts, and forges receipts: all of it
between the real gateway and the real centre. Once it is honest, the centre has every envelope of the spool and every
sample of the device, each once.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.spool import check_folder
from centre import asking
from tests.attack.hostile import WAYS, Hostile, publish
from tests.attack.long import long
from tests.attack.ward import Hospital, confirms_by_receipt, running
from tests.system.gateway_rig import SITE, Gateway, Mosquitto, Oximeter
from tests.told import held, told
from wire.receipt import sign
from wire.topics import Address

EVIL_COUNT = 90
ALL = told(0, [held(1, cls, [(0, (1 << 32) - 1)]) for cls in range(3)])


def lies(gateway: str) -> list[bytes]:
    """What only the centre may say, said by the broker."""
    topic = Address(SITE, gateway).topic("receipt")
    forged = sign(Ed25519PrivateKey.generate(), gateway, ALL)
    return [
        publish(topic, forged),
        publish(topic, forged[:-64] + bytes(64), retain=True),
        publish(topic, bytes(70_000)),
        publish(topic.replace("receipt", "command"), forged, number=9),
        publish("wl/1/elsewhere/other/receipt", forged),
        publish("$SYS/broker/uptime", b"\xff\xfe"),
    ]


@long
def test_a_hostile_broker_delays_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "HOLE_LEAST_S", 0.4)

    async def story() -> tuple[Hostile, Oximeter, Gateway, set, set]:
        mosquitto = Mosquitto(tmp_path)
        mosquitto.start()
        oximeter = Oximeter(tmp_path / "oximeter")
        gateway = Gateway(tmp_path, "mqtts://127.0.0.1:1", [oximeter.path])
        hostile = await Hostile(mosquitto.port, gateway.ring.broker, 3).start()
        hostile.says = lies(gateway.ring.gateway_id)
        gateway.config.write_text(gateway.config.read_text().replace("127.0.0.1:1", f"127.0.0.1:{hostile.port}"))
        confirms_by_receipt(gateway)
        hospital = Hospital(tmp_path, gateway, mosquitto.port)
        try:
            with hospital.centre():
                async with running(gateway):
                    await hostile.bell.until(lambda: sum(hostile.tally.values()) >= EVIL_COUNT, 60)
                    before = await asyncio.to_thread(hospital.spooled)
                    hostile.is_honest = True
                    hostile.cut()
                    await oximeter.fall_silent()
                    wanted = await asyncio.to_thread(hospital.spooled)
                    while await asyncio.to_thread(hospital.lacks, wanted):
                        wanted |= await asyncio.to_thread(hospital.spooled)
                    refused = gateway.status().link.receipts_refused
                    await gateway.end()
        finally:
            await oximeter.hush()
            await hostile.stop()
            mosquitto.stop()
        assert refused["signature"] > 0
        return hostile, oximeter, gateway, before, wanted

    hostile, oximeter, gateway, before, wanted = asyncio.run(asyncio.wait_for(story(), 90))
    assert set(hostile.tally) >= set(WAYS) - {"cut"}, "not every way was tried"
    assert before
    assert wanted >= before
    assert gateway.stored().heard("pleth", str(oximeter.path)) == oximeter.said
    assert check_folder(gateway.spool) == []
