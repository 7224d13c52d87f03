"""The Air over BlueZ, against an org.bluez of our own on a private bus: bleak, the agent, and BlueZ's strangeness."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from dbus_fast import MessageType, Variant

from agent.ports.radio.air import AirError, BondError, NoAdapterError, Seen
from agent.ports.radio.bluez import BluezAir
from drivers.capture import full
from tests.radio.fake_bluez import ADDRESS, bluez, system_bus
from tests.system.bell import Bell

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="there is no dbus-daemon")


@pytest.fixture(autouse=True)
def _bus(tmp_path, monkeypatch):
    with system_bus(tmp_path, monkeypatch):
        yield


def told(story):
    """Run a story with a BlueZ and an Air that listens; `seen` is what it heard."""

    async def tell():
        async with bluez() as fake:
            air, seen, bell = BluezAir(), [], Bell()
            await air.scan(lambda one: (seen.append(one), bell.ring()))
            await bell.until(lambda: seen)
            try:
                return await story(fake, air, seen)
            finally:
                await air.close()

    return asyncio.run(tell())


def test_an_adapter_that_is_off_is_switched_on_and_advertisements_are_told() -> None:
    async def story(fake, air, seen):
        return fake.calls, seen[0], fake.adapter["Powered"].value

    calls, first, powered = told(story)
    assert first == Seen(ADDRESS, "random", "PLX 1", frozenset([full("1822")]), -51, False)
    assert powered
    assert calls.index("RegisterAgent") < calls.index("StartDiscovery")


def test_a_device_is_connected_heard_and_left() -> None:
    async def story(fake, air, seen):
        bell, notes = Bell(), []
        contact = await air.connect(ADDRESS, bell.ring)
        offered = await contact.characteristics()
        await contact.subscribe(full("2a5f"), lambda data: (notes.append(data), bell.ring()))
        fake.note(b"\x00\x61\x00\x3c\x00")
        await bell.until(lambda: notes)
        assert not await contact.prove()
        fake.change(Connected=Variant("b", False))
        await bell.until(lambda: contact.lost)
        scans = fake.calls.count("StartDiscovery")
        await contact.disconnect()
        await bell.until(lambda: fake.calls.count("StartDiscovery") > scans)
        return offered, notes

    offered, notes = told(story)
    assert offered == {full("2a5f")}
    assert notes == [b"\x00\x61\x00\x3c\x00"]


def test_a_device_that_lost_its_bond_comes_and_goes_and_that_is_noticed() -> None:
    async def story(fake, air, seen):
        fake.connecting = "flaps"
        with pytest.raises(BondError, match="comes and goes"):
            await air.connect(ADDRESS, lambda: None)
        return fake.calls

    assert "Disconnect" in told(story)


def test_it_is_bonded_only_while_it_is_meant_to_be() -> None:
    async def story(fake, air, seen):
        refused = await fake.ask("RequestAuthorization")
        contact = await air.connect(ADDRESS, lambda: None)
        await contact.pair("")
        proven = await contact.prove()
        again = await fake.ask("RequestAuthorization")
        await contact.disconnect()
        return refused, proven, contact.address, again

    refused, proven, address, again = told(story)
    assert refused.message_type is again.message_type is MessageType.ERROR
    assert (proven, address) == (True, ADDRESS)


def test_who_has_a_passkey_is_not_bonded_without() -> None:
    async def story(fake, air, seen):
        contact = await air.connect(ADDRESS, lambda: None)
        with pytest.raises(BondError, match="would not be bonded"):
            await contact.pair("123456")
        await contact.disconnect()
        return fake.device["Bonded"].value

    assert not told(story)


def test_what_bluez_refuses_is_said_and_rungs_are_asked_for() -> None:
    async def story(fake, air, seen):
        fake.connecting = "fails"
        with pytest.raises(AirError, match="page-timeout"):
            await air.connect(ADDRESS, lambda: None)
        with pytest.raises(AirError, match="not heard"):
            await air.connect("C0:99:99:99:99:99", lambda: None)
        await air.remove(ADDRESS)
        with pytest.raises(AirError):
            await air.restart()
        return fake.calls

    assert "RemoveDevice" in told(story)


def test_without_bluetoothd_it_is_said() -> None:
    async def story():
        air = BluezAir()
        with pytest.raises(NoAdapterError, match="bluetoothd does not run"):
            await air.scan(lambda seen: None)
        await air.close()

    asyncio.run(story())
