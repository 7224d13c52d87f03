"""bleak itself, and the gateway's own Air over it, over Bumble in this process and on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError
from bumble.gatt import Characteristic

from agent.lab.ether import Ether
from agent.ports.radio.air import AirError, BondError, Seen
from drivers.capture import full
from tests.radio.bed import OXIMETER, THERMOMETER, Device, Face
from tests.radio.bleak_bumble import MTU_BYTES, backends
from tests.radio.bumble_bus import air
from tests.radio.stack import KEPT_S, Stack
from tests.radio.vtime import now, passing, run, until


@asynccontextmanager
async def listening(stack: Stack):
    """The gateway's Air, and what it hears."""
    heard: list[Seen] = []
    its = air(stack)
    await its.scan(heard.append)
    try:
        yield its, heard
    finally:
        await its.close()


async def shown(stack: Stack, face: Face = OXIMETER, period_s: float = 1.0) -> Device:
    device = Device(stack.ether, face, period_s)
    await device.switch_on()
    return device


# What bleak says.


def test_an_advertisement_has_its_fields_and_the_air_says_them_too() -> None:
    async def story():
        stack, found = Stack(Ether()), []
        devices = [await shown(stack, face, 0) for face in (OXIMETER, THERMOMETER)]
        await stack.power(True)
        scanner, _ = backends(stack)
        only = BleakScanner(lambda device, data: found.append((device, data)), [THERMOMETER.service], backend=scanner)
        async with only:
            await passing(2)
        many = len(found)
        await passing(5)
        assert len(found) == many
        async with listening(stack) as (_, heard):
            await until(lambda: len(heard) >= 2)
        for device in devices:
            device.switch_off()
        return found, heard

    found, heard = run(story())
    (device, data) = found[0]
    assert (device.address, device.name, len(found)) == (THERMOMETER.address, "Thermo 2", 1)
    assert (data.local_name, data.service_uuids, data.rssi) == ("Thermo 2", [THERMOMETER.service], -50)
    faces = sorted(set(heard), key=lambda one: one.address)
    assert faces == [
        Seen(face.address, "random", face.name, frozenset([face.service]), -50, False)
        for face in (OXIMETER, THERMOMETER)
    ]


@pytest.mark.parametrize(("tells_again", "least", "most"), [(True, 30, 42), (False, 1, 1)])
def test_every_advertisement_is_asked_for_and_some_adapters_tell_once(tells_again: bool, least: int, most: int) -> None:
    """Two a second, each with a scan response."""

    async def story():
        stack = Stack(Ether(), tells_again)
        device = await shown(stack, period_s=0)
        async with listening(stack) as (_, heard):
            await passing(10)
            count = len(heard)
        device.switch_off()
        return count

    assert least <= run(story()) <= most


def test_a_client_reads_and_writes_while_it_is_connected() -> None:
    async def story():
        stack, wrote = Stack(Ether()), []
        device = await shown(stack, replace(OXIMETER, told=((full("2a19"), b"\x5f"),)), 0)
        device.wrote = lambda source, data: wrote.append((source, data))
        async with listening(stack) as (_, heard):
            await until(lambda: heard)
            _, client = backends(stack)
            async with BleakClient(OXIMETER.address, timeout=5, backend=client) as talk:
                battery = bytes(await talk.read_gatt_char(full("2a19")))
                await talk.write_gatt_char(OXIMETER.characteristics[1], b"\1", response=True)
                size = talk.mtu_size
            with pytest.raises(BleakError, match="Not connected"):
                await talk.start_notify(OXIMETER.characteristics[0], lambda one, data: None)
        device.switch_off()
        return battery, wrote, size

    assert run(story()) == (b"\x5f", [(OXIMETER.characteristics[1], b"\1")], MTU_BYTES)


# What the gateway's Air makes of it.


def test_who_does_not_answer_leaves_no_attempt_behind() -> None:
    async def story():
        stack = Stack(Ether())
        device = await shown(stack, period_s=0)
        async with listening(stack) as (its, heard):
            await until(lambda: heard)
            stack.ether.leave(device.chip)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(8):
                    await its.connect(OXIMETER.address, lambda: None)
            assert stack.chip.pending_le_connection is None
            await passing(KEPT_S)
            with pytest.raises(AirError, match="was not found"):
                await its.connect(OXIMETER.address, lambda: None)
            heard.clear()
            stack.ether.come_back(device.chip)
            await until(lambda: heard)
            contact = await its.connect(OXIMETER.address, lambda: None)
            assert device.is_connected
            await contact.disconnect()
            await until(lambda: not device.is_connected)
        device.switch_off()

    run(story())


def test_a_lost_bond_comes_and_goes_and_is_made_anew_when_it_was_removed() -> None:
    async def story():
        stack = Stack(Ether())
        device = await shown(stack, period_s=0)

        async def again(its, heard):
            heard.clear()
            await until(lambda: heard)
            return await its.connect(OXIMETER.address, lambda: None)

        async with listening(stack) as (its, heard):
            contact = await again(its, heard)
            assert not await contact.prove()
            await contact.pair("")
            await contact.disconnect()
            contact = await again(its, heard)
            assert await contact.prove()
            assert heard[-1].bonded
            await contact.disconnect()
            await device.forget()
            begun = now()
            with pytest.raises(BondError, match="comes and goes"):
                await again(its, heard)
            took = (now() - begun) / 1e9
            assert not stack.kept[OXIMETER.address].connection
            await its.remove(OXIMETER.address)
            contact = await again(its, heard)
            await contact.pair("")
            assert await contact.prove()
        device.switch_off()
        return took

    assert run(story()) < 5


@pytest.mark.parametrize(
    ("shows", "passkey", "is_bonded"),
    [("123456", "123456", True), ("123456", "654321", False), ("", "123456", False), ("123456", "", False)],
    ids=["right", "wrong", "it wants none", "we have none"],
)
def test_the_agent_is_asked_for_the_passkey(shows: str, passkey: str, is_bonded: bool) -> None:
    async def story():
        stack = Stack(Ether())
        device = await shown(stack, replace(OXIMETER, passkey=shows), 0)
        async with listening(stack) as (its, heard):
            await until(lambda: heard)
            contact = await its.connect(OXIMETER.address, lambda: None)
            try:
                await contact.pair(passkey)
            except BondError:
                return False
            finally:
                device.switch_off()
            return await contact.prove()

    assert run(story()) is is_bonded


def test_what_is_to_be_had_only_over_a_bond_is_said_so() -> None:
    async def story():
        stack = Stack(Ether())
        device = Device(stack.ether, OXIMETER, 0)
        for one in device._offered.values():
            one.permissions |= Characteristic.Permissions.WRITE_REQUIRES_ENCRYPTION
        await device.switch_on()
        async with listening(stack) as (its, heard):
            await until(lambda: heard)
            contact = await its.connect(OXIMETER.address, lambda: None)
            await contact.characteristics()
            with pytest.raises(BondError, match="wants to be bonded"):
                await contact.write(OXIMETER.characteristics[0], b"\1")
            await contact.pair("")
            await contact.write(OXIMETER.characteristics[0], b"\1")
        device.switch_off()

    run(story())
