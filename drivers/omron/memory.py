"""The memory of an Omron blood pressure monitor: 16-bit words, in an order of bytes that depends on the model.

    index   at the settings' address, a word for each user: bits 0-7 the slot that is written next
    clock   three words: month | year, hour | day, second | minute, the high byte first
    record  7 words, 8 in later models; those of a user stand in a ring of slots
            w0 diastolic | systolic-25    w1 year-2000, bits 0-5 of it | pulse rate
            w2 bit 15 movement, 14 irregular pulse, 13-10 month, 9-5 day, 4-0 hour
            w3 bit 12 the cuff fits, 11-6 minute, 5-0 second, up to 63
            last word: the low byte is the sum of all bytes before the word, modulo 256

Where the source speaks of two layouts, one is the other with the bytes of each word exchanged. The sum is no source's:
it was found in 32 real records of six models, one of 16 bytes, and holds in every one. The high byte of the last
word is its complement, 0 or something else. Not known: w4 and the words behind it (w5 counts up, on most models),
bits 13 to 15 of w3 (on some the number of a measurement within three), bits 6 and 7 of the year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Order = Literal["little", "big"]

EMPTY_FROM = 0xE2  # in the place of systolic-25
LEAST_SYSTOLIC = 25
MOVED, IRREGULAR, FITS = 1 << 15, 1 << 14, 1 << 12


@dataclass(frozen=True, slots=True)
class Map:
    """Addresses are in bytes. `cursors` is where a user's word stands in the index, `piece` how many slots a read gets.

    `unlock`: "key" compares the 16 bytes once written to the monitor, "token" wants its own four bytes back, or "".
    """

    order: Order
    settings: int
    clock: int
    users: tuple[int, ...]
    slots: int
    size: int
    piece: int = 3
    unlock: str = "token"
    cursors: tuple[int, ...] = (0, 2)


# From eigger/hass-omron, device_catalog.py at 0467b763, and userx14/omblepy, deviceSpecific.
OLD = Map("big", 0x0260, 0x16, (0x02AC, 0x0824), 100, 14, 4, "key")
WRIST = Map("big", 0x0260, 0x34, (0x02E8, 0x0860), 100, 14, 4, "key")
SMALL = Map("big", 0x0260, 0x34, (0x02E8,), 90, 14, 1, "key")
MAPS = {
    "HEM-7322T": OLD,
    "HEM-7321T": OLD,
    "HEM-7280T": OLD,
    "HEM-7600T": Map("big", 0x0260, 0x16, (0x02AC,), 100, 14, 3, "key"),
    "HEM-6232T": WRIST,
    "HEM-7530T": SMALL,
    "HEM-6161T": Map("big", 0x0260, 0x34, (0x02E8,), 30, 14, 1, "key"),
    "HEM-7361T": Map("little", 0x0010, 0x34, (0x0098, 0x06D8), 100, 16, 1, "key"),
    "HEM-7342T": Map("little", 0x0010, 0x34, (0x0098, 0x06D8), 100, 16, 1, "key"),
    "HEM-7155T": Map("little", 0x0010, 0x34, (0x0098, 0x0458), 60, 16, 1, "key"),
    "HEM-7150T": Map("little", 0x0010, 0x34, (0x0098,), 60, 16, 1, "key"),
    "HEM-7151T": Map("little", 0x0010, 0x34, (0x0098,), 80, 16, 1, "key"),
    "HEM-7155T_ESL1": Map("little", 0x0260, 0x34, (0x02E8, 0x06A8), 60, 16, cursors=(0, 8)),
    "HEM-7142T2": Map("little", 0x0260, 0x34, (0x02E8,), 14, 14),
    "HEM-7143T": Map("little", 0x0260, 0x34, (0x02E8,), 30, 14, unlock=""),
    "HEM-7144T": Map("little", 0x0260, 0x34, (0x02E8,), 30, 14, unlock=""),
    "HEM-7146T": Map("little", 0x0260, 0x34, (0x02E8,), 30, 14, unlock=""),
    "HEM-7188T1": Map("little", 0x0010, 0x34, (0x01C4,), 30, 16),
    "HEM-7380T1": Map("little", 0x0010, 0x34, (0x01C4, 0x0804), 100, 16),
    "HEM-7377T1": Map("little", 0x0010, 0x38, (0x080C, 0x0D0C), 80, 16),
    "HEM-7382T1": Map("little", 0x0010, 0x38, (0x080C, 0x0E4C), 100, 16),
    "HEM-7386T1": Map("little", 0x0010, 0x38, (0x080C, 0x0E4C), 100, 16),
}


def map_of(model: str) -> Map | None:
    """The map of a model as its type plate says it, HEM-7322T-E: the longest beginning counts."""
    names = [name for name in MAPS if model.upper().startswith(name)]
    return MAPS[max(names, key=len)] if names else None


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement. Numbers are the monitor's; `when` is None where its words are no date."""

    systolic: int
    diastolic: int
    pulse: int
    when: datetime | None
    flags: int  # MOVED, IRREGULAR of w2, FITS of w3
    is_sound: bool  # the sum is right


def words(data: bytes, order: Order) -> list[int]:
    return [int.from_bytes(data[at : at + 2], order) for at in range(0, len(data) - 1, 2)]


def is_empty(data: bytes, order: Order) -> bool:
    """Whether nothing was ever written to the slot."""
    return not any(data) or words(data, order)[0] & 0xFF >= EMPTY_FROM


def record(data: bytes, order: Order) -> Record:
    """What the bytes of a slot that is not empty say."""
    w = words(data, order)
    when = moment(
        2000 + (w[1] >> 8 & 0x3F), w[2] >> 10 & 0xF, w[2] >> 5 & 0x1F, w[2] & 0x1F, w[3] >> 6 & 0x3F, w[3] & 0x3F
    )
    return Record(
        (w[0] & 0xFF) + LEAST_SYSTOLIC,
        w[0] >> 8,
        w[1] & 0xFF,
        when,
        w[2] & (MOVED | IRREGULAR) | w[3] & FITS,
        w[-1] & 0xFF == sum(data[:-2]) & 0xFF,
    )


def clock(data: bytes, order: Order) -> datetime | None:
    """What the monitor's clock says in its six bytes."""
    date, hour, minute = words(data, order)
    return moment(2000 + (date & 0xFF), date >> 8, hour & 0xFF, hour >> 8, minute & 0xFF, minute >> 8)


def moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """Seconds go up to 63 in these monitors: those above 59 are the last one of the minute."""
    try:
        return datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 (a monitor has no zone)
    except ValueError:
        return None


def newest_first(slots: int, following: int, piece: int) -> list[tuple[int, int]]:
    """(first slot, how many) to read a ring backwards from the slot before `following`, whole pieces at most."""
    last = (following - 1) % slots
    out = [(max(0, at - piece + 1), at - max(0, at - piece + 1) + 1) for at in range(last, -1, -piece)]
    out += [
        (max(last + 1, at - piece + 1), at - max(last + 1, at - piece + 1) + 1) for at in range(slots - 1, last, -piece)
    ]
    return out
