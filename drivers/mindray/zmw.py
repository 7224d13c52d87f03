"""Waves of PDS: a segment ZMW in message 157, one second of one wave.

    ZMW| blocks of eight bytes: seven with their low seven bits, then one whose bit n is bit 7 of byte n; all above 7F
    sum u16 | wave u16 | bytes of a sample u8 | samples a second u16 | reserved u8 | samples | zeros up to a block
    sum: the complement of the sum of all 16-bit words with its carries, as in IP

The guide's text was not at hand: layout as in MR_iPM, sum, lengths and one second in each found on the waves of an iPM
that are printed there. What a count means is not said: waves have no unit and a gain of one.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from drivers.contract import Scale, Wave
from drivers.mindray.codes import DRIVER_ID, LEADS

HEADER = struct.Struct(">HHBHB")
BLOCK = 8
PADDING_LIMIT_BYTES = 7
WORDS = {1: "B", 2: "h"}
CHANNELS = {1101 + at: f"{DRIVER_ID}:ECG{1 + at}" for at in range(12)}  # which lead that is, the monitor decides
CHANNELS |= {1113 + at: f"ecg.{lead}" for at, lead in enumerate(LEADS)}
CHANNELS |= {1151: "resp.wave", 1152: "pleth", 1171: "ibp.art"}


def plain(data: bytes) -> bytes:
    """What eight-byte blocks hold; a piece of a block at the end is left out."""
    out = bytearray()
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        *low, high = data[at : at + BLOCK]
        out += bytes((byte & 0x7F) | (high >> n & 1) << 7 for n, byte in enumerate(low))
    return bytes(out)


def is_whole(data: bytes) -> bool:
    """Whether the sum over everything, with the sum itself, is what it must be."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def wave(coded: bytes) -> Wave | None:
    """The wave of a segment; None where it is damaged or not one second long."""
    data = plain(coded)
    if len(data) <= HEADER.size or not is_whole(data):
        return None
    _, number, size, rate, _ = HEADER.unpack_from(data)
    end = HEADER.size + rate * size
    if size not in WORDS or not rate or not 0 <= len(data) - end < PADDING_LIMIT_BYTES:
        return None
    samples = struct.unpack_from(f">{rate}{WORDS[size]}", data, HEADER.size)
    return Wave(CHANNELS.get(number, f"{DRIVER_ID}:wave-{number}"), samples, Scale(Fraction(rate), "", bits=8 * size))
