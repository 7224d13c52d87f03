"""A device by radio, made of what it advertises and offers, on Bumble: for `wardlink replay --ble` and for tests."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from drivers.capture import brief

ADVERTISING_MS = 500.0
NAME_LIMIT_LETTERS = 20


@dataclass(frozen=True, slots=True)
class Face:
    """What a device shows. `characteristics` it offers in its one service, all of them to be heard and written.

    `passkey`: it shows these six digits and wants them; empty: just works. `told` are values that are only to be read.
    """

    address: str
    name: str
    service: str
    characteristics: tuple[str, ...]
    passkey: str = ""
    told: tuple[tuple[str, bytes], ...] = ()


class _Shows(PairingDelegate):
    """A display that shows the passkey, or nothing at all."""

    def __init__(self, passkey: str) -> None:
        shows = PairingDelegate.DISPLAY_OUTPUT_ONLY if passkey else PairingDelegate.NO_OUTPUT_NO_INPUT
        super().__init__(io_capability=shows)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return int(self._passkey)


class Peripheral:
    """`wrote` is told what the other side writes. Start it once; it advertises when told, and again after each loss."""

    def __init__(
        self, face: Face, source: Any, sink: Any, wrote: Callable[[str, bytes], None] = lambda source, data: None
    ) -> None:
        self.face = face
        self.wrote = wrote
        self.wants = asyncio.Event()  # somebody subscribed to something
        self._wants_to_be_seen = False
        config = DeviceConfiguration(
            name=face.name,
            address=Address(face.address),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        self.device = Device.from_config_with_hci(config, source, sink)
        self.device.advertising_data = bytes(_advertised(face))
        self._offered = {one: self._characteristic(one) for one in face.characteristics}
        told = [
            Characteristic[bytes](_uuid(source), Characteristic.Properties.READ, Characteristic.READABLE, value)
            for source, value in face.told
        ]
        self.device.add_services([Service(_uuid(face.service), [*self._offered.values(), *told])])
        self.device.pairing_config_factory = lambda connection: PairingConfig(
            sc=True, mitm=bool(face.passkey), bonding=True, delegate=_Shows(face.passkey)
        )
        self.device.on("connection", self._connected)

    def _characteristic(self, source: str) -> Characteristic[bytes]:
        props = Characteristic.Properties
        made = Characteristic[bytes](
            _uuid(source),
            props.NOTIFY | props.WRITE | props.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=lambda connection, data: self.wrote(source, bytes(data))),
        )
        made.on("subscription", lambda *_: self.wants.set())
        return made

    async def start(self) -> None:
        await self.device.power_on()
        self.device.keystore = MemoryKeyStore()

    def _connected(self, connection: Any) -> None:
        connection.on("disconnection", lambda _: self._again())

    def _again(self) -> None:
        self.wants.clear()
        if self._wants_to_be_seen:
            self._job = asyncio.ensure_future(self.show())

    async def show(self) -> None:
        """Advertise, and again after each loss, until `hide`."""
        self._wants_to_be_seen = True
        if not self.device.is_advertising and not self.device.connections:
            await self.device.start_advertising()

    async def hide(self) -> None:
        self._wants_to_be_seen = False
        if self.device.is_advertising:
            await self.device.stop_advertising()

    async def say(self, source: str, data: bytes) -> None:
        """Notify whoever subscribed."""
        await self.device.notify_subscribers(self._offered[source], data)

    async def forget(self) -> None:
        """Lose all bonds."""
        self.device.keystore = MemoryKeyStore()

    @property
    def is_connected(self) -> bool:
        return bool(self.device.connections)

    async def drop(self) -> None:
        """End the connection from this side."""
        for connection in list(self.device.connections.values()):
            await connection.disconnect()


def _advertised(face: Face) -> AdvertisingData:
    service = _uuid(face.service)
    short = len(service.to_bytes()) == 2
    listed = (
        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        if short
        else AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
    )
    structures: Iterable[tuple[int, bytes]] = [
        (AdvertisingData.FLAGS, struct.pack("B", 6)),
        (listed, bytes(service)),
        (AdvertisingData.COMPLETE_LOCAL_NAME, face.name.encode()[: NAME_LIMIT_LETTERS if short else 8]),
    ]
    return AdvertisingData(list(structures))


def _uuid(text: str) -> UUID:
    return UUID(brief(text))
