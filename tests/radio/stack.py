"""A machine's Bluetooth in this very process: a Bumble host, and what bluetoothd keeps of devices, strange as it is.

What bleak asks of it is in `bleak_bumble.py`, what our own bus asks in `bumble_bus.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from bleak.exc import BleakBluetoothNotAvailableReason, BleakDBusError, BleakDeviceNotFoundError, BleakError
from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast.errors import DBusError

from agent.lab.ether import Chip, Ether
from tests.radio.bleak_words import did, failed, long, not_available, plain
from tests.radio.vtime import passing

ADAPTER = "/org/bluez/hci0"
SERVICES = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
LATER_S = 0.2  # what a real stack takes for most things
KEPT_S = 30.0  # so long is known who was heard and is not bonded
POLL_S = 0.1
GONE = hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR


@dataclass
class Kept:
    """What bluetoothd keeps of a device: org.bluez.Device1."""

    path: str
    props: dict[str, Any]
    heard_s: float
    connection: Connection | None = None


class Asking(PairingDelegate):
    """Asks the agent, as bluetoothd does for one that has keys and a display."""

    def __init__(self, stack: Stack, connection: Connection) -> None:
        super().__init__(io_capability=PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT)
        self._stack = stack
        self._path = stack.path(plain(connection.peer_address))

    def _ask(self, member: str) -> Any:
        try:
            return self._stack.ask(member, self._path)
        except DBusError:
            return False

    async def confirm(self, auto: bool = False) -> bool:
        return self._ask("RequestAuthorization") is None

    async def get_number(self) -> int | None:
        number = self._ask("RequestPasskey")
        return None if number is False else int(number)


class Stack:
    """One adapter and its daemon. `faults` is set by stories: what does not work; `done` is what was asked of it.

    `tells_again`: whether an adapter tells of an advertisement like the last one when it is asked to.
    """

    def __init__(self, ether: Ether, tells_again: bool = True) -> None:
        self.ether = ether
        self.tells_again = tells_again
        self.chip = Chip("gateway", link=ether)
        config = DeviceConfiguration(name="gateway", address=Address("F0:F1:F2:00:00:01"))
        self.device = Device.from_config_with_hci(config, self.chip, self.chip)
        self.device.pairing_config_factory = lambda connection: PairingConfig(
            sc=True, mitm=True, bonding=True, delegate=Asking(self, connection)
        )
        self.device.on("advertisement", self._advertised)
        self.faults: set[str] = set()
        self.done: list[str] = []
        self.failing_connects = 0
        self.is_powered = False
        self.kept: dict[str, Kept] = {}
        self.scanners: list[Callable[[Kept, Advertisement], None]] = []
        self.watchers: list[Callable[[str, dict[str, Any]], None]] = []
        self.ask: Callable[[str, str], Any] = self._unasked
        self._starts = 0

    def _unasked(self, member: str, path: str) -> Any:
        raise DBusError("org.bluez.Error.Rejected", "there is no agent")

    def path(self, address: str) -> str:
        return f"{ADAPTER}/dev_{address.replace(':', '_')}"

    async def answers(self) -> None:
        """Until bluetoothd answers. Raises BleakDBusError where it ended instead."""
        starts = self._starts
        while "daemon hangs" in self.faults:
            await passing(POLL_S)
        if starts != self._starts:
            raise BleakDBusError("org.freedesktop.DBus.Error.NoReply", ["bluetoothd ended"])

    # Who is heard.

    def _advertised(self, report: Advertisement) -> None:
        if not (self.is_powered and self.scanners) or {"deaf", "dead scan", "no adapter"} & self.faults:
            return
        kept = self._keep(report)
        for scanner in list(self.scanners):
            scanner(kept, report)

    def _keep(self, report: Advertisement) -> Kept:
        address, now = plain(report.address), asyncio.get_running_loop().time()
        kept = self.kept.get(address)
        if kept is None:
            kind = "public" if report.address.is_public else "random"
            self._forget(now)
            kept = self.kept[address] = Kept(self.path(address), {"Address": address, "AddressType": kind}, now)
        kept.heard_s = now
        services = [long(uuid) for kind in SERVICES for uuid in cast(list[UUID], report.data.get(kind) or [])]
        name = report.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        kept.props |= (
            {"RSSI": report.rssi} | ({"UUIDs": services} if services else {}) | ({"Name": name} if name else {})
        )
        return kept

    def _forget(self, now: float) -> None:
        old = [address for address, one in self.kept.items() if now - one.heard_s > KEPT_S]
        for address in old:
            if not self.kept[address].connection and not self.kept[address].props.get("Bonded"):
                del self.kept[address]

    async def scan(self, heard: Callable[[Kept, Advertisement], None]) -> None:
        await self.answers()
        if "no adapter" in self.faults:
            raise not_available(BleakBluetoothNotAvailableReason.NO_BLUETOOTH)
        if not self.is_powered:
            raise not_available(BleakBluetoothNotAvailableReason.POWERED_OFF)
        if "scan fails" in self.faults:
            raise failed("it does not begin")
        self.faults.discard("dead scan")
        self.scanners.append(heard)
        if not self.device.is_scanning:
            await self.device.start_scanning(filter_duplicates=False)

    async def hush(self, heard: Callable[[Kept, Advertisement], None]) -> None:
        was_scanning = heard in self.scanners
        if was_scanning:
            self.scanners.remove(heard)
        await self.answers()
        if not was_scanning:
            raise failed("No discovery started")
        if not self.scanners and self.device.is_scanning:
            await self.device.stop_scanning()

    # Who is connected.

    async def connect(self, address: str, gone: Callable[[], None]) -> Connection:
        """As bleak and bluetoothd together: whoever loses the link before it proved its bond is connected again."""
        await self.answers()
        await passing(LATER_S)
        self._forget(asyncio.get_running_loop().time())
        kept = self.kept.get(address)
        if kept is None:
            raise BleakDeviceNotFoundError(address, f"Device with address {address} was not found.")
        while True:
            await self._may_connect()
            connection = await self._linked(Address(address))
            self._follow(kept, connection)
            if not kept.props.get("Bonded") or await self._proves(connection):
                connection.on("disconnection", lambda _: gone())
                return connection
            await self.cut(kept)
            await passing(LATER_S)

    async def _may_connect(self) -> None:
        if not self.is_powered or "no adapter" in self.faults:
            raise failed("Resource Not Ready")
        while "wedged" in self.faults:
            await passing(POLL_S)
        if self.failing_connects:
            self.failing_connects -= 1
            raise failed("le-connection-refused")

    async def _linked(self, address: Address) -> Connection:
        """Given up without leaving an attempt, or a link that nobody has, behind."""
        connecting = asyncio.ensure_future(self.device.connect(address, timeout=None))
        try:
            await asyncio.wait([connecting])
        except asyncio.CancelledError:
            if self.chip.pending_le_connection is not None:
                await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait([connecting])
            if connecting.exception() is None:
                self._end(connecting.result())
            raise
        error = connecting.exception()
        if error is not None:
            raise failed(str(error)) from error
        return connecting.result()

    def _follow(self, kept: Kept, connection: Connection) -> None:
        kept.connection = connection
        connection.on("disconnection", lambda _: self._lost(kept))
        self.change(kept, Connected=True)

    def _lost(self, kept: Kept) -> None:
        kept.connection, kept.heard_s = None, asyncio.get_running_loop().time()
        self.change(kept, Connected=False, ServicesResolved=False)

    async def _proves(self, connection: Connection) -> bool:
        try:
            await did(connection.encrypt())
        except BleakError:
            return False
        return bool(connection.is_encrypted)

    def change(self, kept: Kept, **props: object) -> None:
        """Say it on the bus, too."""
        kept.props |= props
        for watcher in list(self.watchers):
            watcher(kept.path, props)

    async def pair(self, kept: Kept) -> None:
        await self.answers()
        assert kept.connection is not None
        try:
            await did(kept.connection.pair())
        except BleakError as error:
            raise BleakDBusError("org.bluez.Error.AuthenticationFailed", [str(error)]) from error
        self.change(kept, Paired=True, Bonded=True)

    async def cut(self, kept: Kept) -> None:
        """org.bluez.Device1.Disconnect."""
        if kept.connection is not None:
            await did(kept.connection.disconnect())

    def _end(self, connection: Connection) -> None:
        link = self.chip.le_connections.get(connection.peer_address)
        if link is not None:
            self.ether.cut(self.chip, link, GONE)

    # What is asked of it on the bus.

    async def remove(self, address: str) -> bool:
        kept = self.kept.pop(address, None)
        if kept is None:
            return False
        if kept.connection is not None:
            self._end(kept.connection)
        for key in (address, f"{address}/P"):
            if self.device.keystore and await self.device.keystore.get(key) is not None:
                await self.device.keystore.delete(key)
        return True

    async def power(self, on: bool) -> None:
        if on == self.is_powered:
            return
        if on and self.device.keystore is None:
            await self.device.power_on()
            self.device.keystore = MemoryKeyStore()
        self.is_powered = on
        if not on:
            await self.fall()

    async def unplug(self) -> None:
        """Until `no adapter` is no fault any more; then it is there, and off."""
        await self.power(False)
        self.faults.add("no adapter")

    async def fall(self) -> None:
        """All links and scans end."""
        self.faults -= {"wedged", "scan fails", "deaf", "dead scan"}
        self.scanners.clear()
        for kept in self.kept.values():
            if kept.connection is not None:
                self._end(kept.connection)
        if self.device.is_scanning:
            await self.device.stop_scanning()

    async def restart(self) -> None:
        """It begins with the adapter off, without an agent, and knows only whom it is bonded with."""
        self._starts += 1
        self.faults.discard("daemon hangs")
        await self.fall()
        self.is_powered, self.ask = False, self._unasked
        self.kept = {address: kept for address, kept in self.kept.items() if kept.props.get("Bonded")}
