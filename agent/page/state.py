"""The state of the gateway as one word and three facts, for the page and the LED. Pure.

Worst first. What is not known now is said to be unknown: a status that is old says nothing of the present. The words
and what the LED shows for each: REQUIREMENTS 1, NUR-04; docs/page.md, docs/setup.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agent.binding.words import Bed
from agent.health.status import STALE_S, LinkStatus, PeerStatus, PortStatus, SpoolStatus, Status
from agent.page.told import Setup
from config import codes

SECOND_NS = 1_000_000_000
SILENT_S = 15.0  # a device that speaks all the time and has not for so long
RECENT_S = 600.0  # a device that speaks once in a while, and has lately
RETURN_S = 60.0  # within this a gateway that was started again is back
BOOT_S = 120.0  # after the machine's own start
SETTLE_S = 20.0  # a gateway that has just begun may not have found its devices yet
UNANSWERED_S = 3.0
UNANSWERED_TRIPS = 4
ROOM_LEAST_H = 12.0

# Devices that speak once for each measurement or scan: silence is their nature.
AT_TIMES = frozenset(
    {
        "aandd_pbt", "barcode_reader", "gatt_blood_pressure", "gatt_body_composition", "gatt_glucose",
        "gatt_health_sensor", "gatt_thermometer", "gatt_weight", "ieee11073_agent", "nonin_spot", "omron_hem",
        "taidoc_td42xx", "viatom_bp2w",
    }
)  # fmt: skip
READERS = frozenset({"barcode_reader"})  # plugged in, but no device of the patient's


class Word(StrEnum):
    """The one word that is readable at two metres."""

    STARTING = "starting"
    NO_DEVICE = "no_device"
    WHO = "who"
    SENDING = "sending"
    STORING = "storing"
    SILENT = "silent"
    CONFLICT = "conflict"
    ENGINEER = "engineer"


class Device(StrEnum):
    HEARD = "heard"
    SILENT = "silent"
    NONE = "none"
    UNKNOWN = "unknown"


class Patient(StrEnum):
    """NOBODY also stands for a binding that nobody has confirmed."""

    KNOWN = "known"
    NOBODY = "nobody"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


class Data(StrEnum):
    """UNSAFE: the storage refuses."""

    SENT = "sent"
    STORED = "stored"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class State:
    """`name` is the driver of the device that is silent; `code` is 0 where no technician is needed.

    `is_bed_only`: a person said "whoever lies in this bed": the patient is not known, and nobody is asked again.
    """

    word: Word
    device: Device
    patient: Patient
    data: Data
    code: int = 0
    name: str = ""
    stored_s: float | None = None
    room_h: float | None = None
    waiting_envelopes: int = 0
    is_bed_only: bool = False


def state(status: Status | None, setup: Setup | None, bed: Bed | None, now_ns: int) -> State:
    """What to show now. `now_ns` is monotonic since boot; None is what nobody has said (yet)."""
    whose = patient(bed)
    age_s = now_ns / SECOND_NS if status is None else (now_ns - status.written_ns) / SECOND_NS
    limit_s = BOOT_S if status is None else RETURN_S
    if status is None or age_s > STALE_S:
        code = _setup_code(setup) or (codes.NO_GATEWAY if age_s > limit_s and not _is_busy(setup) else 0)
        word = Word.ENGINEER if code else Word.STARTING
        return State(_first(whose, word), Device.UNKNOWN, whose, Data.UNKNOWN, code)
    device, name = _device(status)
    data = _data(status.link, status.spool)
    room_h = min((chain.room_h for chain in status.spool.chains if chain.room_h is not None), default=None)
    code = _setup_code(setup) or _code(status, device, whose, data, room_h)
    is_bed_only = bed is not None and _is_bed_only(bed)
    starts = status.uptime_s < SETTLE_S and device is not Device.HEARD
    return State(
        word=_word(device, Patient.KNOWN if is_bed_only else whose, data, code, starts),
        device=device,
        patient=whose,
        data=data,
        code=code,
        name=name,
        stored_s=None if data is Data.SENT else _stored_s(status.link, age_s),
        room_h=room_h,
        waiting_envelopes=sum(chain.waiting_envelopes for chain in status.spool.chains),
        is_bed_only=is_bed_only,
    )


def patient(bed: Bed | None) -> Patient:
    """`bed` None: the gateway does not say. Who is proposed and confirmed by nobody is not known."""
    if bed is None:
        return Patient.UNKNOWN
    if bed.status == "conflict":
        return Patient.CONFLICT
    is_known = bed.episode.method != "none" and bed.status in ("validated", "corrected")
    return Patient.KNOWN if is_known else Patient.NOBODY


def _is_bed_only(bed: Bed) -> bool:
    return bed.status == "unvalidated" and bed.episode.method == "location" and bool(bed.episode.performer)


def _first(patient: Patient, word: Word) -> Word:
    """Nothing is worse than the wrong patient, and only a nurse can mend it."""
    return Word.CONFLICT if patient is Patient.CONFLICT else word


def _word(device: Device, patient: Patient, data: Data, code: int, starts: bool) -> Word:
    if code:
        return _first(patient, Word.ENGINEER)
    if starts:
        return _first(patient, Word.STARTING)
    if device is Device.NONE:
        return _first(patient, Word.NO_DEVICE)
    if device is Device.SILENT:
        return _first(patient, Word.SILENT)
    if patient is not Patient.KNOWN:
        return _first(patient, Word.WHO)
    return Word.SENDING if data is Data.SENT else Word.STORING


def _code(status: Status, device: Device, patient: Patient, data: Data, room_h: float | None) -> int:
    if data is Data.UNSAFE or status.spool.unread_files:
        return codes.STORAGE
    if data is Data.STORED and room_h is not None and room_h < ROOM_LEAST_H:
        return codes.ROOM
    if status.trust is not None and status.trust.problem:
        return codes.ENROLMENT
    if status.audit_problem:
        return codes.AUDIT
    if patient is Patient.UNKNOWN:
        return codes.BINDING
    if device is Device.NONE and any(port.state.startswith("cannot open") for port in status.ports):
        return codes.PORT
    if device is Device.NONE and any(port.state.startswith("unknown device") for port in status.ports):
        return codes.STRANGER
    return 0


def _setup_code(setup: Setup | None) -> int:
    return (setup.code or codes.SETUP) if setup is not None and setup.state == "failed" else 0


def _is_busy(setup: Setup | None) -> bool:
    return setup is not None and setup.state == "busy"


def _device(status: Status) -> tuple[Device, str]:
    """One that is silent goes before one that is heard: somebody must look at its cable."""
    peers = status.radio.devices if status.radio else []
    found = [(_port(one), one.driver) for one in status.ports if one.driver not in READERS]
    found += [(_peer(one), one.driver) for one in peers]
    for wanted in (Device.SILENT, Device.HEARD):
        for device, name in found:
            if device is wanted:
                return device, name if wanted is Device.SILENT else ""
    return Device.NONE, ""


def _port(port: PortStatus) -> Device:
    if not port.driver or (port.state != "open" and port.heard_s is None):
        return Device.NONE
    if port.driver in AT_TIMES:
        return _lately(port.heard_s)
    is_heard = port.state == "open" and port.heard_s is not None and port.heard_s < SILENT_S
    return Device.HEARD if is_heard else Device.SILENT


def _peer(peer: PeerStatus) -> Device:
    if peer.driver in AT_TIMES:
        return _lately(peer.heard_s)
    if not peer.is_open:
        return Device.NONE
    return Device.HEARD if peer.heard_s is not None and peer.heard_s < SILENT_S else Device.SILENT


def _lately(heard_s: float | None) -> Device:
    return Device.HEARD if heard_s is not None and heard_s < RECENT_S else Device.NONE


def _data(link: LinkStatus, spool: SpoolStatus) -> Data:
    """Sent is what is answered, never what a socket says; what relays take no notice of is stored."""
    if spool.problem:
        return Data.UNSAFE
    patience_s = max(UNANSWERED_S, UNANSWERED_TRIPS * (link.round_trip_s or 0.0))
    answered = link.unanswered_s is None or link.unanswered_s <= patience_s
    return Data.SENT if link.connected and not link.problem and answered else Data.STORED


def _stored_s(link: LinkStatus, age_s: float) -> float | None:
    since = link.away_s if link.away_s is not None else link.unanswered_s
    return None if since is None else since + age_s
