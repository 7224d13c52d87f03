"""Mindray over HL7: what a monitor says is told, what is sent is on the list, and nobody is mixed up with anybody."""

import re
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from drivers import capture
from drivers.contract import Alarm, Identity, Numeric, Output, PatientId, Phase, Scale, Send, Status, Wave, Why
from drivers.devices.mindray_hl7 import MindrayHl7
from drivers.hl7.blocks import block
from drivers.mindray.talk import ASK_ALL, ASK_BY_NUMBER, HEARTBEAT, receipt
from drivers.mindray.zmw import wave

SECOND_NS = 1_000_000_000
T8 = Path(__file__).parents[1] / "captures" / "mindray_hl7" / "beneview-t8.cap"
HEAD = r"MSH|^~\&|MINDRAY_^00A037000000^EUI-64|MINDRAY|||20260101120000||{kind}|{number}|P|2.6|||AL|NE||UNICODE UTF-8"
GATEWAY = HEAD.replace("MINDRAY_^00A037000000", "MINDRAY_EGATEWAY^00A0370000FF")


def pds(control: object, *obx: str) -> bytes:
    return block("\r".join([rf"MSH|^~\&|||||||ORU^R01|{control}|P|2.3.1|", *obx, ""]).encode())


def pcd(*segments: str, head: str = HEAD, number: object = 7, kind: str = "ORU^R01^ORU_R01") -> bytes:
    return block("\r".join([head.format(kind=kind, number=number), *segments, ""]).encode())


def spo2(value: object = 98, flags: str = "", status: str = "R", device: str = "") -> str:
    what, unit = "150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC"
    return f"OBX|1|NM|{what}|1.3.1.1|{value}|{unit}||{flags}|||{status}|||||||{device}"


def told(driver: MindrayHl7, *blocks: bytes, kinds: type | tuple[type, ...] = Numeric) -> list[Output]:
    return [one for data in blocks for one in driver.on_bytes(data, SECOND_NS) if isinstance(one, kinds)]


def test_a_t8_is_asked_once_it_has_said_its_heartbeat_and_all_it_says_is_read() -> None:
    driver = MindrayHl7()
    story = capture.parse(T8.read_text(encoding="utf-8"))
    said = [output for _, output in capture.play(driver, story.chunks(), story.end)]
    assert [one.data for one in said if isinstance(one, Send)] == [HEARTBEAT, ASK_ALL, HEARTBEAT]
    values = {one.channel: one.value for one in said if isinstance(one, Numeric)}
    assert (values["ecg.hr"], values["spo2"], values["ibp.art_sys"], values["ecg.st_ii"]) == (60, 98, 120, None)
    assert values["mindray_hl7:T1"] == Decimal("37.0")
    assert (driver.counts.frames, driver.counts.bad, driver.counts.skipped, driver.pending()) == (15, 0, 0, 0)


def test_nothing_is_sent_to_who_has_said_nothing_unless_an_engineer_wants_it() -> None:
    assert MindrayHl7().on_open(0) == []
    assert MindrayHl7().wake_at is None
    assert MindrayHl7({"ask": "first"}).on_open(0) == [Send(HEARTBEAT), Send(ASK_ALL)]


def test_a_monitor_that_gives_no_readings_is_asked_in_another_way() -> None:
    driver = MindrayHl7()
    sent = [one.data for one in driver.on_bytes(pds(106), 0) if isinstance(one, Send)]
    for second in range(1, 31):
        assert driver.wake_at is not None
        sent += [one.data for one in driver.on_time(driver.wake_at + 1) if isinstance(one, Send)]
        if second > 12:
            driver.on_bytes(pds(204, "OBX||NM|101^HR|2101|60||||||F"), second * SECOND_NS)
    assert [data for data in sent if data != HEARTBEAT] == [ASK_ALL, ASK_BY_NUMBER]
    assert sent.count(HEARTBEAT) == 31


def test_a_connection_made_anew_is_asked_anew() -> None:
    """What an earlier process had heard is heard again before the port opens, and what it answers goes nowhere."""
    driver = MindrayHl7()
    driver.on_bytes(pds(106), 0)
    assert driver.on_open(SECOND_NS) == []
    assert Send(ASK_ALL) in driver.on_bytes(pds(106), SECOND_NS)


def test_what_is_sent_only_asks_and_receipts_carry_a_number_alone() -> None:
    allows = MindrayHl7.info.allows
    for data in (HEARTBEAT, ASK_ALL, ASK_BY_NUMBER, receipt(b"1"), receipt(b"12345678901234567890")):
        assert allows(data)
        assert set(re.findall(rb"[A-Z]{3}\^[A-Z]\d\d", data)) <= {b"QRY^R02", b"ORU^R01"}
        assert not re.search(rb"OBX|ADT|ORM|SET", data)
    for number in (b"1\rQR|", b"123456789012345678901", b"A7", b"1|2"):
        assert not allows(receipt(number))
    assert len(max(re.findall(rb"\^1\^1\^0\^([\d&]+)", ASK_BY_NUMBER), key=len).split(b"&")) == 4


@pytest.mark.parametrize("number", ["", "A7", "1|2", "٣", "1" * 21])
def test_what_is_no_number_is_not_receipted(number: str) -> None:
    driver = MindrayHl7()
    assert told(driver, pcd(spo2(), number=number), kinds=Send) == []


def test_a_receipt_is_given_where_it_is_wanted() -> None:
    assert told(MindrayHl7(), pcd(spo2(), number=1227), kinds=Send) == [Send(receipt(b"1227"))]
    assert told(MindrayHl7(), pcd(spo2(), head=HEAD.replace("|AL|", "|NE|")), kinds=Send) == []


@pytest.mark.parametrize(
    ("value", "flags", "status", "expected"),
    [
        ("98", "", "R", (98, None)),
        ("98.50", "", "F", (Decimal("98.50"), None)),
        ("98", "QUES", "R", (98, Why.QUESTIONABLE)),
        ("98", "H~TEST", "R", (98, Why.TEST)),
        ("98", "H", "R", (98, None)),
        ("98", "INV", "R", (None, Why.INVALID)),
        ("98", "NAV~QUES", "R", (None, Why.UNAVAILABLE)),
        ("98", "", "X", (None, Why.UNAVAILABLE)),
        ("", "", "R", (None, Why.UNAVAILABLE)),
        ('""', "", "R", (None, Why.UNAVAILABLE)),
        ("97~98", "", "R", (None, Why.INVALID)),
        ("--", "", "R", (None, Why.INVALID)),
        ("1e5", "", "R", (None, Why.INVALID)),
        ("-100", "", "R", (-100, None)),  # no value in PDS alone
    ],
)
def test_a_reading_of_pcd_and_why_it_is_none(value, flags, status, expected) -> None:
    assert told(MindrayHl7(), pcd(spo2(value, flags, status))) == [Numeric("spo2", expected[0], "%", expected[1])]


@pytest.mark.parametrize("value", ["-100", "-100.00", "-1000", "-10000", ""])
def test_no_value_in_pds(value: str) -> None:
    said = told(MindrayHl7(), pds(204, f"OBX||NM|170^Sys|2105|{value}||||||F"))
    assert said == [Numeric("nibp.sys", None, "mm[Hg]", Why.UNAVAILABLE)]


def test_the_unit_is_the_monitors_where_it_says_one_and_the_engineers_where_it_does_not() -> None:
    driver = MindrayHl7({"pressure": "kPa", "temperature": "[degF]"})
    said = told(driver, pds(204, "OBX||NM|170^Sys|2105|16.0||||||F", "OBX||NM|200^T1|2104|98.6|Cel^Cel^UCUM|||||F"))
    assert [(one.unit, one.value) for one in said] == [("kPa", Decimal("16.0")), ("Cel", Decimal("98.6"))]
    assert told(driver, pds(204, "OBX||NM|253^EtO2|2106|144||||||F"))[0].unit == ""


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("262688^MDC_DIM_PERCENT^MDC", "%"),
        ("%^%^UCUM", "%"),
        ("1^X^Y^%^%^UCUM", "%"),
        ("262143^MDC_DIM_ODD^MDC", "mdc:262143"),
        ("", ""),
    ],
)
def test_units(field: str, unit: str) -> None:
    assert told(MindrayHl7(), pcd(spo2().replace("262688^MDC_DIM_PERCENT^MDC", field)))[0].unit == unit


def test_limits_and_settings_are_no_readings() -> None:
    driver = MindrayHl7()
    assert told(driver, pds(51, "OBX||NM|2002^|101|120||||||F"), pds(205, "OBX||CE|2037^|101|3^||||||F")) == []
    assert driver.counts.reasons == {"setting": 2}


def test_a_cuff_says_when_once() -> None:
    said = told(
        MindrayHl7(), *2 * [pds(503, "OBX||NM|170^Sys|2105|120||||||F||APERIODIC|20070106191915")], kinds=Status
    )
    assert said == [Status("measured-at", Phase.ON, "2007-01-06T19:19:15", "nibp.sys")]


def test_lists_of_alarms_say_what_comes_and_goes() -> None:
    driver, kinds = MindrayHl7(), Alarm
    one, two = "OBX||CE|2|1|10033^**SpO2 TOO HIGH||||||F|||2007", "OBX||CE|4||205^SpO2 Sensor Off||||||F|"
    assert [a.priority for a in told(driver, pds(54, one), pds(56, two), kinds=kinds)] == ["medium", "technical"]
    assert told(driver, pds(54, one, "OBX||CE|2040^||0^||||||F"), pds(56, two), kinds=kinds) == []
    assert told(driver, pds(54), kinds=kinds) == [
        Alarm("mindray_hl7:10033", "**SpO2 TOO HIGH", "medium", Phase.OFF),
    ]
    assert [a.phase for a in told(driver, pds(56), kinds=kinds)] == [Phase.OFF]


def test_a_wave_whose_samples_are_no_integers_is_counted_and_not_told() -> None:
    driver = MindrayHl7()
    rate = "OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.7.1.1|250|264640^MDC_DIM_HZ^MDC"
    for samples in ("1.5^2", "", "1^^2", str(1 << 31), "x"):
        assert told(driver, pcd(f"OBX|1|NA|131329^MDC_ECG_ELEC_POTL_I^MDC|1.7.1|{samples}", rate), kinds=Wave) == []
    assert driver.counts.reasons["wave"] == 5
    said = told(driver, pcd("OBX|1|NA|131329^MDC_ECG_ELEC_POTL_I^MDC|1.7.1|1^-2", rate), kinds=Wave)
    assert [(wave.channel, wave.samples, wave.scale.rate) for wave in said] == [("ecg.i", (1, -2), 250)]


def test_waves_of_an_ipm_are_read_and_damaged_ones_are_not() -> None:
    driver = MindrayHl7()
    story = capture.parse(T8.with_name("ipm-waves.cap").read_text(encoding="utf-8"))
    said = [one for _, one in capture.play(driver, story.chunks(), story.end) if isinstance(one, Wave)]
    assert [(w.channel, len(w.samples), w.scale.rate, w.scale.bits) for w in said] == [
        ("resp.wave", 128, 128, 8),
        ("ibp.art", 128, 128, 16),
    ]
    assert [(min(w.samples), max(w.samples)) for w in said] == [(113, 134), (76, 121)]
    assert driver.counts.reasons == {"wave": 2}


def test_a_wave_is_one_second_of_samples_of_one_or_two_bytes() -> None:
    def coded(size: int, rate: int, count: int) -> bytes:
        body = struct.pack(">HBHB", 1113, size, rate, 0) + bytes(count * size)
        body += bytes(-(len(body) + 2) % 7)
        total = sum(struct.unpack(f">{(len(body) + 1) // 2}H", body + bytes(len(body) % 2)))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        data = (total ^ 0xFFFF).to_bytes(2, "big") + body
        blocks = (data[at : at + 7] for at in range(0, len(data), 7))
        return b"".join(
            bytes(byte | 0x80 for byte in block) + bytes([0x80 | sum((byte >> 7) << n for n, byte in enumerate(block))])
            for block in blocks
        )

    assert wave(coded(1, 250, 250)) == Wave("ecg.i", (0,) * 250, Scale(Fraction(250), "", bits=8))
    for size, rate, count in ((1, 250, 240), (1, 250, 260), (3, 10, 10), (1, 0, 0), (2, 100, 90)):
        assert wave(coded(size, rate, count)) is None


def test_two_monitors_on_one_connection_are_never_mixed() -> None:
    driver = MindrayHl7()
    first, second = (spo2(device=f"000F1404{n}^BIG_DIPPER^000F1404{n}^EUI-64") for n in (1, 2))
    visits = ["PV1||I|ICU^^5^X", "PV1||I|ICU^^6^X"]
    assert len(told(driver, pcd(visits[0], first, head=GATEWAY))) == 1
    assert told(driver, pcd(visits[1], second, head=GATEWAY)) == []
    assert told(driver, pcd(visits[0], first, head=GATEWAY)) == [], "whose was the first?"
    both = (pcd(visits[0], first, head=GATEWAY), pcd(visits[1], second, head=GATEWAY), pcd(second, head=GATEWAY))
    chosen = MindrayHl7({"bed": "ICU^^6"})
    assert len(told(chosen, *both)) == 1
    assert told(chosen, *both, kinds=Identity) == [], "it was told before"
    assert chosen.counts.reasons == {"another bed": 4}


def test_a_monitor_that_is_moved_is_the_same_monitor() -> None:
    device = "000F1404^BIG_DIPPER^000F1404^EUI-64"
    moved = [pcd(f"PV1||I|{place}", spo2(device=device), head=GATEWAY) for place in ("ICU^^5", "ICU^^6")]
    assert len(told(MindrayHl7(), *moved)) == 2
    assert told(MindrayHl7(), *moved, kinds=Identity) == [Identity("Mindray", "BIG_DIPPER", "000F1404")]


def test_the_patient_of_the_monitors_page() -> None:
    driver = MindrayHl7()
    pid = "PID|||4711^^^Hospital^PI~0815^^^Hospital^MR||Doe^Jane^^^^^L"
    assert told(driver, *2 * [pcd(pid)], kinds=PatientId) == [PatientId("0815", "Doe Jane")]
    assert told(driver, pcd("PID|||^^^Hospital^PI||^^^^^^L"), kinds=PatientId) == [PatientId("")]
    assert told(driver, pcd(spo2()), kinds=PatientId) == []


def test_damage_costs_what_it_hit() -> None:
    driver, good = MindrayHl7(), pcd(spo2())
    assert len(told(driver, b"noise" + good[:30] + good + good[:-1] + good + good[:-1] + b"X" + good)) == 4
    assert driver.counts.reasons == {"cut short": 1, "end": 1}
    assert driver.counts.skipped == 5 + 30 + len(good)


def test_a_message_without_end_is_given_up_and_the_next_is_heard() -> None:
    driver = MindrayHl7()
    endless = b"\x0bMSH|" + b"a" * 70_000
    assert len(told(driver, endless, pcd(spo2()))) == 1
    assert driver.counts.reasons == {"too long": 1}
