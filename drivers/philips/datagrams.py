"""Messages on the network: the payloads of the serial line without its frames, one in each datagram.

    E1 00 00 02 | type u16 | length u16 | ..                a remote operation
    0E | length | 05 ..    0C | length | 03 or 05 ..        association accepted, refused
    09 | length | C1 ..    0A | length | C1 ..              release wanted, released
    19 | length | 11 ..                                     given up
        length: one byte, or FF and two

Each says its own length, so they are read as a stream: where one datagram ends and the next begins need not be known.
Source: Philips Data Export Interface Programming Guide rev. G.0, "Session and presentation headers", through the
programs that follow it.
"""

from __future__ import annotations

from drivers.contract import Counts
from drivers.framing import MORE, Bad, Frame, Skip
from drivers.philips.frames import Reader, cut_payload
from drivers.philips.messages import ABORT, ACCEPT, ERROR, INVOKE, LINKED, REFUSE, RELEASE, RELEASED, RESULT

PAYLOAD_LIMIT_BYTES = 8192  # a monitor sends 1456 at most, as it was asked to
OPERATION = bytes.fromhex("E1000002")
OPERATIONS = (INVOKE, RESULT, ERROR, LINKED)
CONTROLS = {ACCEPT: (0x05,), REFUSE: (0x03, 0x05), RELEASE: (0xC1,), RELEASED: (0xC1,), ABORT: (0x11,)}
LONG = 0xFF


def payload_of(frame: bytes) -> bytes:
    """What a frame of the serial line holds."""
    found = cut_payload(bytearray(frame))
    assert isinstance(found, Frame), "our own frames are whole"
    return found.body


def cut_message(buffer: bytearray) -> Frame | Skip | Bad:
    """The message at the start of the buffer."""
    size = _operation_bytes(buffer) if buffer[0] == OPERATION[0] else _control_bytes(buffer)
    if size is None:
        return Skip(1)
    if size > PAYLOAD_LIMIT_BYTES:
        return Bad("length")
    return Frame(size, bytes(buffer[:size])) if 0 < size <= len(buffer) else MORE


def _operation_bytes(buffer: bytearray) -> int | None:
    """How long it is; 0: not enough is there to say, None: there is none."""
    if not OPERATION.startswith(buffer[:4]):
        return None
    if len(buffer) < 8:
        return 0
    if int.from_bytes(buffer[4:6], "big") not in OPERATIONS:
        return None
    return 8 + int.from_bytes(buffer[6:8], "big")


def _control_bytes(buffer: bytearray) -> int | None:
    if buffer[0] not in CONTROLS:
        return None
    head = 4 if buffer[1:2] == bytes([LONG]) else 2
    if len(buffer) <= head:
        return 0
    if buffer[head] not in CONTROLS[buffer[0]]:
        return None
    return head + int.from_bytes(buffer[head // 2 : head], "big")


class Stream(Reader):
    """Turns datagrams into messages."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(counts, cut_message)
