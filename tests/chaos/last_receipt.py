"""The receipt that lies at the broker for a gateway: fetched as the gateway would, with its certificate."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import paho.mqtt.client as mqtt

from agent.identity import load
from agent.lab.keyring import Keyring
from tests.chaos.rig import SITE
from tests.system.bell import Bell
from wire import receipt
from wire.receipt import Receipt
from wire.topics import Address

LIMIT_S = 20.0


async def fetch(ring: Keyring, port: int, enough: Callable[[Receipt], bool]) -> Receipt:
    """The first one that says enough; the last one that came, where none does. Raises TimeoutError: none came."""
    loop, bell = asyncio.get_running_loop(), Bell()
    (verifier,) = load(ring.gateway, receipts=True).centres
    told: list[Receipt] = []

    def hear(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        told.append(receipt.read(verifier, ring.gateway_id, bytes(message.payload)))
        loop.call_soon_threadsafe(bell.ring)

    topic = Address(SITE, ring.gateway_id).topic("receipt")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, ring.gateway_id, protocol=mqtt.MQTTv5)
    client.tls_set_context(_tls(ring))
    client.on_message = hear
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    await asyncio.to_thread(client.connect, "localhost", port)
    client.loop_start()
    try:
        await bell.until(lambda: told and enough(told[-1]), LIMIT_S)
    except TimeoutError:
        if not told:
            raise
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
    return told[-1]


def _tls(ring: Keyring) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ring.gateway / "ca.crt"))
    context.load_cert_chain(ring.gateway / "gateway.crt", ring.gateway / "gateway.key")
    return context
