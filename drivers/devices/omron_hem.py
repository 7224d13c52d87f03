"""Omron HEM blood pressure monitors: stored measurements, read from the monitor's memory over Bluetooth LE.

    size | type u16 | address u16 | count | data, 0 in a request | 00 | XOR: that of all bytes is 0 · numbers big endian
    types: 0000 begin (8000), 0100 read (8100), 0F00 end (8F00, also a refusal); a refused read says why where 00 stood
    a request goes to one characteristic; an answer comes from it in notifications of 16 bytes on four, the last padded
    with zeros, or on later models whole on the first
    before: 01 and a key of 16 bytes, answered 81 00 where the monitor has this key; on others 11 and four bytes, 91 00

Source: userx14/omblepy (no licence) and eigger/hass-omron at 0467b763 (MIT), read only; for the maps and the records
see `drivers.omron.memory`. Proven on real answers of a HEM-7322T-E, a HEM-6232T-E and a HEM-7280T, and on real records
of a HEM-7142T2, HEM-7144T2, HEM-7188T1 and HEM-7600T; that other models have these maps is what the sources say.

Sent: begin, read, end, and the unlocking, which compares. Never a write to the memory (type 01C0): the count of unread
measurements stays as it is, and the clock is not set. Never 02 or 00 to the unlocking characteristic either: these
program a new key, which is a setting of the monitor and shuts out whoever had the old one. A key is given to a monitor
once, by a person with another tool, and stands in the options. Without the model's name nothing is read: the same bytes
mean something else in another model.
A whole visit is said at its end, the oldest first, and is then reached: the mark holds the newest record of each user,
so new is what stands before it in the ring, whatever the clock says. A measurement more than ten minutes away from the
monitor's own clock is history and says `not-updated`.
Not known: the sixteen bytes of the answer to begin; HEM-6232T: which of bits 15 and 14 is movement (sources disagree).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from drivers.contract import (
    Ble,
    DeviceTime,
    Driver,
    Info,
    Integrity,
    Masked,
    Numeric,
    Output,
    Phase,
    Reached,
    Send,
    Status,
    Subscribe,
    Why,
)
from drivers.omron.frames import ANSWERS, HEAD_BYTES, LEAST_BYTES, Joiner, request
from drivers.omron.memory import (
    FITS,
    IRREGULAR,
    MAPS,
    MOVED,
    WRIST,
    Map,
    Record,
    clock,
    is_empty,
    map_of,
    newest_first,
    words,
)
from drivers.omron.memory import record as record_of

UNLOCK = "b305b680-aee7-11e1-a730-0002a5d5c51b"
REQUESTS = "db5b55e0-aee7-11e1-965e-0002a5d5c51b"
SERVICES = ("ecbe3980-c9a2-11e1-b1bd-0002a5d5c51b", "0000fe4a-0000-1000-8000-00805f9b34fb")

BEGIN, END = bytes.fromhex("0800000000100018"), bytes.fromhex("080F000000000007")
TOKEN = b"\x11" + bytes(19)
READ = Masked(bytes.fromhex("0801000000000000"), bytes.fromhex("0000001FFF3F00FF"))  # the last map ends at 148B
KEY = Masked(b"\x01" + bytes(16), b"\0" + b"\xff" * 16)
KEY_BYTES = 16
REFUSAL = b"\x8f\0"
INDEX_BYTES, CLOCK_BYTES = 0x10, 6

SECOND_NS = 1_000_000_000
PATIENCE_NS = 3 * SECOND_NS
TRIES_COUNT = 4
RECENT = timedelta(minutes=10)


class OmronHem(Driver):
    info = Info(
        id="omron_hem",
        models=tuple(f"Omron {name}" for name in sorted(MAPS)),
        claims=tuple(Ble(service) for service in SERVICES),
        emits=("nibp.sys", "nibp.dia", "nibp.pr"),
        integrity=Integrity.SUM,
        wiring="Bluetooth LE. Options: `model` as on the type plate (HEM-7322T-E), and for most models `key`, the 32 "
        "hex digits that were written to the monitor when it was paired with another tool (omblepy -p): this gateway "
        "does not write one. Models of the last years are bonded with the host once, while P blinks. Set the clock.",
        sends=frozenset((BEGIN, END, TOKEN)),
        masked=(READ, KEY),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._map: Map | None = None
        self._asked = b""
        self._tries = 0
        self._joiner = Joiner(self.counts)
        self._index = b""
        self._clock: datetime | None = None
        self._user = 0
        self._plan: list[tuple[int, int]] = []
        self._found: list[list[bytes]] = []  # of each user, the newest first
        self._marks: list[str] = []
        self._states: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._joiner)

    def on_open(self, now: int) -> Iterable[Output]:
        self._map = map_of(self.options.get("model", ""))
        key = self.options.get("key", "")
        if self._map is None:
            yield from self._state("model-not-set", self.options.get("model", "") or "-")
            return
        if self._map.unlock == "key" and not _is_key(key):
            yield from self._state("key-not-set", "-")
            return
        self._marks = (self.reached.split(",") + [""] * len(self._map.users))[: len(self._map.users)]
        answers = ANSWERS if self._map.unlock == "key" else ANSWERS[:1]
        yield from (Subscribe(one) for one in (*answers, *([UNLOCK] if self._map.unlock else [])))
        first = {"key": b"\x01" + bytes.fromhex(key), "token": TOKEN}.get(self._map.unlock, BEGIN)
        yield from self._ask(first, now)

    def _ask(self, data: bytes, now: int) -> Iterator[Output]:
        self._asked, self._tries = data, 1
        yield from self._send(now)

    def _send(self, now: int) -> Iterator[Output]:
        self.wake_at = now + PATIENCE_NS
        yield Send(self._asked, UNLOCK if self._asked[0] in (TOKEN[0], KEY.data[0]) else REQUESTS)

    def on_time(self, now: int) -> Iterable[Output]:
        """Ask again, a few times: a monitor goes to sleep by itself, and comes back with its next measurement."""
        if self._tries < TRIES_COUNT:
            self._tries += 1
            yield from self._send(now)
        else:
            yield from self._rest("no-answer", self._asked[:HEAD_BYTES].hex().upper())

    def _rest(self, code: str, text: str) -> Iterator[Output]:
        self._asked, self.wake_at = b"", None
        yield from self._state(code, text)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if source == UNLOCK:
            return list(self._unlocked(data, now))
        frame = self._joiner.feed(data, source)
        return list(self._answer(frame, now)) if frame else ()

    def _unlocked(self, data: bytes, now: int) -> Iterator[Output]:
        if len(data) < 2 or data[0] not in (0x81, 0x91):
            self._joiner.refuse("unknown answer", data)
            return
        self.counts.frames += 1
        if not self._asked or data[0] != self._asked[0] | 0x80:
            return
        if data[1]:
            yield from self._rest("unlock-refused", data[:2].hex().upper())
        else:
            yield from self._ask(BEGIN, now)

    def _answer(self, frame: bytes, now: int) -> Iterator[Output]:
        """Only what answers the request that stands; a late answer to an earlier one is passed over."""
        asked, kind = self._asked, frame[1:3]
        if not asked or self._map is None or asked[0] != LEAST_BYTES:
            return
        if kind == REFUSAL and asked != END:
            yield from self._rest("refused", f"{asked[:HEAD_BYTES].hex().upper()} {frame[6]:02X}")
        elif kind != bytes((asked[1] | 0x80, asked[2])):
            return
        elif asked == BEGIN:
            yield from self._ask(request(self._map.settings, INDEX_BYTES), now)
        elif asked == END:
            self._asked, self.wake_at = b"", None
        elif frame[3:6] == asked[3:6]:
            is_whole = len(frame) == LEAST_BYTES + frame[5]
            yield from self._memory(self._map, frame[HEAD_BYTES:-2] if is_whole else None, frame[6], now)

    def _memory(self, memory: Map, data: bytes | None, reason: int, now: int) -> Iterator[Output]:
        """A read is answered; None is a refusal, which some monitors say to a user whom they do not have."""
        if data is None:
            yield from self._state("read-refused", f"{self._asked[3:5].hex().upper()} {reason:02X}")
            if not self._found:
                yield from self._ask(END, now)
                return
            self._plan = []
            self._found[-1].clear()  # what is older than these was not read: next time
        elif not self._index:
            self._index = data
            yield from self._ask(request(memory.settings + memory.clock, CLOCK_BYTES), now)
            return
        elif not self._found:
            self._clock = clock(data, memory.order)
            yield from self._state("device-clock", self._clock.isoformat() if self._clock else data.hex().upper())
            if self._clock:
                yield DeviceTime(self._clock.isoformat())
            self._turn(memory)
        else:
            self._take(memory, data)
        yield from self._next(memory, now)

    def _turn(self, memory: Map) -> None:
        """Begin with another user's ring."""
        at = memory.cursors[len(self._found)]
        following = words(self._index, memory.order)[at // 2] & 0xFF
        self._plan = newest_first(memory.slots, following, memory.piece)
        self._found.append([])

    def _take(self, memory: Map, data: bytes) -> None:
        """The records of a piece, up to the one that was said last or the first slot that was never used."""
        mark, size = self._marks[len(self._found) - 1], memory.size
        del self._plan[0]
        for at in range(len(data) - size, -1, -size):
            one = data[at : at + size]
            if is_empty(one, memory.order) or one.hex() == mark:
                self._plan = []
                return
            self._found[-1].append(one)

    def _next(self, memory: Map, now: int) -> Iterator[Output]:
        while not self._plan and len(self._found) < len(memory.users):
            self._turn(memory)
        if self._plan:
            first, count = self._plan[0]
            address = memory.users[len(self._found) - 1] + first * memory.size
            yield from self._ask(request(address, count * memory.size), now)
            return
        yield from self._tell(memory)
        yield from self._ask(END, now)

    def _tell(self, memory: Map) -> Iterator[Output]:
        """All that is new, the oldest of each user first, and that it was said."""
        for number, found in enumerate(self._found):
            for data in reversed(found):
                yield from self._state("user", str(number + 1))
                yield from self._record(record_of(data, memory.order), data, memory)
            if found:
                self._marks[number] = found[0].hex()
        if any(self._found):
            yield Reached(",".join(self._marks))

    def _record(self, one: Record, data: bytes, memory: Map) -> Iterator[Output]:
        yield from self._state("no-device-time", "" if one.when else data.hex().upper())
        moved, irregular = one.flags & MOVED, one.flags & IRREGULAR
        either = memory is WRIST and moved | irregular
        yield from self._state("movement-or-irregular-pulse", f"{either:04X}" if either else "")
        yield from self._state("body-movement", "-" if moved and not either else "")
        yield from self._state("irregular-pulse", "-" if irregular and not either else "")
        yield from self._state("cuff-not-fitted", "" if one.flags & FITS else "-")
        yield from self._state("record-sum-wrong", "" if one.is_sound else data.hex().upper())
        is_doubted = bool(moved or either or not one.flags & FITS or not one.is_sound)
        why = Why.QUESTIONABLE if is_doubted else self._age(one.when)
        taken = DeviceTime(one.when.isoformat()) if one.when else None
        is_pressure = one.systolic > one.diastolic > 0
        for channel, value, unit in (
            ("sys", one.systolic, "mm[Hg]"),
            ("dia", one.diastolic, "mm[Hg]"),
            ("pr", one.pulse, "/min"),
        ):
            told = value if is_pressure and value else None
            yield Numeric(f"nibp.{channel}", told, unit, Why.INVALID if told is None else why, taken)

    def _age(self, when: datetime | None) -> Why | None:
        if when and self._clock and abs(self._clock - when) <= RECENT:
            return None
        return Why.NOT_UPDATED

    def _state(self, code: str, text: str) -> Iterator[Output]:
        """A state with its text, a dash where it has none, empty where it is not: said when it changes."""
        if self._states.get(code, "") != text:
            self._states[code] = text
            yield Status(code, Phase.ON if text else Phase.OFF, "" if text == "-" else text)


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == KEY_BYTES
    except ValueError:
        return False
