"""The realtime half of the line: bytes with bit 7 set, which may stand between any two bytes of the ASCII half.

    1101 kkkk                        a record begins; bit k: it has a value of stream k + 1
      1100 cccc 1100 aaaa            sync command: C6 C0 inspiration, C6 C1 expiration begins, CF record corrupt
      10dd dddd 10dd dddd            a value of 12 bits, the low six first; values in the order of the streams

    configuration, an item a curve: code 2, interval in us 8, minimum 5, maximum 5, greatest binary value 3 (hex)
    physical value = minimum + binary * (maximum - minimum) / greatest

A record ends where the next begins. It has no checksum: it is good if it has as many values as it announces, of streams
that were asked for, and if no byte is out of place. Records that come before streams were asked for prove nothing.
Source: Draeger RS 232 MEDIBUS Protocol Definition rev. 6.00, "MEDIBUS Realtime-Extension".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from drivers.contract import Counts, Mark, Scale, Wave
from drivers.draeger import codes
from drivers.draeger.slow import CONFIGURE_CURVES, Message, command
from drivers.draeger.values import NUMBER
from drivers.framing import MORE, Bad, Frame, Framer, Skip

SYNC, SYNC_COMMAND, FOUR_HIGH_BITS = 0xD0, 0xC0, 0xF0
SYNCS = re.compile(rb"[\xD0-\xDF]")
VALUE, TWO_HIGH_BITS, SIX_LOW_BITS = 0x80, 0xC0, 0x3F
CYCLE, CORRUPT = 0xC6, 0xCF
CYCLES = {0xC0: "inspiration", 0xC1: "expiration"}
RECORD_LIMIT_BYTES = 64
SECOND_US = 1_000_000
BITS = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve the device can send."""

    code: int
    scale: Scale
    greatest: int

    def __hash__(self) -> int:
        return self.code  # each sample asks for it, and hashing fractions is dear

    @property
    def channel(self) -> str:
        return codes.CURVES[self.code][0]


def curves(message: Message) -> dict[int, Curve]:
    """Those of a configuration response that we know and whose numbers make sense."""
    found = (_curve(item.decode("latin-1")) for item in message.items())
    return {curve.code: curve for curve in found if curve is not None}


def _curve(item: str) -> Curve | None:
    """Blanks may stand anywhere in a field."""
    fields = [item[at:end].replace(" ", "") for at, end in ((0, 2), (2, 10), (10, 15), (15, 20), (20, 23))]
    try:
        code, interval, greatest = int(fields[0], 16), int(fields[1]), int(fields[4], 16)
    except ValueError:
        return None
    if code not in codes.CURVES or interval <= 0 or greatest <= 0:
        return None
    if not NUMBER.fullmatch(fields[2]) or not NUMBER.fullmatch(fields[3]):
        return None
    low, high = Fraction(fields[2]), Fraction(fields[3])
    if low >= high:
        return None
    gain = (high - low) / greatest
    unit = codes.CURVES[code][1]
    return Curve(code, Scale(Fraction(SECOND_US, interval), unit, gain, -low / gain, BITS), greatest)


def chosen(there: dict[int, Curve]) -> list[Curve]:
    """Three at most: more did not run on the devices OpenICE met."""
    wanted = [code for code in codes.ALWAYS_WANTED if code in there]
    wanted += [code for code in codes.ONE_OF if code in there][:1]
    return [there[code] for code in wanted]


def configure(wanted: Iterable[int]) -> bytes:
    """Which curves are the streams 1, 2 ..., every value of each. This chooses what is exported, nothing else."""
    return command(CONFIGURE_CURVES, b"".join(b"%02X01" % code for code in wanted))


def enable(streams: int) -> bytes:
    """Streams 1 to `streams` on, of the first four."""
    return bytes((SYNC, 0xC1, 0xC0 | (1 << streams) - 1, 0xC0, 0xC0))


CONFIGURATIONS = frozenset(
    configure((*(code for code in first if code is not None), *last))
    for first in ((0, 1), (0, None), (None, 1), (None, None))
    for last in ((), *((code,) for code in codes.ONE_OF))
    if any(code is not None for code in first) or last
)
ENABLES = frozenset(enable(streams) for streams in (1, 2, 3))


def pairs(record: bytes | bytearray) -> Iterator[tuple[int, int]]:
    return ((record[at], record[at + 1]) for at in range(1, len(record) - 1, 2))


class Records:
    """Records to samples; `waves` are taken once a chunk."""

    def __init__(self, counts: Counts) -> None:
        self._framer = Framer(self._cut, counts)
        self._streams: list[Curve] = []
        self._samples: dict[Curve, list[int]] = {}
        self._marks: dict[Curve, list[Mark]] = {}
        self._pending: dict[Curve, list[str]] = {}  # marks for the next sample

    def __len__(self) -> int:
        return len(self._framer)

    def expect(self, streams: list[Curve]) -> None:
        """The streams the device agreed to send; none, if it did not."""
        if streams != self._streams:
            self._streams, self._pending = streams, {}

    def feed(self, data: bytes) -> bool:
        """Bytes with bit 7 set, in order. Whether a record was whole."""
        whole = False
        for record in self._framer.feed(data):
            whole = True
            self._take(record)
        return whole

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        size = min(len(buffer), RECORD_LIMIT_BYTES)
        found = SYNCS.search(buffer, 1, size)
        end = found.start() if found else size
        if not self._streams or buffer[0] & FOUR_HIGH_BITS != SYNC:
            return Skip(end)
        if found is None and size < RECORD_LIMIT_BYTES:
            return MORE
        why = self._wrong(bytes(buffer[:end]))
        if why:
            self._note("gap")
            return Bad(why, end)
        return Frame(end, bytes(buffer[:end]))

    def _wrong(self, record: bytes) -> str:
        announced = record[0] & ~FOUR_HIGH_BITS
        values = 0
        for first, second in pairs(record):
            if first & TWO_HIGH_BITS == VALUE == second & TWO_HIGH_BITS:
                values += 1
            elif first == CORRUPT:
                return "corrupt record"
            elif first & FOUR_HIGH_BITS != SYNC_COMMAND or second & FOUR_HIGH_BITS != SYNC_COMMAND:
                return "record"
        if len(record) % 2 == 0 or values != announced.bit_count() or announced >> len(self._streams):
            return "record"
        return ""

    def _take(self, record: bytes) -> None:
        values = []
        for first, second in pairs(record):
            if first & TWO_HIGH_BITS == VALUE:
                values.append(first & SIX_LOW_BITS | (second & SIX_LOW_BITS) << 6)
            elif first == CYCLE and second in CYCLES:
                self._note(CYCLES[second])
        heard = [curve for stream, curve in enumerate(self._streams) if record[0] >> stream & 1]
        for curve, value in zip(heard, values, strict=True):
            self._add(curve, value)

    def _note(self, kind: str) -> None:
        """Said of the next sample of every stream, once."""
        for curve in self._streams:
            kinds = self._pending.setdefault(curve, [])
            if kind not in kinds:
                kinds.append(kind)

    def _add(self, curve: Curve, value: int) -> None:
        samples = self._samples.setdefault(curve, [])
        marks = self._marks.setdefault(curve, [])
        marks += [Mark(len(samples), kind) for kind in self._pending.pop(curve, ())]
        if value > curve.greatest:
            marks.append(Mark(len(samples), "beyond-scale"))
        samples.append(value)

    def waves(self) -> Iterator[Wave]:
        """What came since this was last asked, one wave a curve."""
        for curve, samples in self._samples.items():
            yield Wave(curve.channel, tuple(samples), curve.scale, marks=tuple(self._marks[curve]))
        self._samples, self._marks = {}, {}
