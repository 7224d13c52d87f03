"""An FTDI FT232R as the USB host sees it: descriptors, line settings, modem lines, and packets of two status bytes
and up to 62 of data. Pure: `tests/vm/usbip.py` connects it to the kernel, whose own ftdi_sio drives it.

A line that the host has set otherwise than the device at the far end brings garbled bytes and framing errors, and what
nobody reads is lost beyond the chip's own buffer, as in the real one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

VENDOR, PRODUCT, RELEASE = 0x0403, 0x6001, 0x0600
PACKET_BYTES = 64
CHIP_BYTES = 256
CTS, DSR, RI, CD = 0x10, 0x20, 0x40, 0x80
MODEM = {"cts": CTS, "dsr": DSR, "ri": RI, "cd": CD}
READY, EMPTY, FRAMING = 0x01, 0x60, 0x08  # first status byte; second: transmitter empty, framing error
CLOCK_HZ = 3_000_000
EIGHTHS = (0, 4, 2, 1, 3, 5, 6, 7)  # of the divisor, by its code
PARITIES = "NOEMS"
STOPS = (1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Line:
    """How one end of a serial line is set."""

    baud: int = 9600
    bits: int = 8
    parity: str = "N"
    stop: float = 1

    def agrees(self, other: Line) -> bool:
        """Within the 3 % that a UART forgives."""
        near = abs(self.baud - other.baud) <= other.baud * 0.03
        return near and (self.bits, self.parity) == (other.bits, other.parity)


@dataclass(slots=True)
class Chip:
    """One adapter. `host` is how the host has set its line, `heard` what the host has sent."""

    serial: str
    maker: str = "FTDI"
    product: str = "FT232R USB UART"
    host: Line = field(default_factory=Line)
    dtr: bool = False
    rts: bool = False
    breaks: int = 0
    lost_bytes: int = 0
    latency_ms: int = 16
    heard: bytearray = field(default_factory=bytearray)
    _waiting: bytearray = field(default_factory=bytearray)
    _modem: int = CTS | DSR | CD
    _errors: int = 0
    _news: bool = True
    _break: bool = False

    def say(self, data: bytes, line: Line, is_read: bool) -> None:
        """The far end says this at its own settings. `is_read`: the host waits for it, so the buffer does not fill."""
        if not line.agrees(self.host):
            data, self._errors = garbled(data), FRAMING
        room = len(data) if is_read else max(0, CHIP_BYTES - len(self._waiting))
        self._waiting += data[:room]
        self.lost_bytes += len(data) - len(data[:room])

    @property
    def waiting_bytes(self) -> int:
        return len(self._waiting)

    def modem(self, **lines: bool) -> None:
        """Set what the far end's wires say: cts, dsr, ri, cd."""
        for name, on in lines.items():
            self._modem = self._modem | MODEM[name] if on else self._modem & ~MODEM[name]
        self._news = True

    def packets(self, limit_bytes: int, is_due: bool) -> bytes:
        """The answer to a read of the host; empty while there is nothing to say.

        Less than a packet is said when it `is_due`: when the latency timer ticks, or a wire of the modem has changed.
        """
        out = bytearray()
        if not (is_due or self._news or len(self._waiting) >= PACKET_BYTES - 2):
            return b""
        while (self._waiting or self._news) and len(out) + PACKET_BYTES <= max(limit_bytes, PACKET_BYTES):
            data = self._waiting[: PACKET_BYTES - 2]
            del self._waiting[: PACKET_BYTES - 2]
            out += bytes((self._modem | READY, EMPTY | self._errors)) + data
            self._news, self._errors = False, 0
            if len(data) < PACKET_BYTES - 2:
                break
        return bytes(out)

    def control(self, setup: bytes) -> bytes | None:
        """A control transfer: what to answer, None to refuse."""
        kind, request, value, index, length = struct.unpack("<BBHHH", setup)
        if kind == 0x80 and request == 6:
            told = self._descriptor(value >> 8, value & 0xFF)
            return None if told is None else told[:length]
        if kind == 0x80 and request == 0:
            return b"\x01\x00"[:length]
        if kind == 0x40:
            self._set(request, value, index)
            return b""
        if kind == 0xC0:
            status = bytes((self._modem | READY, EMPTY))
            return {5: status, 0x0A: bytes((self.latency_ms,)), 0x90: b"\xff\xff"}.get(request, bytes(length))[:length]
        return b"" if kind in (0x00, 0x01, 0x02) else None

    def _set(self, request: int, value: int, index: int) -> None:
        match request:
            case 0 if value in (0, 1):  # the driver's first word when a port is opened: empty what was read
                self._waiting.clear()
            case 9:
                self.latency_ms = value & 0xFF
            case 1:
                self.dtr = bool(value & 1) if value & 0x100 else self.dtr
                self.rts = bool(value & 2) if value & 0x200 else self.rts
            case 3:
                self.host = Line(baud_of(value, index), self.host.bits, self.host.parity, self.host.stop)
            case 4:
                is_break = bool(value & 0x4000)
                self.breaks += is_break and not self._break
                self._break = is_break
                parity, stop = PARITIES[value >> 8 & 7], STOPS[value >> 11 & 3]
                self.host = Line(self.host.baud, value & 0xFF, parity, stop)

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == 1:
            numbers = (0x0200, 0, 0, 0, 8, VENDOR, PRODUCT, RELEASE, 1, 2, 3, 1)
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, *numbers)
        if kind == 2:
            ends = b"".join(struct.pack("<BBBBHB", 7, 5, end, 2, PACKET_BYTES, 0) for end in (0x81, 0x02))
            rest = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 2, 0xFF, 0xFF, 0xFF, 2) + ends
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(rest), 1, 1, 0, 0xA0, 45) + rest
        if kind != 3 or index > 3:
            return None
        data = ("\u0409", self.maker, self.product, self.serial)[index].encode("utf-16-le")
        return bytes((len(data) + 2, 3)) + data


def baud_of(value: int, index: int) -> int:
    """The speed that a divisor means (FTDI AN120)."""
    eighths = (value & 0x3FFF) * 8 + EIGHTHS[value >> 14 | (index & 1) << 2]
    special = {0: CLOCK_HZ, 8: CLOCK_HZ * 2 // 3}
    return special.get(eighths) or round(CLOCK_HZ * 8 / eighths)


def garbled(data: bytes) -> bytes:
    """Bytes read at another setting: nothing of them is right."""
    return bytes((byte * 0x9D ^ at * 0x35 ^ 0xA7) & 0xFF for at, byte in enumerate(data, 1))
