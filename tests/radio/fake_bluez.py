"""An org.bluez on a bus of its own: one adapter, one oximeter, and the ways in which BlueZ is strange."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.capture import full

ADAPTER = "/org/bluez/hci0"
DEVICE = f"{ADAPTER}/dev_C0_11_11_11_11_01"
ADDRESS = "C0:11:11:11:11:01"
OFFER = f"{DEVICE}/service0001"
NOTE = f"{OFFER}/char0002"
MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
CONFIG = """<busconfig><type>custom</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>"""


@contextmanager
def system_bus(folder: Path, monkeypatch):
    """A bus that everybody here takes for the system's."""
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(path=folder / "bus"))
    words = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        monkeypatch.setitem(os.environ, "DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder / 'bus'}")
        yield
    finally:
        daemon.kill()
        daemon.wait(10)
        daemon.stdout.close()


class FakeBluez:
    """`connecting` says how Device1.Connect goes: well, flaps, fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.connecting = "well"
        self.agent: tuple[str, str] | None = None
        self.adapter = {
            "Address": Variant("s", "F0:F1:F2:00:00:01"),
            "Powered": Variant("b", False),
            "Discovering": Variant("b", False),
            "Roles": Variant("as", ["central", "peripheral"]),
        }
        self.device = {
            "Address": Variant("s", ADDRESS),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", "PLX 1"),
            "Name": Variant("s", "PLX 1"),
            "Adapter": Variant("o", ADAPTER),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "Trusted": Variant("b", False),
            "RSSI": Variant("n", -50),
            "UUIDs": Variant("as", [full("1822")]),
        }
        self._flapping: asyncio.Task | None = None

    async def start(self) -> None:
        self.bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self.bus.add_message_handler(self._take)
        await self.bus.request_name("org.bluez")

    def close(self) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
        self.bus.disconnect()

    def _objects(self) -> dict:
        offered = {"UUID": Variant("s", full("1822")), "Primary": Variant("b", True), "Device": Variant("o", DEVICE)}
        note = {
            "UUID": Variant("s", full("2a5f")),
            "Service": Variant("o", OFFER),
            "Flags": Variant("as", ["notify"]),
            "Notifying": Variant("b", False),
        }
        return {
            ADAPTER: {"org.bluez.Adapter1": self.adapter},
            DEVICE: {"org.bluez.Device1": self.device},
            OFFER: {"org.bluez.GattService1": offered},
            NOTE: {"org.bluez.GattCharacteristic1": note},
        }

    def change(self, path: str = DEVICE, interface: str = "org.bluez.Device1", **values: Variant) -> None:
        if path == DEVICE:
            self.device.update(values)
        self.bus.send(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []]))

    def note(self, data: bytes) -> None:
        self.change(NOTE, "org.bluez.GattCharacteristic1", Value=Variant("ay", data))

    def _take(self, message: Message):
        if message.message_type is not MessageType.METHOD_CALL or message.interface == "org.freedesktop.DBus.Peer":
            return None
        self.calls.append(str(message.member))
        found = getattr(self, f"_on_{message.member}", None)
        if found is not None:
            return found(message)
        return Message.new_method_return(message)

    def _on_GetManagedObjects(self, message: Message):
        return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])

    def _on_GetAll(self, message: Message):
        return Message.new_method_return(message, "a{sv}", [self.device])

    def _on_Set(self, message: Message):
        interface, name, value = message.body
        if interface == "org.bluez.Adapter1":
            self.adapter[name] = value
            self.change(ADAPTER, interface, **{name: value})
        return Message.new_method_return(message)

    def _on_RegisterAgent(self, message: Message):
        self.agent = str(message.sender), message.body[0]
        return Message.new_method_return(message)

    def _on_StartDiscovery(self, message: Message):
        asyncio.get_running_loop().call_soon(lambda: self.change(RSSI=Variant("n", -51)))
        return Message.new_method_return(message)

    def _on_AcquireNotify(self, message: Message):
        return Message.new_error(message, "org.bluez.Error.NotSupported", "no")

    def _on_Connect(self, message: Message):
        if self.connecting == "flaps":
            self._flapping = asyncio.ensure_future(self._flap())
            return True  # never answered
        if self.connecting == "fails":
            return Message.new_error(message, "org.bluez.Error.Failed", "br-connection-page-timeout")
        self.change(Connected=Variant("b", True))
        self.change(ServicesResolved=Variant("b", True))
        return Message.new_method_return(message)

    def _on_Disconnect(self, message: Message):
        self.change(Connected=Variant("b", False), ServicesResolved=Variant("b", False))
        return Message.new_method_return(message)

    async def _flap(self) -> None:
        while True:
            self.change(Connected=Variant("b", True))
            self.change(Connected=Variant("b", False))
            over = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.02, lambda over=over: over.done() or over.set_result(None))
            await over

    def _on_Pair(self, message: Message):
        self._pairing = asyncio.ensure_future(self._pair(message))
        return True

    async def _pair(self, message: Message) -> None:
        if (await self.ask("RequestAuthorization")).message_type is MessageType.ERROR:
            self.bus.send(Message.new_error(message, "org.bluez.Error.AuthenticationFailed", "refused"))
            return
        self.change(Paired=Variant("b", True), Bonded=Variant("b", True))
        self.bus.send(Message.new_method_return(message))

    async def ask(self, member: str) -> Message:
        """Ask whoever is the agent."""
        assert self.agent is not None
        whom, path = self.agent
        reply = await self.bus.call(
            Message(
                destination=whom, path=path, interface="org.bluez.Agent1", member=member, signature="o", body=[DEVICE]
            )
        )
        assert reply is not None
        return reply


@asynccontextmanager
async def bluez():
    fake = FakeBluez()
    await fake.start()
    try:
        yield fake
    finally:
        fake.close()
