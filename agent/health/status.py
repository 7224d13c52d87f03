"""The status of a gateway, as the file `status.json` in the runtime folder holds it and `wardlink status` tells it.

Pure: the gateway fills it, the CLI reads it. No patient data, no network needed. Names end in their unit.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

STATUS_FILE = "status.json"
METRICS_FILE = "metrics.prom"
STALE_S = 15.0


class AskedStatus(msgspec.Struct, frozen=True):
    """Requests sent to find out who is there, by one driver at one line setting."""

    driver: str
    line: str
    requests: int
    sent_bytes: int


class PortStatus(msgspec.Struct, frozen=True):
    """One port; `driver` is empty while nobody is understood on it.

    `heard_s` is the age of the last observation, None if there was none in this session. `adapter` is what is plugged
    in, `place` the socket, `why` the evidence for the driver, `tried` the line settings at which bytes came that nobody
    understood.
    """

    path: str
    driver: str
    state: str
    heard_s: float | None
    frames: int
    bad_frames: int
    skipped_bytes: int
    pinned: bool = True
    adapter: str = ""
    place: str = ""
    line: str = ""
    why: str = ""
    tried: list[str] = []
    asked: list[AskedStatus] = []


class PeerStatus(msgspec.Struct, frozen=True):
    """One device by radio. `why` it may be connected; counts are since the start of this epoch."""

    address: str
    name: str
    driver: str
    state: str
    why: str
    is_open: bool
    is_refused: bool
    heard_s: float | None
    rssi_dbm: int | None
    connects: int
    failures: int
    refused: int
    notes: int
    dropped_notes: int
    missing: int
    frames: int
    bad_frames: int
    skipped_bytes: int


class StrangerStatus(msgspec.Struct, frozen=True):
    """A device that a driver claims and that nobody allowed."""

    address: str
    name: str
    driver: str
    words: str
    rssi_dbm: int | None
    seen_s: float


class RadioStatus(msgspec.Struct, frozen=True):
    """The adapter and all that is heard by it. `rungs` counts what was done when the radio failed."""

    state: str
    window: str
    advertisements: int
    strange_advertisements: int
    strangers_forgotten: int
    rungs: dict[str, int]
    rungs_failed: int
    devices: list[PeerStatus]
    strangers: list[StrangerStatus]


class VolumeStatus(msgspec.Struct, frozen=True):
    """Of a month with a cap. `month` is empty before any time was known; `held`: what waits."""

    month: str
    used_bytes: int
    cap_bytes: int
    held: str

    def words(self) -> str:
        """For people."""
        return f"{self.used_bytes >> 20} of {self.cap_bytes >> 20} MiB of {self.month or 'this month'}"


class LinkStatus(msgspec.Struct, frozen=True):
    """The uplink. Counts are since the start of this epoch; what was refused is counted by reason."""

    connected: bool
    problem: str
    hint: str
    reconnects: int
    sent_envelopes: int
    acknowledged_envelopes: int
    held_envelopes: int
    live_left_envelopes: int
    refused_envelopes: int
    receipts_refused: dict[str, int]
    outstanding_bytes: int
    round_trip_s: float | None
    commands_taken: int
    commands_refused: dict[str, int]
    sent_again_envelopes: int
    absent_envelopes: int
    receipts_copies: int = 0
    away_s: float | None = None  # since when nothing gets through; None: it does
    unanswered_s: float | None = None  # how long the oldest that was sent waits for its answer


class ChainStatus(msgspec.Struct, frozen=True):
    """One class in the spool. `room_h` is how long at the present rate until what is not held must give way.

    None: nobody knows, for nothing is written, or it was not watched for long enough.
    """

    name: str
    waiting_envelopes: int
    waiting_bytes: int
    used_bytes: int
    quota_bytes: int
    room_h: float | None


class SpoolStatus(msgspec.Struct, frozen=True):
    chains: list[ChainStatus]
    commits: int
    problem: str
    damaged_frames: int
    unread_files: int
    evicted_envelopes: int
    dropped_envelopes: int


class RelayStatus(msgspec.Struct, frozen=True):
    """The backlog of a dead gateway that was imported here. `held_envelopes` is since the start of this epoch."""

    gateway: str
    waiting_envelopes: int
    waiting_bytes: int
    held_envelopes: int
    lost_envelopes: int
    problem: str
    hint: str


class TrustStatus(msgspec.Struct, frozen=True):
    """The enrolment: from when until when the certificate is good, and the version of the directory."""

    begins_unix_s: float
    ends_unix_s: float
    directory: int
    problem: str = ""
    hint: str = ""


class TaskStatus(msgspec.Struct, frozen=True):
    name: str
    failures: int
    last_error: str


class Status(msgspec.Struct, frozen=True):
    """Everything. `written_unix_s` tells a reader whether the daemon still writes.

    `clock` is the source that counts, `unsynchronised`, or `not set`; `clocks_contradict` names pairs of sources, of
    which one must be wrong; `time_refused` counts answers of the centre's that were none, by reason.
    """

    version: str
    site: str
    gateway: str
    bed: str
    epoch: int
    written_unix_s: float
    uptime_s: float
    clock: str
    ports: list[PortStatus]
    link: LinkStatus
    spool: SpoolStatus
    tasks: list[TaskStatus]
    relayed: list[RelayStatus] = []
    radio: RadioStatus | None = None
    clock_error_s: float | None = None
    clock_floor_unix_s: float = 0.0
    clocks_contradict: list[str] = []
    time_refused: dict[str, int] = {}
    policy: str = ""  # what the centre has set
    audit_problem: str = ""
    written_ns: int = 0  # monotonic since boot: the wall clock may step, this does not
    key: str = ""  # how the gateway's key is kept: tpm, board, file
    trust: TrustStatus | None = None  # None: the keys were made by hand
    patient: str = ""  # the binding in words, and whose key makes the pseudonyms; nothing of the patient
    volume: VolumeStatus | None = None  # where a cap is set
    carried_bytes: int = 0  # by all links of this start, both ways, as the kernel counts them


def pack(status: Status) -> bytes:
    return msgspec.json.encode(status)


def read(runtime: Path) -> Status:
    """The last status written. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((runtime / STATUS_FILE).read_bytes(), type=Status)


def found(runtime: Path) -> Status | None:
    """The last one; None where there is none, or none that can be read."""
    try:
        return read(runtime)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def summary(status: Status) -> str:
    """One line for the service manager and a glance."""
    near = [one for one in status.radio.devices if one.is_open] if status.radio else []
    ages = [one.heard_s for group in (status.ports, near) for one in group]
    heard = sum(age is not None and age < STALE_S for age in ages)
    waiting = sum(chain.waiting_envelopes for chain in status.spool.chains)
    link = "sending" if status.link.connected else "storing here"
    left = f"{waiting} envelopes not yet held, {room_words(room_h(status))}"
    return f"{heard} of {len(ages)} devices heard, {link}, {left}"


def room_h(status: Status) -> float | None:
    """Hours until the first class must give something up that the centre does not hold; None where nobody knows."""
    return min((chain.room_h for chain in status.spool.chains if chain.room_h is not None), default=None)


def room_words(hours: float | None) -> str:
    return "room unknown" if hours is None else f"room for {hours:.0f} h" if hours >= 10 else f"room for {hours:.1f} h"
