"""Jumper JPD-500F oximeter ("My Oximeter", also sold as Custom PLS-01BT) over Bluetooth LE: it speaks unasked.

    81 | pulse rate, FF none | SpO2, 7F none | perfusion index x 10, 0 none          a notification of four bytes
    80 | pleth samples, a notification of their own

Source: obniz PLS_01BT (obniz/obniz at 5e6bab23) and three independent readers of characteristic CDEACB81, read only; no
document of the maker's, and no byte of a device. All bytes of the capture are made by the rules.

Not protected: no checksum, no length, no counter; the marker has bit 7 set, but so has a pulse rate of 128 and more. A
reading is taken only if its values are possible: SpO2 1-100 or 7F, pulse rate 1-254 or FF, both absent or both there.
A notification of another length says nothing. Not known: rate, width and number of the pleth samples, so they are left
out: a wave without a rate is none. A recording does not say where notifications begin: there each reading must be
followed by the next marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from drivers.contract import Ble, Driver, Info, Integrity, Numeric, Output, Subscribe, Why
from drivers.framing import MORE, Frame, Framer, Skip

OXIMETER = "cdeacb80-5235-4c07-8846-93a37ee6b86d"
NOTIFY = "cdeacb81-5235-4c07-8846-93a37ee6b86d"
READING, PLETH = 0x81, 0x80
SIZE_BYTES = 4
NO_RATE, NO_SPO2 = 0xFF, 0x7F


def is_reading(frame: bytes | bytearray) -> bool:
    """Whether four bytes may be a reading at all."""
    marker, rate, spo2, index = frame
    if marker != READING or rate == 0 or index > 200:
        return False
    return (spo2 == NO_SPO2) == (rate == NO_RATE) and (0 < spo2 <= 100 or spo2 == NO_SPO2)


def cut(buffer: bytearray) -> Frame | Skip:
    """A recording: a reading has a marker behind it. Pleth samples are passed over."""
    if buffer[0] != READING:
        start = buffer.find(READING)
        return Skip(start if start > 0 else len(buffer))
    if len(buffer) <= SIZE_BYTES:
        return MORE
    if buffer[SIZE_BYTES] not in (READING, PLETH) or not is_reading(buffer[:SIZE_BYTES]):
        return Skip(1)
    return Frame(SIZE_BYTES, bytes(buffer[:SIZE_BYTES]))


class JumperJpd500f(Driver):
    info = Info(
        id="jumper_jpd500f",
        models=("Jumper JPD-500F", "Custom PLS-01BT"),
        claims=(Ble(OXIMETER, "My Oximeter"), Ble(OXIMETER, "Medical")),
        emits=("spo2", "spo2.pr", "spo2.perf_index"),
        integrity=Integrity.NONE,
        wiring="Bluetooth LE, no pairing, no settings: put the finger in and it advertises. PLS-01BT is said not to "
        "connect to Bluetooth 5 hosts.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._framer = Framer(cut, self.counts)

    def pending(self) -> int:
        return len(self._framer)

    def on_open(self, now: int) -> Iterable[Output]:
        return (Subscribe(NOTIFY),)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        frames = self._notification(data) if source else list(self._framer.feed(data))
        return [output for frame in frames for output in numerics(frame)]

    def _notification(self, data: bytes) -> list[bytes]:
        if data[:1] == bytes((READING,)) and len(data) == SIZE_BYTES and is_reading(data):
            self.counts.frames += 1
            return [data]
        if data[:1] != bytes((PLETH,)):
            self.counts.refuse("no reading")
        self.counts.skipped += len(data)
        return []


def numerics(frame: bytes) -> Iterator[Numeric]:
    """Without a finger the device sends the two sentinels; it does not say why."""
    _, rate, spo2, index = frame
    if rate == NO_RATE:
        for channel, unit in (("spo2", "%"), ("spo2.pr", "/min"), ("spo2.perf_index", "%")):
            yield Numeric(channel, None, unit, Why.UNAVAILABLE)
        return
    yield Numeric("spo2", spo2, "%")
    yield Numeric("spo2.pr", rate, "/min")
    tenths = Decimal(index).scaleb(-1) if index else None
    yield Numeric("spo2.perf_index", tenths, "%", None if index else Why.UNAVAILABLE)
