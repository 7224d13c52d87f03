"""An Air over a Bumble host in this very process, with the faults a real stack has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bumble import hci
from bumble.core import AdvertisingData, BaseBumbleError
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic
from bumble.hci import Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from agent.lab.ether import Chip, Ether
from agent.ports.radio.air import AbsentError, AirError, BondError, LackError, NoAdapterError, Seen
from drivers.capture import full

FAILURES = (BaseBumbleError, hci.HCI_Error, asyncio.TimeoutError, ValueError, RuntimeError, AssertionError)
SERVICES = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
LATER_S = 0.2  # what a real stack takes for most things


def long(uuid: Any) -> str:
    """As drivers write it."""
    text = uuid.to_hex_str("-").lower()
    return full(text) if len(text) == 4 else text


async def did(work: Coroutine[Any, Any, Any]) -> Any:
    """Bumble cancels what waited for a link that is lost; here that is an AirError, and our own cancelling is ours."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        raise AirError("disconnected")
    error = task.exception()
    if isinstance(error, FAILURES):
        raise AirError(f"{type(error).__name__}: {error}") from error
    return task.result()


class Keyboard(PairingDelegate):
    def __init__(self, passkey: str) -> None:
        super().__init__(
            io_capability=PairingDelegate.KEYBOARD_INPUT_ONLY if passkey else PairingDelegate.NO_OUTPUT_NO_INPUT
        )
        self.passkey = passkey

    async def get_number(self) -> int | None:
        return int(self.passkey)


class BumbleContact:
    def __init__(self, air: BumbleAir, connection, stirred: Callable[[], None]) -> None:
        self._air = air
        self._connection = connection
        self._stirred = stirred
        self._peer = Peer(connection)
        self._found: dict[str, Any] = {}
        self.lost = ""
        connection.on("disconnection", self._gone)

    def _gone(self, reason: int) -> None:
        self.lost = f"disconnected ({hci.HCI_Constant.error_name(reason)})"
        self._air.contacts.discard(self)
        self._stirred()

    @property
    def address(self) -> str:
        return plain(self._connection.peer_address)

    async def prove(self) -> bool:
        if await self._air.device.keystore.get(str(self._connection.peer_address)) is None:
            return False
        try:
            await did(self._connection.encrypt())
        except AirError:
            return False
        return bool(self._connection.is_encrypted)

    async def pair(self, passkey: str) -> None:
        self._air.passkey = passkey
        try:
            await did(self._connection.pair())
        except AirError as error:
            raise BondError(f"it would not be bonded: {error}") from error

    async def characteristics(self) -> frozenset[str]:
        await did(self._peer.discover_services())
        for service in self._peer.services:
            for one in await did(service.discover_characteristics()):
                self._found[long(one.uuid)] = one
        return frozenset(self._found)

    async def subscribe(self, characteristic: str, heard: Callable[[bytes], None]) -> None:
        one = self._found[characteristic]
        if not one.properties & (Characteristic.Properties.NOTIFY | Characteristic.Properties.INDICATE):
            raise LackError(f"{characteristic} notifies nothing")
        await did(one.subscribe(heard))

    async def read(self, characteristic: str) -> bytes:
        one = self._found[characteristic]
        if not one.properties & Characteristic.Properties.READ:
            raise LackError(f"{characteristic} is not to be read")
        return bytes(await did(one.read_value()))

    async def write(self, characteristic: str, data: bytes) -> None:
        await did(self._found[characteristic].write_value(data, with_response=True))

    async def disconnect(self) -> None:
        if not self.lost:
            await did(self._connection.disconnect())


def plain(address: Address) -> str:
    return str(address).split("/", maxsplit=1)[0]


class BumbleAir:
    """The gateway's adapter. `faults` is set by stories: what of it does not work, and what mends it."""

    def __init__(self, ether: Ether) -> None:
        self.ether = ether
        self.chip = Chip("gateway", link=ether)
        address = Address("F0:F1:F2:00:00:01")
        self.device = Device.from_config_with_hci(
            DeviceConfiguration(name="gateway", address=address), self.chip, self.chip
        )
        self.device.pairing_config_factory = lambda connection: PairingConfig(
            sc=True, mitm=bool(self.passkey), bonding=True, delegate=Keyboard(self.passkey)
        )
        self.device.on("advertisement", self._advertised)
        self.passkey = ""
        self.contacts: set[BumbleContact] = set()
        self.faults: set[str] = set()
        self.done: list[str] = []  # what was done to mend it
        self.failing_connects = 0
        self._seen: Callable[[Seen], None] | None = None
        self._removed: set[str] = set()
        self._is_on = False

    async def _begin(self) -> None:
        if not self._is_on:
            self._is_on = True
            await self.device.power_on()
            self.device.keystore = self.device.keystore or MemoryKeyStore()

    def _advertised(self, report) -> None:
        if self._seen is None or {"deaf", "dead scan", "no adapter"} & self.faults:
            return
        data = report.data
        name = data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or ""
        services = frozenset(long(uuid) for kind in SERVICES for uuid in data.get(kind) or ())
        public = report.address.is_public
        self._removed.discard(plain(report.address))
        self._seen(
            Seen(plain(report.address), "public" if public else "random", str(name), services, report.rssi, False)
        )

    async def scan(self, seen: Callable[[Seen], None]) -> None:
        await self._begin()
        self._check("scan fails")
        self.faults.discard("dead scan")
        if self.device.is_scanning:
            await self.device.stop_scanning()
        self._seen = seen
        await self.device.start_scanning(filter_duplicates=False)

    def _check(self, *faults: str) -> None:
        if "no adapter" in self.faults:
            raise NoAdapterError("there is no Bluetooth adapter")
        for fault in ("daemon hangs", *faults):
            if fault in self.faults:
                raise AirError(fault)

    async def connect(self, address: str, stirred: Callable[[], None]) -> BumbleContact:
        self._check()
        if address in self._removed:  # as BlueZ: it has forgotten the device until it hears it again
            raise AbsentError("it was not heard")
        await later(LATER_S)
        if "wedged" in self.faults:
            await later(3600)
        if self.failing_connects:
            self.failing_connects -= 1
            raise AirError("le-connection-abort-by-local")
        try:
            connection = await did(self.device.connect(Address(address), timeout=20))
        except AirError as error:
            raise AbsentError(str(error)) from error
        contact = BumbleContact(self, connection, stirred)
        self.contacts.add(contact)
        return contact

    async def remove(self, address: str) -> None:
        self._check()
        for key in (address, f"{address}/P"):
            if await self.device.keystore.get(key) is not None:
                await self.device.keystore.delete(key)
        self._removed.add(address)
        self.done.append(f"remove {address}")

    async def _mend(self, how: str, *faults: str) -> None:
        self.done.append(how)
        for contact in list(self.contacts):
            link = self.chip.le_connections.get(contact._connection.peer_address)
            if link is not None:
                self.ether.cut(self.chip, link, hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
        await later(1.0)
        self.faults -= set(faults)

    async def power(self) -> None:
        self._check()
        await self._mend("power", "wedged", "scan fails", "deaf", "dead scan")

    async def restart(self) -> None:
        await self._mend("restart", "wedged", "scan fails", "daemon hangs", "dead scan", "deaf")

    async def replug(self) -> None:
        await self._mend("replug", "wedged", "scan fails", "deaf", "dead scan")

    async def close(self) -> None:
        self._seen = None
        for contact in list(self.contacts):
            await contact.disconnect()


async def later(seconds: float) -> None:
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, lambda: over.done() or over.set_result(None))
    await over
