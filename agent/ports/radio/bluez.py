"""BlueZ as an Air: bleak for scanning and GATT, our own bus for what bleak does not do.

True of BlueZ and not of the radio: a device that is not bonded is forgotten 30 s after it was last heard, so the scan
never ends; an advertisement like the last one is not told again until the scan is begun afresh; a bonded device is
connected only if it proves its bond, and one that lost it comes and goes five times a second without an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from dbus_fast.errors import DBusError

from agent.ports.radio.air import AbsentError, AirError, BondError, LackError, NoAdapterError, Seen
from agent.ports.radio.bus import OFF_S, Bus

DEVICES_LIMIT_COUNT = 512
FLAPS_LIMIT_COUNT = 3
CONNECT_LIMIT_S = 20.0  # the caller's own is shorter
WANTS_BOND = ("NotPermitted", "NotAuthorized", "Authentication", "Encryption", "insufficient", "INSUFFICIENT")


@asynccontextmanager
async def spoken() -> AsyncIterator[None]:
    """What bleak and the bus raise, in our words."""
    try:
        yield
    except BleakBluetoothNotAvailableError as error:
        is_none = error.reason is BleakBluetoothNotAvailableReason.NO_BLUETOOTH
        raise NoAdapterError("there is no Bluetooth adapter" if is_none else str(error.args[0])) from error
    except (BleakError, DBusError, EOFError, OSError, AssertionError) as error:
        words = f"{type(error).__name__}: {error}"
        if any(word in words for word in WANTS_BOND):
            raise BondError("it wants to be bonded (wardlink bond)") from error
        raise AirError(words) from error


class Flaps:
    """Counts how often a device was lost while it was being connected; `lost` is set when that is no accident."""

    def __init__(self, path: str) -> None:
        self.lost = asyncio.Event()
        self._path = path
        self._count = 0

    def __call__(self, path: str, values: dict[str, object]) -> None:
        if path == self._path and values.get("Connected") is False:
            self._count += 1
            if self._count >= FLAPS_LIMIT_COUNT:
                self.lost.set()


class BluezContact:
    """One BleakClient that is connected."""

    def __init__(self, client: BleakClient, bus: Bus, path: str, afresh: Callable[[], None]) -> None:
        self.lost = ""
        self._client = client
        self._bus = bus
        self._path = path
        self._afresh = afresh
        self._found: dict[str, BleakGATTCharacteristic] = {}

    @property
    def address(self) -> str:
        return self._client.address.upper()

    async def prove(self) -> bool:
        """BlueZ resolves no services of a bonded device before the link is encrypted with its bond."""
        said = await self._bus.device(self._path)
        return bool(said.get("Bonded", said.get("Paired")) and said.get("Connected") and said.get("ServicesResolved"))

    async def pair(self, passkey: str) -> None:
        self._bus.agent.expect(self._path, passkey)
        try:
            async with spoken():
                await self._client.pair()
        except NoAdapterError:
            raise
        except AirError as error:
            raise BondError(f"it would not be bonded: {error}") from error
        finally:
            self._bus.agent.expect("", "")

    async def characteristics(self) -> frozenset[str]:
        async with spoken():
            for one in self._client.services.characteristics.values():
                self._found.setdefault(one.uuid.lower(), one)
        return frozenset(self._found)

    async def subscribe(self, characteristic: str, heard: Callable[[bytes], None]) -> None:
        one = self._found[characteristic]
        if not {"notify", "indicate"} & set(one.properties):
            raise LackError(f"{characteristic} notifies nothing")
        async with spoken():
            await self._client.start_notify(one, lambda _, data: heard(bytes(data)))

    async def read(self, characteristic: str) -> bytes:
        one = self._found[characteristic]
        if "read" not in one.properties:
            raise LackError(f"{characteristic} is not to be read")
        async with spoken():
            return bytes(await self._client.read_gatt_char(one))

    async def write(self, characteristic: str, data: bytes) -> None:
        one = self._found[characteristic]
        async with spoken():
            await self._client.write_gatt_char(one, data, response="write" in one.properties)

    async def disconnect(self) -> None:
        async with spoken():
            await self._client.disconnect()
        self._afresh()


class BluezAir:
    """The first adapter that is there. bleak's backends are its own for this machine unless others are given."""

    def __init__(
        self,
        bus: Bus | None = None,
        scanner: type[BaseBleakScanner] | None = None,
        client: type[BaseBleakClient] | None = None,
    ) -> None:
        self._bus = bus or Bus()
        self._backends = scanner, client
        self._scanner: BleakScanner | None = None
        self._seen: Callable[[Seen], None] = lambda seen: None
        self._devices: dict[str, BLEDevice] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._scanning = asyncio.Lock()

    async def scan(self, seen: Callable[[Seen], None]) -> None:
        self._seen = seen
        async with self._scanning:
            await self._stop()
            await self._bus.register()
            async with spoken():
                await self._start()

    async def _start(self) -> None:
        """An adapter that is off, as after each start of the machine, is switched on."""
        try:
            self._scanner = await self._started()
        except BleakBluetoothNotAvailableError as error:
            if error.reason is not BleakBluetoothNotAvailableReason.POWERED_OFF:
                raise
            await self._bus.power(True)
            self._scanner = await self._started()

    async def _started(self) -> BleakScanner:
        """Every advertisement is wanted, not only the first: one that failed is connected when it is heard again."""
        scanner = BleakScanner(self._advertised, bluez={"filters": {"DuplicateData": True}}, backend=self._backends[0])
        await scanner.start()
        return scanner

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            try:
                async with spoken():
                    await scanner.stop()
            except AirError:
                return  # it is dead: that is why it is begun afresh

    def _afresh(self) -> None:
        """Have everybody's next advertisement told."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="ble scan")

    async def _renew(self) -> None:
        async with self._scanning:
            if self._scanner is None:
                return
            await self._stop()
            try:
                async with spoken():
                    await self._start()
            except AirError:
                return  # the host hears nobody, and begins again by itself

    def _advertised(self, device: BLEDevice, data: AdvertisementData) -> None:
        address = device.address.upper()
        props = device.details["props"]
        self._devices.pop(address, None)
        self._devices[address] = device
        if len(self._devices) > DEVICES_LIMIT_COUNT:
            del self._devices[next(iter(self._devices))]
        name = data.local_name or device.name or ""
        services = frozenset(uuid.lower() for uuid in data.service_uuids)
        kind, bonded = str(props.get("AddressType", "")), bool(props.get("Bonded", False))
        self._seen(Seen(address, kind, name, services, data.rssi, bonded))

    async def connect(self, address: str, stirred: Callable[[], None]) -> BluezContact:
        device = self._devices.get(address)
        if device is None:
            raise AbsentError("it was not heard")
        contacts: list[BluezContact] = []

        def gone(client: BleakClient) -> None:
            contacts[0].lost = "disconnected"
            stirred()

        client = BleakClient(device, gone, timeout=CONNECT_LIMIT_S, backend=self._backends[1])
        contact = BluezContact(client, self._bus, device.details["path"], self._afresh)
        contacts.append(contact)
        try:
            await self._connect(client, device.details["path"])
        finally:
            if not client.is_connected:
                self._afresh()
        contact.lost = "" if client.is_connected else "disconnected"  # bleak may have tried more than once
        return contact

    async def _connect(self, client: BleakClient, path: str) -> None:
        flaps = Flaps(path)
        self._bus.watch(flaps)
        connecting = asyncio.create_task(_connected(client), name="ble connect")
        flapping = asyncio.create_task(flaps.lost.wait(), name="ble flaps")
        try:
            await asyncio.wait([connecting, flapping], return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise BondError("it comes and goes without proving its bond")
            await connecting
        finally:
            self._bus.unwatch(flaps)
            connecting.cancel()  # which disconnects
            flapping.cancel()
            await asyncio.wait([connecting, flapping])

    async def remove(self, address: str) -> None:
        device = self._devices.pop(address, None)
        path = device.details["path"] if device else f"{await self._bus.adapter()}/dev_{address.replace(':', '_')}"
        try:
            await self._bus.remove(path)
        except AirError as error:
            if "DoesNotExist" not in str(error):
                raise
        self._afresh()

    async def power(self) -> None:
        await self._bus.power(False)
        await asyncio.sleep(OFF_S)
        await self._bus.power(True)

    async def restart(self) -> None:
        await self._stop()
        await self._bus.restart()

    async def replug(self) -> None:
        await self._stop()
        await self._bus.replug()

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        await self._stop()
        self._bus.close()


async def _connected(client: BleakClient) -> None:
    async with spoken():
        try:
            await client.connect()
        except TimeoutError as error:
            raise AbsentError("it does not answer") from error
