"""One emulated peripheral: the service its driver claims, the characteristics a capture names, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from drivers import capture, registry
from drivers.contract import Ble
from tests.vm.radio_air import Antenna, Room

CAPTURES = Path(__file__).parents[1] / "captures"
ADVERTISING_MS = 100
PASSKEY = 123456
OPEN = Characteristic.READABLE | Characteristic.WRITEABLE
SECURE = {
    "": OPEN,
    "just-works": OPEN | Characteristic.READ_REQUIRES_ENCRYPTION,
    "passkey": OPEN | Characteristic.READ_REQUIRES_ENCRYPTION | Characteristic.READ_REQUIRES_AUTHENTICATION,
}
SPEAKS = Characteristic.Properties.NOTIFY | Characteristic.Properties.INDICATE | Characteristic.Properties.READ
MODEL, MAKER = ("2a24", b"emulated"), ("2a29", b"wardlink tests")


class Shows(PairingDelegate):
    """A device with a display and no keys."""

    def __init__(self, passkey: int) -> None:
        super().__init__(io_capability=PairingDelegate.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey

    async def display_number(self, number: int, digits: int = 6) -> None:
        """It is on its screen."""


class Peripheral:
    """Speaks from the start of its tale to each who subscribes, again and again."""

    def __init__(self, room: Room, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._wanted, self._story = told(asked["driver"], asked["story"])
        self.antenna = Antenna(asked["name"], link=room)
        given = DeviceConfiguration(
            name=asked["name"],
            address=Address(asked["address"]),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        self._device = Device.from_config_with_hci(given, self.antenna, self.antenna)
        self._device.keystore = MemoryKeyStore()
        self._device.pairing_config_factory = self._pairing
        self._is_shown = False
        self._link: Any = None
        self._speaking: asyncio.Task[None] | None = None
        self._said = 0
        self._events: list[str] = []
        self._values = self._serve(asked["driver"], asked.get("bond", ""))
        self._device.on("connection", self._met)

    async def begin(self) -> None:
        await self._device.power_on()
        await self.show()

    async def show(self) -> None:
        self._is_shown = True
        if self._link is None:
            await self._device.start_advertising(auto_restart=False)

    async def hide(self) -> None:
        """Switched off: it says nothing more, and ends its link."""
        self._is_shown = False
        await (self.drop() if self._link is not None else self._device.stop_advertising())

    async def drop(self) -> None:
        if self._link is not None:
            await self._link.disconnect()

    async def forget(self) -> None:
        await self._device.keystore.delete_all()

    def look(self) -> dict[str, Any]:
        link = self._link
        return {
            "at": time.monotonic(),
            "is_linked": link is not None,
            "is_encrypted": bool(link is not None and link.is_encrypted),
            "said": self._said,
            "events": self._events,
        }

    def _serve(self, driver: str, bond: str) -> dict[str, Characteristic[Any]]:
        """The characteristics by identifier."""
        claim = next(claim for claim in registry.driver(driver).info.claims if isinstance(claim, Ble))
        names = {source for _, _, source in self._story} | set(self._wanted)
        values = {name: Characteristic(UUID(name), SPEAKS, SECURE[bond], b"") for name in sorted(names)}
        read = Characteristic.Properties.READ
        about = [Characteristic(UUID(name), read, Characteristic.READABLE, said) for name, said in (MODEL, MAKER)]
        self._device.add_services(
            [
                Service(UUID(capture.brief(claim.service)), list(values.values())),
                Service(UUID.from_16_bits(0x180A), about),
            ]
        )
        fields = [(AdvertisingData.FLAGS, b"\x06"), (AdvertisingData.COMPLETE_LOCAL_NAME, self._name(claim).encode())]
        fields.insert(1, _advertised(UUID(capture.brief(claim.service))))
        self._device.advertising_data = bytes(AdvertisingData(fields))
        return values

    def _name(self, claim: Ble) -> str:
        return claim.name or str(self._asked["name"])

    def _pairing(self, _link: Any) -> PairingConfig:
        if self._asked.get("bond") == "passkey":
            shows = Shows(self._asked.get("passkey", PASSKEY))
            return PairingConfig(sc=True, mitm=True, bonding=True, delegate=shows)
        silent = PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT)
        return PairingConfig(sc=True, mitm=False, bonding=True, delegate=silent)

    def _met(self, link: Any) -> None:
        self._link = link
        self._events.append("linked")
        link.on("disconnection", self._parted)
        link.on("pairing", lambda _keys: self._events.append("bonded"))
        link.on("pairing_failure", lambda reason: self._events.append(f"not bonded: {reason}"))
        self._speaking = asyncio.create_task(self._speak())

    def _parted(self, reason: int) -> None:
        self._link = None
        self._events.append(f"parted: {reason}")
        if self._speaking is not None:
            self._speaking.cancel()
        if self._is_shown:
            self._showing = asyncio.create_task(self.show())

    async def _speak(self) -> None:
        """To whoever is linked. What nobody has subscribed to is said to nobody."""
        loop = asyncio.get_running_loop()
        period = self._story[-1][0] + 1.0
        began = loop.time()
        for number in itertools.count():
            rounds, at = divmod(number, len(self._story))
            due, data, source = self._story[at]
            await _until(began + rounds * period + due)
            await self._device.notify_subscribers(self._values[source], data)
            self._said += 1


async def _until(when: float) -> None:
    """The loop's time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(when):
            await asyncio.Event().wait()


def told(driver: str, story: str) -> tuple[list[str], list[tuple[float, bytes, str]]]:
    """Of a capture: what its driver subscribes to, and (seconds, bytes, characteristic). The first is meant where the
    capture names none.
    """
    text = (CAPTURES / driver / f"{story}.cap").read_text(encoding="utf-8")
    read = capture.parse(text)
    wanted = [entry.text.split()[1] for entry in read.entries if entry.text.startswith("subscribe ")]
    return wanted, [(at / 1e9, data, capture.brief(source) or wanted[0]) for at, data, source in read.notified()]


def _advertised(service: UUID) -> tuple[int, bytes]:
    is_short = len(service.uuid_bytes) == 2
    kind = (
        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        if is_short
        else AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
    )
    return kind, bytes(service)
