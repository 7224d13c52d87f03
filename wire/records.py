"""Stamped observations, as they stand in a bundle of class vital: the closed list of kinds (docs/formats.md).

Every record has `t`: microseconds of the gateway's monotonic clock since boot, within the envelope's epoch.
`session` numbers a device being heard and `stream` one channel of it, both within the epoch, from 0.
Ratios are (numerator, denominator). Words in `why`, `phase`, `mark` are those of `drivers.contract`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

Ratio = tuple[int, int]


class StreamInfo(msgspec.Struct, frozen=True, array_like=True):
    """One stream: a wave where `rate` is not (0, 1), else a numeric. Its meaning never changes.

    Physical value = (sample - offset) * gain, in `unit` (UCUM). `mdc` is the IEEE 11073 code, 0 if there is none.
    """

    stream: int
    channel: str
    mdc: int
    unit: str
    rate: Ratio = (0, 1)
    gain: Ratio = (1, 1)
    offset: Ratio = (0, 1)
    bits: int = 0
    filter: str = ""
    counter: int = -1  # the device's own counter of sample 0, -1 where it has none


class Catalogue(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """What a session is: sent when it changes, each hour, and on every connection."""

    t: int
    session: int
    driver: str
    integrity: str
    port: str
    maker: str
    model: str
    serial: str
    firmware: str
    streams: list[StreamInfo]


class Anchor(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What UTC was at `t`: microseconds since 1970, with its error bound (None: nobody knows) and source."""

    t: int
    utc: int
    error: int | None
    source: str


class NumericAt(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A reading of a stream; absent (None) with a reason, or present, doubted for a reason.

    `iso` or `ticks` (at `hertz`): what the device's clock said when it was taken, where the device says so. `t` is then
    only when it was told: it may come from the device's memory.
    """

    t: int
    stream: int
    value: int | Decimal | None
    why: str = ""
    iso: str = ""
    ticks: int | None = None
    hertz: Ratio = (1, 1)

    @property
    def is_dated(self) -> bool:
        return self.iso != "" or self.ticks is not None


class AlarmAt(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A device's own alarm, relayed."""

    t: int
    session: int
    code: str
    text: str
    priority: str
    phase: str
    channel: str = ""


class StatusAt(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A state of the device, in its own words."""

    t: int
    session: int
    code: str
    phase: str
    text: str = ""
    channel: str = ""


class DeviceTimeAt(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A coincident pair: the device's clock read `iso` or `ticks` (at `hertz`) when ours read `t`."""

    t: int
    session: int
    iso: str
    ticks: int | None
    hertz: Ratio = (1, 1)


class StreamGap(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Samples of a wave that never came: `count` from `first` (None: how many is not known), and why."""

    t: int
    stream: int
    first: int
    count: int | None
    cause: str


class EnvelopeGap(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Envelopes that were sealed and are lost: `first..last` of (epoch, class), and why."""

    t: int
    epoch: int
    cls: int
    first: int
    last: int
    cause: str


class Association(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """Whose data these are, from `since` until before `until`, (epoch, t) each: appended, never rewritten.

    A later one goes before earlier ones for the time it names. `since` None: from its own (epoch, t) on; `until` None:
    it goes on. `pseudonym` is empty where nobody is bound. `wrong`: this was not the patient. `ended`: why it ended.
    """

    t: int
    method: str
    status: str
    performer: str
    pseudonym: str
    bed: str
    since: tuple[int, int] | None = None
    until: tuple[int, int] | None = None
    ended: str = ""


class SessionAt(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """A session opened or closed, and why."""

    t: int
    session: int
    phase: str
    reason: str


class PatientIdAt(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """What a scanner or a device says the patient is; never believed without a person."""

    t: int
    session: int
    code: str
    name: str


class Line(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """What a session's line was worth since it opened: good frames, refused frames, bytes in no frame."""

    t: int
    session: int
    frames: int
    bad: int
    skipped: int


class Room(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """The gateway's spool: how many envelopes of class `cls` wait for a receipt, and how long it has room for more.

    `seconds`: at the rate of late, until the oldest that waits would have to give way; None where nobody knows.
    """

    t: int
    cls: int
    waiting: int
    seconds: int | None


class Boot(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Within which boot this epoch runs: `boot` is the kernel's random id (16 bytes), `count` the gateway's own number.

    Monotonic time runs on within a boot, so anchors of one epoch serve another of the same boot. Order is the epochs'.
    """

    t: int
    boot: bytes
    count: int


class AuditHead(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """What the gateway's audit log has come to: so many entries, the last with this hash (wire/audit.py)."""

    t: int
    count: int
    hash: bytes


Record = (
    Catalogue
    | Anchor
    | NumericAt
    | AlarmAt
    | StatusAt
    | DeviceTimeAt
    | StreamGap
    | EnvelopeGap
    | Association
    | SessionAt
    | PatientIdAt
    | Line
    | Room
    | Boot
    | AuditHead
)


class MarkAt(msgspec.Struct, frozen=True, array_like=True):
    """What the device says about samples of one channel of a block: `at` counts from the block's first sample."""

    row: int
    at: int
    kind: str
    count: int = 1


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Samples of `rows` consecutive streams from `stream`: `count` samples each from index `first`, coded together.

    `t` is when the last of them arrived (microseconds, monotonic). `first` counts all samples of the stream, those of
    declared gaps included, so that time follows from count (REQUIREMENTS TIM-10).
    """

    t: int
    stream: int
    rows: int
    first: int
    count: int
    coded: bytes
    marks: list[MarkAt] = []
