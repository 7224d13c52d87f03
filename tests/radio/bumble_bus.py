"""The system bus in this very process: a `Stack` answers what our own `Bus` asks of bluetoothd and of systemd."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from bleak.exc import BleakDBusError
from dbus_fast import Message, Variant
from dbus_fast.service import ServiceInterface

from agent.ports.radio.bluez import BluezAir
from agent.ports.radio.bus import BLUEZ, PROPERTIES, Bus
from tests.radio.bleak_bumble import backends
from tests.radio.stack import ADAPTER, Stack

SIGNATURES = {bool: "b", int: "n", str: "s", list: "as"}


def variants(props: dict[str, Any]) -> dict[str, Variant]:
    return {name: Variant(SIGNATURES[type(value)], value) for name, value in props.items()}


class StackBus:
    """As much of a dbus_fast MessageBus as `Bus` needs."""

    def __init__(self, stack: Stack) -> None:
        self.connected = True
        self._stack = stack
        self._serials = count(1)
        self._agent: ServiceInterface | None = None
        self._told: Callable[[Message], Any] = lambda message: None
        stack.watchers.append(self._changed)

    def export(self, path: str, interface: ServiceInterface) -> None:
        self._agent = interface

    def add_message_handler(self, told: Callable[[Message], Any]) -> None:
        self._told = told

    def disconnect(self) -> None:
        self.connected = False
        self._stack.watchers.remove(self._changed)

    def _changed(self, path: str, props: dict[str, Any]) -> None:
        body = [f"{BLUEZ}.Device1", variants(props), []]
        self._told(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))

    async def call(self, message: Message) -> Message:
        message.serial, message.sender = next(self._serials), ":1.1"
        found = getattr(self, f"_on_{message.member}")
        if message.destination == BLUEZ:
            try:
                await self._stack.answers()
            except BleakDBusError as error:
                return Message.new_error(message, error.dbus_error, "bluetoothd ended")
        said: Message | tuple[str, Any] | None = await found(message)
        if isinstance(said, Message):
            return said
        return Message.new_method_return(message, said[0], [said[1]]) if said else Message.new_method_return(message)

    async def _on_AddMatch(self, message: Message) -> None:
        """All is told anyway."""

    async def _on_RegisterAgent(self, message: Message) -> None:
        self._stack.ask = self._ask

    async def _on_RequestDefaultAgent(self, message: Message) -> None:
        """There is only one."""

    def _ask(self, member: str, path: str) -> Any:
        """dbus-fast keeps what a method returns for whoever calls by bus, and so do we."""
        assert self._agent is not None
        (method,) = [one for one in ServiceInterface._get_methods(self._agent) if one.name == member]
        return method.fn(self._agent, path)

    async def _on_GetManagedObjects(self, message: Message) -> tuple[str, Any]:
        powered = {f"{BLUEZ}.Adapter1": variants({"Powered": self._stack.is_powered})}
        devices = {one.path: {f"{BLUEZ}.Device1": variants(one.props)} for one in self._stack.kept.values()}
        return "a{oa{sa{sv}}}", {} if "no adapter" in self._stack.faults else {ADAPTER: powered, **devices}

    async def _on_GetAll(self, message: Message) -> tuple[str, Any] | Message:
        for one in self._stack.kept.values():
            if one.path == message.path:
                return "a{sv}", variants(one.props)
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "no such device")

    async def _on_Set(self, message: Message) -> None:
        assert message.body[:2] == [f"{BLUEZ}.Adapter1", "Powered"]
        is_on = message.body[2].value
        if not is_on:
            self._stack.done.append("power")
        await self._stack.power(is_on)

    async def _on_RemoveDevice(self, message: Message) -> Message | None:
        address = str(message.body[0]).rpartition("dev_")[2].replace("_", ":")
        if not await self._stack.remove(address):
            return Message.new_error(message, "org.bluez.Error.DoesNotExist", "Does Not Exist")
        self._stack.done.append(f"remove {address}")
        return None

    async def _on_RestartUnit(self, message: Message) -> None:
        assert message.body[0] == "bluetooth.service"
        self._stack.done.append("restart")
        await self._stack.restart()


def air(stack: Stack) -> BluezAir:
    """The gateway's own Air, over bleak, over Bumble."""

    async def dial() -> Any:
        return StackBus(stack)

    scanner, client = backends(stack)
    return BluezAir(Bus(dial, Path("/nonexistent")), scanner, client)
