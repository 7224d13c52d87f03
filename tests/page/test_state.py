"""NUR-04: each combination of the three facts is told as it is; worst first; nothing old is told as the present."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from agent.binding.words import Bed
from agent.health.status import PortStatus, RadioStatus, TrustStatus
from agent.page.state import AT_TIMES, Data, Device, Patient, Word, state
from agent.page.told import Setup
from config import codes
from drivers import registry
from tests.page.beds import AWAY, CONFLICT, KEPT, KNOWN, NOBODY, NOW_NS, REFUSED, SENT, episode, port, status

DEVICES: dict[Device, tuple[PortStatus, ...]] = {
    Device.HEARD: (port(),),
    Device.SILENT: (port(heard_s=40.0),),
    Device.NONE: (),
}
BEDS: dict[Patient, Bed] = {Patient.KNOWN: KNOWN, Patient.NOBODY: NOBODY, Patient.CONFLICT: CONFLICT}
LINKS = {Data.SENT: (SENT, KEPT), Data.STORED: (AWAY, KEPT), Data.UNSAFE: (SENT, REFUSED)}
replace = msgspec.structs.replace


def expected(device: Device, patient: Patient, data: Data) -> Word:
    if patient is Patient.CONFLICT:
        return Word.CONFLICT
    if data is Data.UNSAFE:
        return Word.ENGINEER
    if device is not Device.HEARD:
        return Word.SILENT if device is Device.SILENT else Word.NO_DEVICE
    if patient is Patient.NOBODY:
        return Word.WHO
    return Word.SENDING if data is Data.SENT else Word.STORING


@pytest.mark.parametrize(("device", "patient", "data"), list(itertools.product(DEVICES, BEDS, LINKS)))
def test_each_of_the_27_is_told_as_it_is(device: Device, patient: Patient, data: Data) -> None:
    link, spool = LINKS[data]
    now = state(status(DEVICES[device], link, spool), None, BEDS[patient], NOW_NS)
    assert (now.device, now.patient, now.data) == (device, patient, data)
    assert now.word is expected(device, patient, data)


def test_every_word_is_reached() -> None:
    reached = {expected(*one) for one in itertools.product(DEVICES, BEDS, LINKS)}
    assert {*reached, Word.STARTING} == set(Word)


def test_how_long_and_how_much_room() -> None:
    now = state(status(link=AWAY, age_s=2.0), None, KNOWN, NOW_NS)
    assert now.stored_s == 722.0
    assert now.room_h == 71.0
    assert now.waiting_envelopes == 41
    assert state(status(), None, KNOWN, NOW_NS).stored_s is None


@pytest.mark.parametrize(("age_s", "word"), [(14.0, Word.SENDING), (16.0, Word.STARTING), (61.0, Word.ENGINEER)])
def test_an_old_status_says_nothing_of_the_present(age_s: float, word: Word) -> None:
    now = state(status(age_s=age_s), None, KNOWN, NOW_NS)
    assert now.word is word
    if word is not Word.SENDING:
        assert (now.device, now.data) == (Device.UNKNOWN, Data.UNKNOWN)
    assert now.code == (codes.NO_GATEWAY if word is Word.ENGINEER else 0)


def test_before_a_gateway_has_written() -> None:
    assert state(None, None, None, 20 * 10**9).word is Word.STARTING
    assert state(None, None, None, 121 * 10**9).code == codes.NO_GATEWAY
    assert state(None, Setup("busy"), None, 500 * 10**9).word is Word.STARTING
    failed = state(None, Setup("failed", 23), None, 20 * 10**9)
    assert (failed.word, failed.code) == (Word.ENGINEER, 23)
    assert state(None, Setup("failed"), None, 0).code == codes.SETUP


def test_a_gateway_that_has_just_begun_may_not_have_found_its_devices() -> None:
    begun = replace(status(()), uptime_s=5.0)
    assert state(begun, None, KNOWN, NOW_NS).word is Word.STARTING
    assert state(replace(begun, uptime_s=25.0), None, KNOWN, NOW_NS).word is Word.NO_DEVICE
    assert state(replace(status(), uptime_s=5.0), None, KNOWN, NOW_NS).word is Word.SENDING


def test_a_conflict_goes_before_all() -> None:
    for one in (None, status((), AWAY, REFUSED)):
        assert state(one, Setup("failed"), CONFLICT, NOW_NS).word is Word.CONFLICT


def test_whose_data_it_is_nobody_guesses() -> None:
    now = state(status(), None, None, NOW_NS)
    assert (now.patient, now.code) == (Patient.UNKNOWN, codes.BINDING)
    proposed = replace(NOBODY, episode=episode("adt", "unvalidated"))
    assert state(status(), None, proposed, NOW_NS).patient is Patient.NOBODY


def test_whoever_lies_in_this_bed_is_not_known_and_not_asked_again() -> None:
    bed_only = replace(NOBODY, episode=episode("location", "unvalidated"))
    now = state(status(), None, bed_only, NOW_NS)
    assert (now.word, now.patient, now.is_bed_only) == (Word.SENDING, Patient.NOBODY, True)
    by_itself = replace(bed_only, episode=replace(bed_only.episode, performer=""))
    assert state(status(), None, by_itself, NOW_NS).word is Word.WHO


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (replace(SENT, problem="nobody listens"), Data.STORED),
        (replace(SENT, unanswered_s=2.9), Data.SENT),
        (replace(SENT, unanswered_s=3.1), Data.STORED),
        (replace(SENT, unanswered_s=3.1, round_trip_s=1.0), Data.SENT),
        (replace(SENT, unanswered_s=4.1, round_trip_s=1.0), Data.STORED),
    ],
)
def test_sent_is_what_is_answered(link: object, data: Data) -> None:
    assert state(status(link=link), None, KNOWN, NOW_NS).data is data  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ports", "device", "name"),
    [
        ((port("", None, "listening: nothing is heard"),), Device.NONE, ""),
        ((port("nellcor_n560", None, "waiting"),), Device.NONE, ""),
        ((port("nellcor_n560", 3.0, "waiting"),), Device.SILENT, "nellcor_n560"),
        ((port("nellcor_n560", None),), Device.SILENT, "nellcor_n560"),
        ((port("barcode_reader", 1.0),), Device.NONE, ""),
        ((port("nonin_spot", 100.0),), Device.HEARD, ""),
        ((port("nonin_spot", None),), Device.NONE, ""),
        ((port(), port("ivy_450c", 20.0)), Device.SILENT, "ivy_450c"),
        ((port(), port("", None, "unknown device: nobody understands it")), Device.HEARD, ""),
    ],
)
def test_which_device(ports: tuple[PortStatus, ...], device: Device, name: str) -> None:
    now = state(status(ports), None, KNOWN, NOW_NS)
    assert (now.device, now.name) == (device, name)


def test_a_device_by_radio() -> None:
    near = RadioStatus("listening", "closed", 0, 0, 0, {}, 0, [], [])
    assert state(replace(status(()), radio=near), None, KNOWN, NOW_NS).device is Device.NONE


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(status(), spool=replace(KEPT, unread_files=1)), codes.STORAGE),
        (replace(status(), trust=TrustStatus(0, 0, 7, "expired")), codes.ENROLMENT),
        (replace(status(), audit_problem="full"), codes.AUDIT),
        (status((port("", None, "unknown device: who"),)), codes.STRANGER),
        (status((port("ivy_450c", None, "cannot open: busy"),)), codes.PORT),
        (status(link=AWAY, spool=replace(KEPT, chains=[replace(KEPT.chains[0], room_h=11.0)])), codes.ROOM),
    ],
)
def test_what_a_technician_is_called_for(changed: object, code: int) -> None:
    now = state(changed, None, KNOWN, NOW_NS)  # type: ignore[arg-type]
    assert (now.word, now.code) == (Word.ENGINEER, code)


def test_the_devices_that_speak_at_times_are_drivers_of_ours() -> None:
    assert {driver.info.id for driver in registry.all_drivers()} >= AT_TIMES
