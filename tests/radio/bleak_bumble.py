"""A backend for bleak whose stack is a Bumble host in this very process: for `BleakScanner` and `BleakClient`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble.device import Advertisement, Connection, Peer

from tests.radio.bleak_words import did, long
from tests.radio.stack import Kept, Stack

MTU_BYTES = 517  # what bluetoothd asks for
ATT_HEAD_BYTES = 3


class Scanner(BaseBleakScanner):
    """Tells again of an advertisement like the last one only where that is asked for, and where the adapter does."""

    stack: Stack

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        bluez: dict[str, Any],
        **others: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._tells_again = bluez.get("filters", {}).get("DuplicateData", False) and self.stack.tells_again
        self._told: dict[str, bytes] = {}

    async def start(self) -> None:
        self.seen_devices.clear()
        await self.stack.scan(self._heard)

    async def stop(self) -> None:
        await self.stack.hush(self._heard)

    def _heard(self, kept: Kept, report: Advertisement) -> None:
        address, props = kept.props["Address"], kept.props
        if not self._tells_again and self._told.get(address) == report.data_bytes:
            return
        self._told[address] = report.data_bytes
        services = props.get("UUIDs", [])
        if not self.is_allowed_uuid(services):
            return
        data = AdvertisementData(props.get("Name"), {}, {}, services, None, props["RSSI"], (kept.path, props))
        details = {"path": kept.path, "props": props}
        self.call_detection_callbacks(
            self.create_or_update_device(kept.path, address, props.get("Name"), details, data), data
        )


class Client(BaseBleakClient):
    stack: Stack

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **others: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._connection: Connection | None = None
        self._notified: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        kept = self.stack.kept.get(self.address)
        return str(kept.props.get("Name", "")) if kept else ""

    @property
    def mtu_size(self) -> int:
        return int(self._there.att_mtu)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def _there(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    async def connect(self, pair: bool, **others: Any) -> None:
        async with asyncio.timeout(self._timeout):
            try:
                self._connection = await self.stack.connect(self.address, self._gone)
                self.services = await self._resolved(Peer(self._connection))
                self.stack.change(self._kept, ServicesResolved=True)
            except (BleakError, asyncio.CancelledError):
                await self.disconnect()
                raise

    @property
    def _kept(self) -> Kept:
        return self.stack.kept[self.address]

    def _gone(self) -> None:
        self._connection = self.services = None
        self._notified.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def _resolved(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        await did(peer.request_mtu(MTU_BYTES))
        for offered in await did(peer.discover_services()):
            service = BleakGATTService(offered, offered.handle, long(offered.uuid))
            found.add_service(service)
            for one in await did(offered.discover_characteristics()):
                props = sorted(gatt_char_props_to_strs(int(one.properties)))
                found.add_characteristic(
                    BleakGATTCharacteristic(one, one.handle, long(one.uuid), props, self._most, service)
                )
        return found

    def _most(self) -> int:
        return self.mtu_size - ATT_HEAD_BYTES

    async def disconnect(self) -> None:
        if self._connection is not None:
            await did(self._connection.disconnect())

    async def pair(self, *given: Any, **others: Any) -> None:
        assert self._there
        await self.stack.pair(self._kept)

    async def unpair(self) -> None:
        await self.stack.remove(self.address)

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **others: Any
    ) -> bytearray:
        assert self._there
        return bytearray(await did(characteristic.obj.read_value()))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        assert self._there
        await did(characteristic.obj.write_value(bytes(data), with_response=response))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **others: Any
    ) -> None:
        assert self._there

        def heard(data: bytes) -> None:
            callback(bytearray(data))

        await did(characteristic.obj.subscribe(heard, prefer_notify=True))
        self._notified[characteristic.handle] = heard

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        assert self._there
        await did(characteristic.obj.unsubscribe(self._notified.pop(characteristic.handle, None)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **others: Any
    ) -> bytearray:
        raise NotImplementedError("none are looked for")

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        raise NotImplementedError("none are looked for")


def backends(stack: Stack) -> tuple[type[Scanner], type[Client]]:
    """bleak takes classes: these are of one stack."""
    return type("BumbleScanner", (Scanner,), {"stack": stack}), type("BumbleClient", (Client,), {"stack": stack})
