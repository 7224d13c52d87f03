"""Heart rate sensors of the Bluetooth SIG (service 180D): chest straps, arm bands, watches; about once a second.

    measurement 2A37   flags | rate u8, u16 if flag 0 | 3: energy u16, kJ | 4: RR intervals u16 in 1/1024 s, to the end
    flags 1 contact, 2 contact is told, 3 energy, 4 RR intervals       little endian

Source: Bluetooth HRS 1.0, section 3.1, and the GATT Specification Supplement. Proven on values of two real sensors
(Stack Overflow 33917836, and an answer that geek-questions shows as 974236), and against the worked values of Nordic's
BLE library.

Without contact no rate and no interval is told, whatever stands there. A rate of 0 is told as questionable: the
document names no value for none. An energy of FFFF has reached its end. Intervals are told in the order of the heart
beats, in seconds: an integer over 1024 is exact. A sensor that measures light calls its pulse a heart rate as well.
Not protected: no checksum, no counter: a lost notification shows in nothing. A recording has no ends of values: there
a value is taken when the next one begins like it, rates are 32 to 250, intervals 0.2 to 4 s; the last is not told, a
damaged rate below 17 may read as one interval more.
Not known: whether energy counts from the putting on (the reset in 2A39 is not sent), where the sensor sits (2A38 must
be read). A sensor that also sends ECG may have its own driver (polar_h10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

from drivers.bluetooth.numbers import number, reading
from drivers.bluetooth.profile import Profile, Shape, uuid
from drivers.contract import Ble, Info, Integrity, Numeric, Output, Why

MEASUREMENT = uuid(0x2A37)
WIDE, CONTACT, CONTACT_TOLD, ENERGY, INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10
SAME = WIDE | CONTACT_TOLD | ENERGY  # a sensor does not change them
UNUSED = 0xE0
SLOWEST, FASTEST = 32, 250  # in a recording: a rate is never taken for flags
MOST_RATE = 400
SHORTEST, LONGEST, MOST_INTERVALS = 205, 4096, 64  # in a recording
FULL = 0xFFFF
RATE, INTERVAL, SPENT = "ecg.hr", "mdc:147240", "gatt_heart_rate:energy"  # MDC_ECG_TIME_PD_RR_GL


class GattHeartRate(Profile):
    info = Info(
        id="gatt_heart_rate",
        models=("Bluetooth heart rate sensors (service 180D)",),
        claims=(Ble(uuid(0x180D)),),
        emits=(RATE, INTERVAL, SPENT, "gatt_heart_rate:battery"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE, no pairing as a rule: put the sensor on (moisten a strap's electrodes), it advertises "
        "while it is worn. Many sensors take one connection at a time: close the maker's app.",
    )
    shapes: ClassVar[Mapping[str, Shape]] = {MEASUREMENT: Shape(1, 1, ((WIDE, 1), (ENERGY, 2)), unused=UNUSED)}

    def size_of(self, value: bytes | bytearray, source: str, whole: bool) -> int:
        least = self.shapes[source].size_of(value)
        if whole and value and value[0] & INTERVALS:
            return len(value) if len(value) > least and (len(value) - least) % 2 == 0 else 0
        return least if whole or not least else end_of(value, least)

    def is_evident(self, value: bytes) -> bool:
        rate = rate_of(value)
        no_contact = value[0] & (CONTACT_TOLD | CONTACT) == CONTACT_TOLD
        intervals = len(value) > self.shapes[MEASUREMENT].size_of(value)
        return (SLOWEST <= rate <= FASTEST or no_contact) and intervals == bool(value[0] & INTERVALS)

    def tell(self, value: bytes, source: str) -> Iterable[Output]:
        flags, at = value[0], self.shapes[source].size_of(value)
        no_contact = flags & (CONTACT_TOLD | CONTACT) == CONTACT_TOLD
        yield from self.state("no-contact", "" if no_contact else None)
        if no_contact:
            yield Numeric(RATE, None, "/min", Why.SENSOR_OFF)
        else:
            rate = rate_of(value)
            yield reading(RATE, "/min", rate, MOST_RATE, None if rate else Why.QUESTIONABLE)
        if flags & ENERGY:
            energy = number(value[at - 2 : at])
            yield Numeric(SPENT, energy, "kJ", Why.OVER if energy == FULL else None)
        if flags & INTERVALS and not no_contact:
            for start in range(at, len(value), 2):
                yield interval(number(value[start : start + 2]))


def rate_of(value: bytes) -> int:
    return number(value[1:3]) if value[0] & WIDE else value[1]


def interval(raw: int) -> Numeric:
    if not raw:
        return Numeric(INTERVAL, None, "s", Why.INVALID)
    return Numeric(INTERVAL, Decimal(raw) / 1024, "s")


def end_of(buffer: bytes | bytearray, least: int) -> int:
    """Where a recorded value ends: where the next begins like it; 0 while that is not there, -1 if another begins."""
    at = least
    while buffer[0] & INTERVALS and len(buffer) >= at + 2 and SHORTEST <= number(buffer[at : at + 2]) <= LONGEST:
        at += 2
    if len(buffer) < at + 2:
        return 0
    is_next = (buffer[0] ^ buffer[at]) & (SAME | UNUSED) == 0
    return at if is_next and at <= least + 2 * MOST_INTERVALS else -1
