"""The pairing agent that BlueZ asks (org.bluez.Agent1): it agrees only while a person has a device bonded, and to it.

Whoever has a passkey in the configuration is bonded with it or not at all: a device that wants none is refused.

No `from __future__ import annotations` here: dbus-fast reads the annotations, and cannot read a "None" in quotes.
"""

from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_method

AGENT_PATH = "/org/wardlink/agent"
REJECTED = "org.bluez.Error.Rejected"


class PairingAgent(ServiceInterface):
    """`expect` says whom, and with which passkey, just now; empty path: nobody."""

    def __init__(self) -> None:
        super().__init__("org.bluez.Agent1")
        self.refused = 0
        self._path = ""
        self._passkey = ""

    def expect(self, path: str, passkey: str) -> None:
        self._path, self._passkey = path, passkey

    def _check(self, path: str, good: bool) -> None:
        if path != self._path or not good:
            self.refused += 1
            raise DBusError(REJECTED, "not expected")

    @dbus_method(name="Release")
    def release(self) -> None:
        """BlueZ ends."""

    @dbus_method(name="Cancel")
    def cancel(self) -> None:
        """The other side gave up; `Pair` says so too."""

    @dbus_method(name="RequestPasskey")
    def request_passkey(self, device: DBusObjectPath) -> DBusUInt32:
        self._check(device, bool(self._passkey))
        return int(self._passkey)

    @dbus_method(name="RequestPinCode")
    def request_pin(self, device: DBusObjectPath) -> DBusStr:
        self._check(device, bool(self._passkey))
        return self._passkey

    @dbus_method(name="DisplayPasskey")
    def display_passkey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:
        """A device with keys, and nobody here to read: it fails by itself."""

    @dbus_method(name="RequestConfirmation")
    def request_confirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:
        self._check(device, not self._passkey)

    @dbus_method(name="RequestAuthorization")
    def request_authorization(self, device: DBusObjectPath) -> None:
        self._check(device, not self._passkey)

    @dbus_method(name="AuthorizeService")
    def authorize(self, device: DBusObjectPath, uuid: DBusStr) -> None:
        self._check(device, False)
