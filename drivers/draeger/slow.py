"""The ASCII half of the line: commands and responses with a checksum.

    1B | code | arguments | CS CS | 0D     a command, from either side
    01 | code | data      | CS CS | 0D     the response to it, with the code of the command

CS CS is the sum of all bytes before it, modulo 256, as two hexadecimal digits in capitals.
11 asks us to be silent and 13 lifts that (the reverse of XON and XOFF); 18 gives a message up.
Source: Draeger RS 232 MEDIBUS Protocol Definition rev. 6.00, "MEDIBUS Commands", "MEDIBUS Responses".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.framing import MORE, Bad, Frame, Skip

COMMAND, RESPONSE, END = 0x1B, 0x01, 0x0D
SUSPEND, RESUME, CANCEL = 0x11, 0x13, 0x18
STARTS = re.compile(b"[%c%c]" % (COMMAND, RESPONSE))
NEVER_INSIDE = re.compile(b"[%c%c%c]" % (COMMAND, RESPONSE, CANCEL))
LIMIT_BYTES = 4096
SHORTEST_BYTES = 5

NOP, ICC, IDENTIFY, STOP, TIME_CHANGED, CORRUPT = 0x30, 0x51, 0x52, 0x55, 0x49, 0x15
MEASURED_1, LOW_1, HIGH_1, ALARMS_1, DATE, SETTINGS, TEXTS = 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A
MEASURED_2, LOW_2, HIGH_2, ALARMS_2 = 0x2B, 0x2C, 0x2D, 0x2E
CURVES, CONFIGURE_CURVES, CURVES_CHANGED = 0x53, 0x54, 0x56

# Responses that are lists of items of one size: a good sum over a wrong length is a damaged message.
ITEM_BYTES = {
    **dict.fromkeys((MEASURED_1, LOW_1, HIGH_1, MEASURED_2, LOW_2, HIGH_2), 6),
    **dict.fromkeys((ALARMS_1, ALARMS_2), 15),
    SETTINGS: 7,
    CURVES: 23,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A command of the device's own, or its response to ours."""

    is_command: bool
    code: int
    data: bytes

    def items(self) -> list[bytes]:
        size = ITEM_BYTES[self.code]
        return [self.data[at : at + size] for at in range(0, len(self.data), size)]


def framed(start: int, code: int, data: bytes = b"") -> bytes:
    """A command or a response as it travels."""
    body = bytes((start, code)) + data
    return body + b"%02X\r" % (sum(body) % 256)


def command(code: int, data: bytes = b"") -> bytes:
    return framed(COMMAND, code, data)


def response(code: int) -> bytes:
    """The empty response, which says that we heard the command and have nothing to tell."""
    return framed(RESPONSE, code)


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The body is the start byte, the code and the data. Another start inside a message ends the search in it."""
    if buffer[0] not in (COMMAND, RESPONSE):
        start = STARTS.search(buffer)
        return Skip(start.start() if start else len(buffer))
    end = buffer.find(END, 0, LIMIT_BYTES)
    until = end if end > 0 else min(len(buffer), LIMIT_BYTES)
    if again := NEVER_INSIDE.search(buffer, 1, until):
        return Bad("cut short", again.start())
    if end < 0:
        return MORE if len(buffer) < LIMIT_BYTES else Bad("too long")
    if end + 1 < SHORTEST_BYTES:
        return Bad("too short", end + 1)
    body = bytes(buffer[: end - 2])
    if buffer[end - 2 : end] != b"%02X" % (sum(body) % 256):
        return Bad("checksum", end + 1)
    if body[0] == RESPONSE and (len(body) - 2) % ITEM_BYTES.get(body[1], 1):
        return Bad("length", end + 1)
    return Frame(end + 1, body)


def message(body: bytes) -> Message:
    return Message(body[0] == COMMAND, body[1], body[2:])
