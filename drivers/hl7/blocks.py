"""MLLP: 0B | message | 1C 0D. Neither byte of the frame occurs in a message.

Source: HL7 v2, "Minimal Lower Layer Protocol" (transport specification, release 1).
"""

from __future__ import annotations

from drivers.framing import MORE, Bad, Frame, Skip

START, END, CR = 0x0B, 0x1C, 0x0D
BLOCK_LIMIT_BYTES = 65536


def block(message: bytes) -> bytes:
    """A message as it travels."""
    return bytes([START]) + message + bytes([END, CR])


def cut(buffer: bytearray) -> Frame | Skip | Bad:
    """The message of the block at the start of the buffer. A refused one is skipped whole: none can begin inside."""
    if buffer[0] != START:
        start = buffer.find(START)
        return Skip(start if start > 0 else len(buffer))
    end = buffer.find(END, 1, BLOCK_LIMIT_BYTES)
    again = buffer.find(START, 1, end if end > 0 else BLOCK_LIMIT_BYTES)
    if again > 0:
        return Bad("cut short", again)
    if end < 0:
        return MORE if len(buffer) < BLOCK_LIMIT_BYTES else Bad("too long", BLOCK_LIMIT_BYTES)
    if end + 1 == len(buffer):
        return MORE
    if buffer[end + 1] not in (CR, START):
        return Bad("end", end + 1)
    size = end + 1 if buffer[end + 1] == START else end + 2  # some leave the last byte out
    return Frame(size, bytes(buffer[1:end]))
