"""What is asked of BlueZ over D-Bus beside what bleak does: the agent, removing, power, restart, and watching flaps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

from agent.ports.radio.agent1 import AGENT_PATH, PairingAgent
from agent.ports.radio.air import AirError, NoAdapterError

BLUEZ = "org.bluez"
SYSTEMD = "org.freedesktop.systemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
UNIT = "bluetooth.service"
OFF_S = 1.0
USB_OFF_S = 2.0
REPLY_LIMIT_S = 10.0
CLASS = Path("/sys/class/bluetooth")
Changed = Callable[[str, dict[str, Any]], None]  # object path, properties of Device1


async def system_bus() -> MessageBus:
    return await MessageBus(bus_type=BusType.SYSTEM).connect()


class Bus:
    """Our own connection to the system bus; opened when it is needed, and again where it was lost.

    `dial` opens it; `adapters` is the folder in which the kernel shows them.
    """

    def __init__(self, dial: Callable[[], Awaitable[MessageBus]] = system_bus, adapters: Path = CLASS) -> None:
        self._dial = dial
        self._adapters = adapters
        self.agent = PairingAgent()
        self._bus: MessageBus | None = None
        self._watchers: list[Changed] = []

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        """One method call. Raises AirError."""
        return await self._ask(BLUEZ, path, interface, member, signature, list(body))

    async def _ask(
        self, whom: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> list[Any]:
        message = Message(
            destination=whom, path=path, interface=interface, member=member, signature=signature, body=body
        )
        bus = await self._connected()
        try:
            async with asyncio.timeout(REPLY_LIMIT_S):
                reply = await bus.call(message)
        except (TimeoutError, OSError, EOFError) as error:
            raise AirError(f"{whom} does not answer {member}") from error
        if reply is None or reply.message_type is MessageType.ERROR:
            words = f"{reply.error_name}: {' '.join(map(str, reply.body))}" if reply else "no reply"
            if reply is not None and str(reply.error_name).endswith(("ServiceUnknown", "NameHasNoOwner")):
                raise NoAdapterError("bluetoothd does not run")
            raise AirError(f"{member}: {words}")
        return list(reply.body)

    async def _connected(self) -> MessageBus:
        if self._bus is not None and self._bus.connected:
            return self._bus
        try:
            bus = await self._dial()
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            raise NoAdapterError(f"there is no system bus: {error}") from error
        bus.export(AGENT_PATH, self.agent)
        bus.add_message_handler(self._heard)
        rule = f"type='signal',sender='{BLUEZ}',interface='{PROPERTIES}',member='PropertiesChanged'"
        await bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )
        self._bus = bus
        return bus

    def _heard(self, message: Message) -> None:
        if message.member == "PropertiesChanged" and message.body and message.body[0] == f"{BLUEZ}.Device1":
            values = {name: one.value for name, one in message.body[1].items()}
            for watcher in list(self._watchers):
                watcher(str(message.path), values)

    def watch(self, watcher: Changed) -> None:
        self._watchers.append(watcher)

    def unwatch(self, watcher: Changed) -> None:
        self._watchers.remove(watcher)

    async def register(self) -> None:
        """Be the one whom BlueZ asks. After a restart of bluetoothd it must be said again; twice does no harm."""
        manager = "org.bluez.AgentManager1"
        try:
            await self.call("/org/bluez", manager, "RegisterAgent", "os", AGENT_PATH, "KeyboardDisplay")
        except AirError as error:
            if "AlreadyExists" not in str(error):
                raise
        await self.call("/org/bluez", manager, "RequestDefaultAgent", "o", AGENT_PATH)

    async def adapter(self) -> str:
        """The object path of the first adapter. Raises NoAdapterError."""
        (found,) = await self.call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        adapters = sorted(path for path, interfaces in found.items() if f"{BLUEZ}.Adapter1" in interfaces)
        if not adapters:
            raise NoAdapterError("there is no Bluetooth adapter")
        return str(adapters[0])

    async def device(self, path: str) -> dict[str, Any]:
        """All that BlueZ says of a device."""
        (values,) = await self.call(path, PROPERTIES, "GetAll", "s", f"{BLUEZ}.Device1")
        return {name: one.value for name, one in values.items()}

    async def remove(self, path: str) -> None:
        await self.call(await self.adapter(), f"{BLUEZ}.Adapter1", "RemoveDevice", "o", path)

    async def power(self, on: bool) -> None:
        body = (f"{BLUEZ}.Adapter1", "Powered", Variant("b", on))
        await self.call(await self.adapter(), PROPERTIES, "Set", "ssv", *body)

    async def restart(self) -> None:
        """Needs the right to manage this unit (polkit)."""
        body = [UNIT, "replace"]
        await self._ask(SYSTEMD, "/org/freedesktop/systemd1", f"{SYSTEMD}.Manager", "RestartUnit", "ss", body)

    async def replug(self) -> None:
        """Take the USB power of every adapter away. Needs the right to write to its `authorized`."""
        files = await asyncio.to_thread(_switches, self._adapters)
        if not files:
            raise AirError("the adapter is not on USB")
        for file in files:
            try:
                await asyncio.to_thread(file.write_text, "0")
                await asyncio.sleep(USB_OFF_S)
                await asyncio.to_thread(file.write_text, "1")
            except OSError as error:
                raise AirError(f"{file}: {error.strerror}") from error

    def close(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()


def _switches(adapters: Path) -> list[Path]:
    return [file for file in map(_authorized, sorted(adapters.glob("hci*"))) if file is not None]


def _authorized(adapter: Path) -> Path | None:
    """The switch of the USB device that an adapter is part of."""
    for folder in (adapter / "device").resolve().parents:
        if (folder / "authorized").exists() and (folder / "idVendor").exists():
            return folder / "authorized"
    return None
