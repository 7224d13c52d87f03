"""The guest's own bluetoothd, with a controller and peripherals that a program plays."""

import asyncio
from pathlib import Path

import pytest

from tests.system.bell import Bell, until
from tests.vm.bedside import do

bleak = pytest.importorskip("bleak")
ADDRESS = "C0:00:00:00:00:01"
CONTINUOUS = "00002a5f-0000-1000-8000-00805f9b34fb"
OXIMETER = {"address": ADDRESS, "driver": "gatt_oximeter", "story": "finger-in-and-out"}
FOUND_S = 20.0


async def connected(heard: Bell, values: list[bytes]) -> bleak.BleakClient:
    """The peripheral, found by a scan, connected, and asked to notify."""
    device = await bleak.BleakScanner.find_device_by_address(ADDRESS, FOUND_S)
    assert device is not None, "the scan does not see it"
    client = bleak.BleakClient(device, disconnected_callback=heard.ring, timeout=FOUND_S)
    await client.connect()

    def hear(_characteristic, data: bytearray) -> None:
        values.append(bytes(data))
        heard.ring()

    await client.start_notify(CONTINUOUS, hear)
    return client


def test_bluetoothd_owns_the_adapter(radio) -> None:
    assert Path("/sys/class/bluetooth/hci0").exists()
    assert do("systemctl", "is-active", "bluetooth").strip() == "active"


def test_a_scan_sees_a_peripheral_that_is_connected_and_notifies(radio) -> None:
    radio.do("appear", "Oximeter", **OXIMETER)

    async def story() -> list[bytes]:
        heard, values = Bell(), []
        client = await connected(heard, values)
        await heard.until(lambda: len(values) >= 3)
        await client.disconnect()
        return values

    values = asyncio.run(story())
    assert any(
        value.startswith(bytes.fromhex("0C62004E")) or value.startswith(bytes.fromhex("0C61004F")) for value in values
    )
    until(lambda: not radio.do("look", "Oximeter")["is_linked"])


def test_out_of_range_ends_the_link_and_it_is_found_again(radio) -> None:
    radio.do("appear", "Oximeter", **OXIMETER)

    async def story() -> None:
        heard, values = Bell(), []
        client = await connected(heard, values)
        radio.do("leave", "Oximeter")
        await heard.until(lambda: not client.is_connected)
        radio.do("return", "Oximeter")
        again = await connected(heard, values)
        await again.disconnect()

    asyncio.run(story())
