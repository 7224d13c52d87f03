"""Frames on the MIB/RS232 line: cutting them out of the byte stream, and making them.

    C0 | 11 01 | length u16 | payload | FCS low, high | C1

Inside, C0, C1 and 7D travel as 7D followed by the byte with bit 5 turned over. 7D C1 gives a frame up.
FCS is CRC-16/X-25 over everything between the flags, as it was before escaping.
Source: Philips Data Export Interface Programming Guide rev. G.0, "The Fixed Baudrate Protocol".
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterator

from drivers.contract import Counts
from drivers.framing import MORE, Bad, Cut, Frame, Framer, Skip, find
from drivers.philips.messages import MalformedError, Message, parse

START, END, ESCAPE = 0xC0, 0xC1, 0x7D
HEADER = b"\x11\x01"
FLIP = 0x20
FRAME_LIMIT_BYTES = 8192  # the largest a monitor may send is about 1000 bytes, twice that if every byte is escaped

# crc_hqx takes the high bit first and X-25 the low bit: mirrored bytes give the mirrored sum, at the speed of C.
MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
GOOD_SUM = 0x1D0F  # the mirrored residue F0B8 of a frame with its FCS


def fcs(data: bytes) -> bytes:
    """The two FCS bytes that follow `data` on the line."""
    mirrored = crc_hqx(data.translate(MIRROR), 0xFFFF) ^ 0xFFFF
    return mirrored.to_bytes(2, "big").translate(MIRROR)


def framed(payload: bytes) -> bytes:
    """`payload` as it travels, flags included."""
    body = HEADER + len(payload).to_bytes(2, "big") + payload
    out = bytearray([START])
    for byte in body + fcs(body):
        out += bytes([ESCAPE, byte ^ FLIP]) if byte in (START, END, ESCAPE) else bytes([byte])
    return bytes(out + bytes([END]))


def unescaped(body: bytes) -> bytes | None:
    """What was escaped into `body`; None where an escape is followed by nothing it could stand for."""
    first, *rest = body.split(bytes([ESCAPE]))
    if not all(rest):
        return None
    return first + b"".join(bytes([part[0] ^ FLIP]) + part[1:] for part in rest)


def cut_payload(buffer: bytearray) -> Frame | Skip | Bad:
    """The payload at the start of the buffer. A refused frame is skipped whole: no other frame can begin inside it."""
    skip = find(buffer, bytes([START]))
    if skip is not None:
        return skip
    end = buffer.find(END, 1, FRAME_LIMIT_BYTES)
    again = buffer.find(START, 1, end if end > 0 else FRAME_LIMIT_BYTES)
    if again > 0:
        return Bad("truncated", again)
    if end < 0:
        return MORE if len(buffer) < FRAME_LIMIT_BYTES else Bad("too long", FRAME_LIMIT_BYTES)
    return _checked(bytes(buffer[1:end]), end + 1)


def _checked(body: bytes, size: int) -> Frame | Bad:
    if body.endswith(bytes([ESCAPE])):
        return Bad("given up", size)
    plain = unescaped(body) if ESCAPE in body else body
    if plain is None:
        return Bad("escape", size)
    if crc_hqx(plain.translate(MIRROR), 0xFFFF) != GOOD_SUM:
        return Bad("fcs", size)
    if plain[:2] != HEADER:
        return Bad("header", size)
    if int.from_bytes(plain[2:4], "big") != len(plain) - 6:
        return Bad("length", size)
    return Frame(size, plain[4:-2])


class Reader:
    """Turns bytes into messages. A frame whose content does not add up is refused like one with a wrong FCS."""

    def __init__(self, counts: Counts, cut: Cut = cut_payload) -> None:
        self._framer = Framer(self._whole, counts, FRAME_LIMIT_BYTES)
        self._cut = cut
        self._message: Message | None = None

    def feed(self, data: bytes) -> Iterator[Message]:
        for _ in self._framer.feed(data):
            assert self._message is not None
            yield self._message

    def _whole(self, buffer: bytearray) -> Frame | Skip | Bad:
        found = self._cut(buffer)
        if isinstance(found, Frame):
            try:
                self._message = parse(found.body)
            except MalformedError as error:
                return Bad(error.reason, found.size)
        return found

    def __len__(self) -> int:
        return len(self._framer)
