"""Alarms of the Philips monitor: from lists of what is active to what came and what went."""

import struct

import pytest

from agent.lab.voices.philips_intellivue import listed, sized, utf16, words
from drivers.contract import Alarm, Phase
from drivers.philips.alarms import ALARMS_LIMIT, PLACES_LIMIT, Alarms
from drivers.philips.codes import PATIENT_ALARMS, TECHNICAL_ALARMS

HERE = (0, 1)
HR, SPO2 = 0x4182, 0x4BB8
HIGH, DISCONNECTED, LEAD_OFF = 40, 22, 268


def entry(source: int, code: int, kind: int, text: str, state: int = 8, instance: int = 1) -> bytes:
    """A DevAlarmEntry with the text as shown (StrAlMonInfo)."""
    info = words(instance, 0, 0x1234, 0, 0x4000) + utf16(text)
    return words(source, code, kind, state, 6, 0, 0x82CF, 0x0204) + sized(info)


def heard(alarms: Alarms, *entries: bytes, name: int = PATIENT_ALARMS, key: tuple[int, int] = HERE) -> list[Alarm]:
    return list(alarms.listed(name, key, listed(*entries)))


TACHY = Alarm("mdc:196648", "** HR 142 > 130", "medium", Phase.ON, "ecg.hr")


def test_an_alarm_comes_stays_and_goes() -> None:
    alarms = Alarms()
    active = entry(HR, HIGH, 0x0200, "** HR 142 > 130")
    assert heard(alarms, active) == [TACHY]
    assert heard(alarms, active) == []
    assert heard(alarms) == [Alarm("mdc:196648", "** HR 142 > 130", "medium", Phase.OFF, "ecg.hr")]
    assert heard(alarms) == []


def test_an_alarm_that_changes_its_words_or_latches_is_said_again() -> None:
    alarms = Alarms()
    heard(alarms, entry(HR, HIGH, 0x0200, "** HR 142 > 130"))
    assert [alarm.text for alarm in heard(alarms, entry(HR, HIGH, 0x0200, "** HR 150 > 130"))] == ["** HR 150 > 130"]
    (latched,) = heard(alarms, entry(HR, HIGH, 0x0200, "** HR 150 > 130", state=0x2000))
    assert latched.phase is Phase.LATCHED


@pytest.mark.parametrize(
    ("kind", "priority"),
    [(0x0400, "high"), (0x0200, "medium"), (0x0100, "low"), (1, "technical"), (4, "technical"), (0, "unknown")],
)
def test_priorities(kind: int, priority: str) -> None:
    assert heard(Alarms(), entry(HR, HIGH, kind, "x"))[0].priority == priority


def test_lists_do_not_end_each_others_alarms() -> None:
    alarms = Alarms()
    heard(alarms, entry(HR, HIGH, 0x0400, "*** HR"))
    assert len(heard(alarms, entry(SPO2, DISCONNECTED, 2, "SpO2 NO SENSOR"), name=TECHNICAL_ALARMS)) == 1
    assert heard(alarms, name=TECHNICAL_ALARMS)[0].phase is Phase.OFF
    assert heard(alarms, entry(HR, HIGH, 0x0400, "*** HR")) == []


def test_what_an_alarm_is_about() -> None:
    part_of_the_device = heard(Alarms(), entry(4493, 0xF0F1, 1, "CHECK"))[0]
    assert (part_of_the_device.code, part_of_the_device.channel) == ("philips_intellivue:0xF0F1", "")
    lead = heard(Alarms(), entry(0x0100, LEAD_OFF, 1, "LEADS OFF"))[0]
    assert lead.channel == "ecg.unspecified"


def test_an_alarm_without_a_text_names_its_text_id() -> None:
    bare = words(HR, HIGH, 0x0100, 0, 6, 0, 0x82CF, 0x0201) + sized(words(1, 0, 0x1234, 0, 0))
    assert heard(Alarms(), bare)[0].text == "text 0x00001234"


def test_after_the_monitor_begins_anew_its_next_list_says_what_is_over() -> None:
    alarms = Alarms()
    heard(alarms, entry(HR, HIGH, 0x0200, "** HR 142 > 130"), entry(SPO2, DISCONNECTED, 0x0100, "* SpO2"))
    alarms.forget_places()
    over = heard(alarms, entry(HR, HIGH, 0x0200, "** HR 142 > 130"), key=(0, 9))
    assert [(alarm.channel, alarm.phase) for alarm in over] == [("spo2", Phase.OFF)]


def test_a_list_shorter_than_its_count_changes_nothing() -> None:
    alarms = Alarms()
    heard(alarms, entry(HR, HIGH, 0x0200, "** HR 142 > 130"))
    with pytest.raises(struct.error):
        list(alarms.listed(PATIENT_ALARMS, HERE, words(2, 10) + b"\0" * 10))
    assert heard(alarms, entry(HR, HIGH, 0x0200, "** HR 142 > 130")) == []


def test_what_is_kept_is_bounded() -> None:
    alarms = Alarms()
    many = [entry(HR, HIGH, 0x0100, "x", instance=number) for number in range(ALARMS_LIMIT + 50)]
    assert len(heard(alarms, *many)) == ALARMS_LIMIT
    said = [len(heard(alarms, entry(HR, HIGH, 0x0100, "x"), key=(1, place))) for place in range(100)]
    assert sum(said) == PLACES_LIMIT - 1
