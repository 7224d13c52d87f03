"""A barcode reader as the USB host sees it: a boot keyboard (USB HID 1.11, appendix B and E) that types what it reads.

Pure, as `tests/vm/ftdi.py` is: `tests/vm/usbip.py` connects it to the kernel, whose usbhid makes an event device of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from string import ascii_lowercase

VENDOR, PRODUCT, RELEASE = 0x0C2E, 0x0B61, 0x0100
REPORT_BYTES = 8
SHIFT = 0x02
ENTER = 40  # usages of the keyboard page, HID Usage Tables 1.12 section 10
USAGES = {letter: 4 + at for at, letter in enumerate(ascii_lowercase)}
USAGES |= dict(zip("1234567890", range(30, 40), strict=True))
USAGES |= {"\n": ENTER, "-": 45, "]": 48, " ": 44}
MAP = bytes.fromhex(
    "05010906A101 050719E029E7 150025017501 95088102 95017508 8101 95067508 150025650507 190029658100 C0".replace(
        " ", ""
    )
)


@dataclass(slots=True)
class Scanner:
    """One reader. `heard`, as every chip has it, stays empty: a keyboard is told of its lamps by control transfers."""

    serial: str
    maker: str = "Maker"
    product: str = "Reader"
    latency_ms: int = 1  # between two reports: a fast reader
    heard: bytearray = field(default_factory=bytearray)
    _reports: list[bytes] = field(default_factory=list)

    def type(self, text: str) -> None:
        """Each key pressed and let go, on a keyboard of the United States."""
        for char in text:
            key = bytes((SHIFT if char.isupper() else 0, 0, USAGES[char.lower()])) + bytes(5)
            self._reports += [key, bytes(REPORT_BYTES)]

    @property
    def waiting_bytes(self) -> int:
        return len(self._reports) * REPORT_BYTES

    def packets(self, limit_bytes: int, is_due: bool) -> bytes:
        """The answer to a read of the host: one report when the host asks again, empty while no key moves."""
        return self._reports.pop(0) if self._reports and is_due and limit_bytes >= REPORT_BYTES else b""

    def control(self, setup: bytes) -> bytes | None:
        """A control transfer: what to answer, None to refuse."""
        kind, request, value, _, length = struct.unpack("<BBHHH", setup)
        if kind in (0x80, 0x81) and request == 6:
            told = self._descriptor(value >> 8, value & 0xFF)
            return None if told is None else told[:length]
        if kind == 0x80 and request == 0:
            return b"\x00\x00"[:length]
        return b"" if kind in (0x00, 0x01, 0x02, 0x21) else None

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == 1:
            numbers = (0x0200, 0, 0, 0, 8, VENDOR, PRODUCT, RELEASE, 1, 2, 3, 1)
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, *numbers)
        hid = struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, len(MAP))
        if kind == 2:
            rest = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, 3, 1, 1, 0) + hid
            rest += struct.pack("<BBBBHB", 7, 5, 0x81, 3, REPORT_BYTES, 10)
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(rest), 1, 1, 0, 0xA0, 45) + rest
        if kind in (0x21, 0x22):
            return hid if kind == 0x21 else MAP
        if kind != 3 or index > 3:
            return None
        data = ("\u0409", self.maker, self.product, self.serial)[index].encode("utf-16-le")
        return bytes((len(data) + 2, 3)) + data
