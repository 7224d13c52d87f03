"""What a driver is, and the closed set of things it may say.

A driver turns bytes and times into observations. It has no port, clock, log or thread: bytes and `now` come in
as arguments, outputs go back as values, and the host decides what to do with them (DESIGN 5).

Times are monotonic nanoseconds. Channels are keys of `drivers.vocabulary`, or for what the vocabulary lacks
`mdc:<code>` (an IEEE 11073 context-free code) or `<driver id>:<the device's own label>`.
Units are UCUM, always the device's own: nothing is converted at the edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Self

from drivers.claims import Ble as Ble
from drivers.claims import Claim as Claim
from drivers.claims import Keyboard as Keyboard
from drivers.claims import Masked as Masked
from drivers.claims import Serial as Serial
from drivers.claims import Tcp as Tcp
from drivers.claims import Udp as Udp


class Integrity(StrEnum):
    """What protects a frame on the line."""

    NONE = "none"
    SUM = "sum"
    CRC = "crc"


class Why(StrEnum):
    """Why there is no value, or why one should be doubted. Absent is never zero."""

    NO_SENSOR = "no-sensor"  # sensor, probe or transducer is not connected
    SENSOR_OFF = "sensor-off"  # sensor is connected, the patient is not (finger out, lead off)
    SEARCHING = "searching"  # the device looks for a signal
    LOW_SIGNAL = "low-signal"
    INVALID = "invalid"  # the device marks the value invalid
    QUESTIONABLE = "questionable"
    UNAVAILABLE = "unavailable"  # the device has no value, and does not say why
    NOT_SUPPORTED = "not-supported"
    CALIBRATING = "calibrating"
    TEST = "test"
    DEMO = "demo"
    OVER = "over-range"
    UNDER = "under-range"
    NOT_UPDATED = "not-updated"


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """What the device's own clock says: never trusted, never set, always recorded.

    As an output it says so now, and makes a pair with ours. When a reading was taken stands with the reading.

    `iso` is local date and time without a zone as given ("" if it has no calendar clock, or says a day that does not
    exist: `drivers.moments`); `ticks` is a free-running counter with `hertz` ticks a second (None if there is none).
    """

    iso: str = ""
    ticks: int | None = None
    hertz: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Numeric:
    """One reading. `value` is exactly what the device said (Decimal keeps its digits) or None with a `why`.

    A value together with a `why` is a value the device itself doubts (`questionable`, `test` ...).
    A reading stands until the next one of its channel; drivers of devices that repeat one many times a second
    say it when it changes and once a second (by the device's own count of frames).
    `taken` is what the device's clock said when it was measured, where the device says so: it may come from its memory.
    """

    channel: str
    value: int | Decimal | None
    unit: str
    why: Why | None = None
    taken: DeviceTime | None = None

    def __post_init__(self) -> None:
        assert self.value is not None or self.why is not None, f"{self.channel}: absent without a reason"


@dataclass(frozen=True, slots=True)
class Scale:
    """What a channel's integers mean: physical value = (sample - offset) * gain, in `unit`; `rate` in samples a second.

    `bits` is the width of the device's converter, 0 if unknown. `filter` is the device's own name for its filter
    mode (for ECG: diagnostic, monitor ...), empty if it does not say. A change of scale is a new stream.
    """

    rate: Fraction
    unit: str
    gain: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    bits: int = 0
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the device says about samples: `at` counts from the first sample of the Wave, for `count` samples."""

    at: int
    kind: str  # beat, pace, lead-off, invalid, saturated ...
    count: int = 1


@dataclass(frozen=True, slots=True)
class Wave:
    """One channel's samples of one chunk: the device's integers, untouched.

    `first` is the device's own counter of the first sample where it has one (modulo `wraps`, if that is not 0);
    the host turns a jump into a declared gap.
    """

    channel: str
    samples: tuple[int, ...]
    scale: Scale
    first: int | None = None
    wraps: int = 0
    marks: tuple[Mark, ...] = ()


class Phase(StrEnum):
    """What an alarm or a status does at this moment."""

    ON = "on"
    OFF = "off"
    LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the device's own, relayed as it was said. wardlink makes none and replaces none."""

    code: str
    text: str
    priority: str  # high, medium, low, technical, unknown
    phase: Phase
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A state of the device or of a channel, in its own words: probe off, QRS, breath, INOP, mode."""

    code: str
    phase: Phase
    text: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the device says it is. Empty where it does not say."""

    maker: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""

    @property
    def is_one(self) -> bool:
        """Whether the serial number tells this device from its twins: makers also ship `0000000000` and `user`."""
        return len(self.serial) >= 4 and len(set(self.serial)) > 1 and any(map(str.isdigit, self.serial))


@dataclass(frozen=True, slots=True)
class PatientId:
    """What a wristband or the device's patient page says; never believed without a person's confirmation."""

    code: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask the host to subscribe to a BLE characteristic. What the device does not have is passed over, and no fault."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Read:
    """Ask the host to read a BLE characteristic: its value comes as bytes with the characteristic as `source`.

    What the device does not have, or does not let be read, is passed over, and no fault: nothing comes then.
    """

    characteristic: str


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the host to send bytes. Only what `Info.sends` lists leaves the port, and only to an identified device.

    Where the device has no such characteristic nothing is sent, and it is no fault. What a driver asks for is done in
    its order.
    """

    data: bytes
    characteristic: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """All that the device had in its memory up to `mark` has been said; the host keeps it with what was said.

    `mark` is the driver's own word, a record number mostly. The next driver of this very device finds it in `reached`,
    once what was said before it is durable, and not before: a stored measurement is said once, or asked for again.
    """

    mark: str


Output = Numeric | Wave | Alarm | Status | DeviceTime | Identity | PatientId | Subscribe | Read | Send | Reached


@dataclass(frozen=True, slots=True)
class Info:
    """A driver's whole public description: registry, documentation, CLI help, udev rules and tests read this."""

    id: str  # [a-z0-9_]+, the module's name; never changes meaning
    models: tuple[str, ...]
    claims: tuple[Claim, ...]
    emits: tuple[str, ...]  # channels; one ending in "*" stands for all that begin so
    integrity: Integrity
    wiring: str  # cable and menu settings, for an engineer
    sends: frozenset[bytes] = frozenset()  # with `masked`, the only bytes that may ever go to the device
    masked: tuple[Masked, ...] = ()

    def allows(self, data: bytes) -> bool:
        """Whether these bytes may go to the device."""
        return data in self.sends or any(one.fits(data) for one in self.masked)


@dataclass(slots=True)
class Counts:
    """Every byte is in a good frame, skipped, or still waiting for the rest of its frame.

    `bad` counts refused frames (checksum, length, sanity); their bytes are among `skipped`. Where `Info.integrity` is
    none, `checked` counts those good frames that had a right check of their own all the same.
    """

    frames: int = 0
    bad: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    checked: int = 0

    def refuse(self, reason: str) -> None:
        self.bad += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Driver:
    """Code for one protocol. One instance hears one device from plug to unplug; instances share nothing.

    Same bytes at the same times give the same output whatever the chunking; noise never raises; memory is bounded.
    """

    info: ClassVar[Info]
    wake_at: int | None = None  # the host calls on_time() once monotonic `now` has passed this
    reached: str = ""  # the mark of the last `Reached` of this very device that is durable; set before on_open()
    is_pinned: bool = True  # False: nobody vouches for what stands at the line, only what it says

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.options = dict(options or {})
        self.counts = Counts()

    @classmethod
    def unpinned(cls) -> Self:
        """One for a port that nobody pinned it to."""
        driver = cls()
        driver.is_pinned = False
        return driver

    def on_open(self, now: int) -> Iterable[Output]:
        """The port was opened at `now`."""
        return ()

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        """`data` was read at `now`; `source` is the BLE characteristic, or empty."""
        raise NotImplementedError

    def on_time(self, now: int) -> Iterable[Output]:
        """`wake_at` has passed."""
        return ()

    def pending(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return 0
