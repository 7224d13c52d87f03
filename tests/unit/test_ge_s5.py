"""GE S/5: the maker's own requests, the layout of every class, units and special codes, waves, alarms, damage."""

import struct
from collections.abc import Sequence
from decimal import Decimal

import pytest

from drivers.contract import Alarm, DeviceTime, Numeric, Output, Phase, Send, Status, Wave, Why
from drivers.devices.ge_s5 import GeS5
from drivers.ge import requests
from drivers.ge.groups import CLASS_BYTES, CLASSES, EXT1, EXT2, EXT3
from drivers.ge.requests import ALARM_CHANGES, ALARMS_ONCE, NUMERICS_EVERY_5_S, WAVES_FROM_NOW

SECOND = 1_000_000_000
TIME = 1_700_000_000
NONE = -32767

# M1017617, Appendix A.
MAKERS_START = (
    "7e310000000000000000000000000000000000000000ff000000000000000000000000000000000000010a000e0000000000497e"
)
MAKERS_STOP = "7e310000000000000000000000000000000000000000ff000000000000000000000000000000000000010000000000000000317e"


def frame(main_type: int, *parts: tuple[int, bytes], seconds: int = TIME, length: int | None = None) -> bytes:
    """A record as a monitor sends it, written here from the description and not with the driver's own code."""
    offset, listed = 0, b""
    for kind, data in parts:
        listed += struct.pack("<hB", offset, kind)
        offset += len(data)
    listed = (listed + b"\x00\x00\xff" + bytes(24))[:24]
    body = b"".join(data for _, data in parts)
    size = 40 + len(body) if length is None else length
    record = struct.pack("<hBBHIBBHh", size, 7, 9, 4660, seconds, 0, 0, 0, main_type) + listed + body
    wire = bytearray(b"\x7e")
    for byte in record + bytes([sum(record) % 256]):
        wire += {0x7E: b"\x7d\x5e", 0x7D: b"\x7d\x5d"}.get(byte, bytes([byte]))
    return bytes(wire + b"\x7e")


def group(*values: int, status: int = 3, label: int = 0) -> bytes:
    return struct.pack(f"<IH{len(values)}h", status, label, *values)


def numerics(groups: dict[int, bytes], number: int = 0) -> tuple[int, bytes]:
    """A sub-record of displayed values with `groups` by their offset in the class; all else is not there."""
    body = bytearray(CLASS_BYTES)
    for at, data in groups.items():
        body[at : at + len(data)] = data
    return 1, struct.pack("<I", TIME) + body + struct.pack("<BBH", 0, 0, number << 8 | 9)


def samples(*values: int, status: int = 0) -> bytes:
    return struct.pack(f"<HHH{len(values)}h", len(values), status, 0, *values)


def alarms(*shown: tuple[str, int], sound: int = 1, silence: int = 0) -> bytes:
    lines = [struct.pack("<80shhh12x", text.encode("latin-1"), 1, colour, 0) for text, colour in shown]
    lines += [bytes(98)] * (5 - len(lines))
    return struct.pack("<hh4xh", 0, sound, silence) + b"".join(lines) + bytes(10)


def heard(data: bytes, driver: GeS5 | None = None) -> list[Output]:
    return (driver or GeS5()).on_bytes(data, 0)


def read(said: Sequence[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def values(said: Sequence[Output]) -> dict[str, str]:
    return {key: f"{one.value} {one.unit}" for key, one in read(said).items()}


def states(said: Sequence[Output]) -> list[tuple[str, Phase, str]]:
    names = ("dri-level", "plug-id")
    return [(one.code, one.phase, one.text) for one in said if isinstance(one, Status) and one.code not in names]


def test_requests_are_the_makers_own_examples() -> None:
    assert requests.numerics(10, requests.ALL_CLASSES).hex() == MAKERS_START
    assert requests.numerics(0, 0).hex() == MAKERS_STOP
    assert bytes.fromhex(MAKERS_STOP) not in GeS5.info.sends


def test_every_request_is_whole_and_asks_only() -> None:
    assert GeS5.info.sends == {NUMERICS_EVERY_5_S, WAVES_FROM_NOW, ALARMS_ONCE, ALARM_CHANGES}
    for request in GeS5.info.sends:
        record = request[1:-2]
        assert request[0] == request[-1] == 0x7E
        assert 0x7D not in request
        assert sum(record) % 256 == request[-2]
        assert struct.unpack_from("<h", record)[0] == len(record)
    assert (len(NUMERICS_EVERY_5_S), len(WAVES_FROM_NOW), len(ALARMS_ONCE)) == (52, 75, 55)
    assert NUMERICS_EVERY_5_S[41:50] == bytes.fromhex("01 0500 0E000000 0000")
    assert WAVES_FROM_NOW[41:54] == bytes.fromhex("0000 0000 01 08 04 0F 09 FF 0000 00")
    assert ALARMS_ONCE[41:43] + ALARM_CHANGES[41:43] == bytes.fromhex("0000 0200")


def test_waves_asked_for_stay_within_what_a_monitor_sends() -> None:
    rates = {1: 300, 8: 100, 4: 100, 15: 25, 9: 25}
    assert sum(rates[kind] for kind in requests.WANTED) <= 600


def test_every_class_fills_its_270_bytes() -> None:
    sizes = {number: sum(one.size for one in groups) for number, groups in CLASSES.items()}
    assert sizes == {0: 268, EXT1: 136, EXT2: 246, EXT3: 70}
    offsets: dict[str, int] = {}
    at = 0
    for one in CLASSES[0]:
        offsets[one.name] = at
        at += one.size
    known = {"ecg": 0, "p1": 16, "p4": 58, "nibp": 72, "t1": 86, "t4": 110, "spo2": 118, "co2": 132, "o2": 146}
    known |= {"n2o": 156, "aa": 166, "flow_vol": 178, "co_wedge": 200, "nmt": 214, "ecg_extra": 226, "svo2": 232}
    assert offsets == offsets | known


BASIC = {
    0: group(72, -50, 0, 125, 16, status=3 | 1 << 3, label=0x0127),
    16: group(12050, 8000, 9333, 71, label=1),
    72: group(11800, 7600, 9000, 70, label=3 | 1 << 3 | 1 << 8),
    86: group(3698, label=1),
    118: group(9750, 72, 210, NONE, label=2),
    132: group(503, 4, 15, 7601, label=1),
    146: group(3540, 4010),
    156: group(5000, 5500),
    166: group(120, 150, 95, label=6),
    178: group(15, 1850, 510, 1720, 5012, 4998, 5240, 612),
    200: group(4800, 3710, 4500, 1200, label=3),
    214: group(985, 0, -1),
    226: struct.pack("<3h", 71, 80, 60),
    232: group(7012),
}
READ = {
    "ecg.hr": "72 /min", "ge_s5:ecg.st1": "-0.50 mm", "ge_s5:ecg.st2": "0.00 mm", "ge_s5:ecg.st3": "1.25 mm",
    "resp.rr_impedance": "16 /min",
    "ibp.art_sys": "120.50 mm[Hg]", "ibp.art_dia": "80.00 mm[Hg]", "ibp.art_map": "93.33 mm[Hg]",
    "ge_s5:p1.hr": "71 /min",
    "nibp.sys": "118.00 mm[Hg]", "nibp.dia": "76.00 mm[Hg]", "nibp.map": "90.00 mm[Hg]", "nibp.pr": "70 /min",
    "temp.esophageal": "36.98 Cel", "spo2": "97.50 %", "spo2.pr": "72 /min", "ge_s5:spo2.ir_amp": "210 1",
    "ge_s5:spo2.svo2": "None %", "co2.et": "5.03 %", "co2.insp": "0.04 %", "resp.rr_co2": "15 /min",
    "ge_s5:co2.amb_press": "760.1 mm[Hg]", "ge_s5:o2.et": "35.40 %", "o2.fio2": "40.10 %",
    "ge_s5:n2o.et": "50.00 %", "ge_s5:n2o.fi": "55.00 %", "ge_s5:aa.et": "1.20 %", "ge_s5:aa.fi": "1.50 %",
    "ge_s5:aa.mac_sum": "0.95 1", "ge_s5:flow_vol.rr": "15 /min", "vent.p_max": "18.50 cm[H2O]",
    "vent.peep": "5.10 cm[H2O]", "ge_s5:flow_vol.pplat": "17.20 cm[H2O]", "ge_s5:flow_vol.tv_insp": "501.2 mL",
    "ge_s5:flow_vol.tv_exp": "499.8 mL", "ge_s5:flow_vol.compliance": "52.40 mL/cm[H2O]",
    "ge_s5:flow_vol.mv_exp": "6.12 L/min", "cardiac.output": "4800 mL/min", "ge_s5:co_wedge.blood_temp": "3710 1",
    "ge_s5:co_wedge.ref": "4500 1", "ibp.pawp": "12.00 mm[Hg]", "ge_s5:nmt.t1": "98.5 %", "ge_s5:nmt.tratio": "0.0 %",
    "ge_s5:ecg_extra.hr_ecg": "71 /min", "ge_s5:ecg_extra.hr_max": "80 /min", "ge_s5:ecg_extra.hr_min": "60 /min",
    "ge_s5:svo2.svo2": "70.12 %",
}  # fmt: skip


def test_every_basic_field_has_its_place_unit_and_scale() -> None:
    assert values(heard(frame(0, numerics(BASIC)))) == READ


def test_extended_classes() -> None:
    leads = range(100, 1300, 100)
    ext1 = {0: group(70, 850, 4), 48: group(*leads), 78: group(3000, 2000, 2500, 60, label=20), 120: group(3600)}
    said = values(heard(frame(0, numerics(ext1, EXT1))))
    assert said["ge_s5:arrh_ecg.hr"] == "70 /min"
    assert said["ge_s5:arrh_ecg.pvc"] == "4 1"
    assert "850 1" not in said.values()
    order = ["i", "ii", "iii", "avl", "avr", "avf", "v1", "v2", "v3", "v4", "v5", "v6"]
    assert [said[f"ecg.st_{lead}"] for lead in order] == [f"{at}.00 mm" for at in range(1, 13)]
    assert (said["ge_s5:p7.sys"], said["ge_s5:t5.temp"]) == ("30.00 mm[Hg]", "36.00 Cel")
    ext2 = {24: group(31, *range(1, 33)), 96: group(45, 98, 30, 0), 112: group(50, 55, 1), 230: group(33)}
    said = values(heard(frame(0, numerics(ext2, EXT2))))
    assert said["ge_s5:eeg.femg"] == "3.1 uV"
    assert (said["ge_s5:eeg.eeg1.ampl"], said["ge_s5:eeg.eeg1.sef"]) == ("0.1 uV", "0.2 Hz")
    assert (said["ge_s5:eeg.eeg4.ampl"], said["ge_s5:eeg.eeg4.bsr"]) == ("2.5 uV", "32 %")
    assert [said[f"ge_s5:{name}"] for name in ("bis.bis", "bis.sqi", "bis.emg", "bis.sr")] == [
        "45 1", "98 1", "30 1", "0 1",
    ]  # fmt: skip
    assert (said["ge_s5:entropy.se"], said["ge_s5:entropy.re"], said["ge_s5:entropy.bsr"]) == ("50 1", "55 1", "1 %")
    assert said["ge_s5:spi.spi"] == "33 1"
    ext3 = {0: group(1, 2, 3, 4), 14: group(120, 950, 900, 655, 500, 210), 60: group(10, 20)}
    said = values(heard(frame(0, numerics(ext3, EXT3))))
    assert said == {
        "ge_s5:flow_vol2.ipeep": "1.20 cm[H2O]", "vent.p_mean": "9.50 cm[H2O]", "vent.minute_vol_insp": "6.55 L/min",
        "ge_s5:flow_vol2.epeep": "5.00 cm[H2O]", "ge_s5:flow_vol2.mv_spont": "2.10 L/min",
        "ge_s5:bal.et": "0.10 %", "ge_s5:bal.fi": "0.20 %",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (-32001, Why.INVALID),
        (-32762, Why.INVALID),
        (-32763, Why.OVER),
        (-32764, Why.UNDER),
        (-32765, Why.CALIBRATING),
        (-32766, Why.NOT_UPDATED),
        (-32767, Why.INVALID),
        (-32768, Why.INVALID),
    ],
)
def test_special_codes_are_absent_and_never_a_number(raw: int, why: Why) -> None:
    said = read(heard(frame(0, numerics({118: group(raw, raw, 0, 0)}))))
    assert said["spo2"] == Numeric("spo2", None, "%", why)
    assert said["spo2.pr"] == Numeric("spo2.pr", None, "/min", why)


def test_edges_zero_and_the_lowest_value_are_readings() -> None:
    said = read(heard(frame(0, numerics({16: group(-32000, 0, 32767, 0, label=7)}))))
    assert said["ibp.icp"].value == Decimal("327.67")
    assert (said["ge_s5:p1.sys"].value, said["ge_s5:p1.dia"].value) == (Decimal("-320.00"), Decimal("0.00"))
    assert said["ge_s5:p1.hr"].value == 0


def test_a_module_that_is_not_there_says_nothing_and_one_that_rests_is_absent() -> None:
    assert not read(heard(frame(0, numerics({118: group(9750, 72, 0, 0, status=2)}))))
    said = read(heard(frame(0, numerics({118: group(9750, 72, 0, 0, status=1)}))))
    assert {(one.value, one.why) for one in said.values()} == {(None, Why.UNAVAILABLE)}
    assert set(said) == {"spo2", "spo2.pr", "ge_s5:spo2.ir_amp", "ge_s5:spo2.svo2"}


def test_what_is_told_no_longer_is_taken_back_once() -> None:
    driver = GeS5()
    heard(frame(0, numerics({118: group(9750, 72, 0, 0)})), driver)
    gone = frame(0, numerics({}))
    assert read(heard(gone, driver))["spo2"] == Numeric("spo2", None, "%", Why.UNAVAILABLE)
    assert not read(heard(gone, driver))


def test_heart_rate_is_the_ecgs_only_where_the_monitor_says_so() -> None:
    driver = GeS5()
    for source, channel in ((1, "ecg.hr"), (9, "ecg.hr"), (0, "pulse.generic"), (2, "pulse.generic")):
        said = read(heard(frame(0, numerics({0: group(72, 0, 0, 0, 0, status=3 | source << 3)})), GeS5()))
        assert said[channel].value == 72
        assert len({"ecg.hr", "pulse.generic"} & set(said)) == 1
    heard(frame(0, numerics({0: group(72, 0, 0, 0, 0, status=3 | 1 << 3)})), driver)
    said = heard(frame(0, numerics({0: group(74, 0, 0, 0, 0, status=3 | 6 << 3)})), driver)
    assert read(said)["pulse.generic"].value == 74
    assert read(said)["ecg.hr"] == Numeric("ecg.hr", None, "/min", Why.UNAVAILABLE)
    assert ("hr-source", Phase.ON, "SpO2") in states(said)


@pytest.mark.parametrize(
    ("at", "bits", "label", "name"),
    [
        *((0, bit, 0, name) for bit, name in ((2, "asystole"), (7, "noise"), (8, "artifact"), (9, "learning"))),
        *((0, bit, 0, name) for bit, name in ((10, "pacer-on"), (11, "channel-1-off"), (13, "channel-3-off"))),
        (16, 2, 0, "zeroing"),
        *((72, 0, 1 << bit, name) for bit, name in ((3, "auto"), (4, "stat"), (5, "measuring"), (6, "stasis"))),
        *((72, 0, 1 << bit, name) for bit, name in ((7, "calibrating"), (8, "older-than-60-s"))),
        *((132, bit, 0, name) for bit, name in ((2, "apnea"), (3, "calibrating"), (4, "zeroing"), (5, "occlusion"))),
        (132, 6, 0, "air-leak"),
        *((at, bit, 0, name) for at in (146, 156, 166) for bit, name in ((2, "calibrating"), (3, "measurement-off"))),
        *((178, bit, 0, name) for bit, name in ((2, "disconnection"), (3, "calibrating"), (4, "zeroing"))),
        *((178, bit, 0, name) for bit, name in ((5, "obstruction"), (6, "leak"), (7, "measurement-off"))),
        *((200, 0, 1 << bit, name) for bit, name in ((0, "co-older-than-60-s"), (1, "pcwp-older-than-60-s"))),
    ],
)
def test_every_state_begins_and_ends(at: int, bits: int, label: int, name: str) -> None:
    driver = GeS5()
    on = group(status=3 | (1 << bits if bits else 0), label=label)
    said = states(heard(frame(0, numerics({at: on})), driver))
    assert (name, Phase.ON, "") in said
    assert [phase for _, phase, text in said if not text] == [Phase.ON]
    assert (name, Phase.OFF, "") in states(heard(frame(0, numerics({})), driver))
    assert (name, Phase.OFF, "") not in states(heard(frame(0, numerics({})), driver))


@pytest.mark.parametrize(
    ("at", "status", "label", "channel"),
    [(132, 1 << 3, 0, "co2.et"), (132, 1 << 4, 0, "co2.et"), (146, 1 << 2, 0, "o2.fio2"), (72, 0, 1 << 7, "nibp.sys")],
)
def test_a_value_in_calibration_is_doubted(at: int, status: int, label: int, channel: str) -> None:
    said = read(heard(frame(0, numerics({at: group(500, 500, 500, 500, status=3 | status, label=label)}))))
    assert (said[channel].value, said[channel].why) == (Decimal("5.00"), Why.CALIBRATING)
    said = read(heard(frame(0, numerics({at: group(500, 500, 500, 500)}))))
    assert said[channel].why is None


def test_a_pressure_in_zeroing_is_doubted() -> None:
    said = read(heard(frame(0, numerics({16: group(100, 0, 50, 0, status=7, label=8)}))))
    assert said["ibp.abp_sys"] == Numeric("ibp.abp_sys", Decimal("1.00"), "mm[Hg]", Why.CALIBRATING)


def test_labels_name_the_site_and_two_inputs_never_share_a_channel() -> None:
    driver = GeS5()
    art = {16: group(12000, 8000, 9000, 70, label=1), 30: group(11000, 7000, 8000, 70, label=1)}
    said = values(heard(frame(0, numerics(art)), driver))
    assert (said["ibp.art_sys"], said["ge_s5:p2.sys"]) == ("120.00 mm[Hg]", "110.00 mm[Hg]")
    cvp = {16: group(NONE, NONE, 800, NONE, label=2), 30: art[30]}
    said = values(heard(frame(0, numerics(cvp)), driver))
    assert (said["ibp.cvp_mean"], said["ibp.art_sys"]) == ("8.00 mm[Hg]", "110.00 mm[Hg]")
    assert (said["ibp.art_map"], said["ge_s5:p2.sys"]) == ("80.00 mm[Hg]", "None mm[Hg]")
    said = values(heard(frame(0, numerics({86: group(3700, label=15), 94: group(3300, label=9)}))))
    assert said == {"temp.core": "37.00 Cel", "ge_s5:t2.temp": "33.00 Cel"}
    assert ("label", Phase.ON, "label 99") in states(heard(frame(0, numerics({86: group(3700, label=99)}))))


def test_pressure_waves_have_the_site_of_their_numerics() -> None:
    driver = GeS5()
    wave = frame(1, (4, samples(9000, 9100)), (5, samples(800)))
    before = [one.channel for one in heard(wave, driver) if isinstance(one, Wave)]
    heard(frame(0, numerics({16: group(1, 1, 1, 1, label=1), 30: group(1, 1, 1, 1, label=2)})), driver)
    after = [one.channel for one in heard(wave, driver) if isinstance(one, Wave)]
    assert (before, after) == (["ge_s5:INVP1", "ge_s5:INVP2"], ["ibp.art", "ibp.cvp"])


def test_waves_of_a_chunk_are_joined_and_marked() -> None:
    first = frame(1, (1, samples(5, -7, 9, status=4)), (8, samples(-3, 150)))
    second = frame(1, (1, samples(1, -32000, -32768, 2, status=9)), (15, samples(4000)))
    waves = {one.channel: one for one in heard(first + second) if isinstance(one, Wave)}
    ecg = waves["ecg.unspecified"]
    assert ecg.samples == (5, -7, 9, 1, -32000, -32768, 2)
    marks = [(mark.at, mark.kind, mark.count) for mark in ecg.marks]
    assert marks == [(0, "pacer-detected", 3), (3, "gap", 4), (3, "lead-off", 4), (4, "invalid", 2)]
    assert (ecg.scale.rate, ecg.scale.unit, ecg.scale.gain) == (300, "uV", 1)
    assert (waves["pleth"].scale.rate, waves["pleth"].scale.gain.denominator) == (100, 100)
    assert (waves["resp.impedance"].scale.rate, waves["resp.impedance"].scale.unit) == (25, "Ohm")


def test_waves_that_cannot_be_read_are_counted() -> None:
    driver = GeS5()
    cut = struct.pack("<HHH2h", 3, 0, 0, 1, 2)
    parts = ((22, samples(1)), (99, samples(1)), (8, cut), (10, b"\x01"))
    assert not [one for one in heard(frame(1, *parts, (9, samples())), driver) if isinstance(one, Wave)]
    assert driver.counts.frames == 1
    assert {f"not read: 1/{kind}": 1 for kind, _ in parts} == driver.counts.reasons


def test_trends_and_unknown_classes_are_never_told_as_displayed() -> None:
    driver = GeS5()
    _, data = numerics(BASIC)
    said = heard(frame(0, (2, data), (3, data), (4, data), (1, data[:-1])), driver)
    said += heard(frame(0, numerics(BASIC, 5)), driver)
    assert not read(said)
    assert driver.counts.reasons == {f"not read: 0/{kind}": 1 for kind in (1, 2, 3, 4)}


def test_alarms_come_change_and_go() -> None:
    driver = GeS5()

    def told(*shown: tuple[str, int], sound: int = 1, silence: int = 0) -> list[Output]:
        message = frame(4, (1, alarms(*shown, sound=sound, silence=silence)))
        return [one for one in heard(message, driver) if isinstance(one, Alarm | Status) and "-i" not in one.code]

    said = told(("HR HIGH\n", 3), ("SpO2 probe  off", 2), ("note", 0))
    assert said[-2:] == [
        Alarm("HR HIGH", "HR HIGH", "high", Phase.ON),
        Alarm("SpO2 probe off", "SpO2 probe off", "medium", Phase.ON),
    ]
    assert Status("alarm-sound", Phase.ON) in said
    assert told(("HR HIGH", 1), ("SpO2 probe off", 2)) == [Alarm("HR HIGH", "HR HIGH", "low", Phase.ON)]
    assert told(("SpO2 probe off", 2), sound=0, silence=5) == [
        Status("alarm-sound", Phase.OFF),
        Status("alarms-silenced", Phase.ON, "2 minutes"),
        Alarm("HR HIGH", "HR HIGH", "low", Phase.OFF),
    ]
    assert told(("SpO2 probe off", 9), sound=0)[-1].__class__ is Alarm
    assert not [one for one in heard(frame(4, (1, alarms(("A", 3))[:-1])), driver) if isinstance(one, Alarm)]


def test_the_monitors_clock_and_header_are_told_when_they_change() -> None:
    driver = GeS5()
    said = heard(frame(5, (3, b"x")), driver)
    assert said == [
        DeviceTime("2023-11-14T22:13:20"),
        Status("dri-level", Phase.ON, "9"),
        Status("plug-id", Phase.ON, "4660"),
    ]
    assert heard(frame(5, (3, b"x")), driver) == []
    assert heard(frame(5, (3, b"x"), seconds=TIME + 1), driver) == [DeviceTime("2023-11-14T22:13:21")]
    assert heard(frame(5, (3, b"x"), seconds=0), driver) == []


def test_flags_and_escapes_inside_a_record_travel_escaped() -> None:
    said = heard(frame(1, (8, samples(0x7E7D, 0x7D7E, 0x7E))))
    assert [one.samples for one in said if isinstance(one, Wave)] == [(0x7E7D, 0x7D7E, 0x7E)]


GOOD = frame(0, numerics({118: group(9750, 72, 0, 0)}))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (GOOD[:60] + b"\x55" + GOOD[61:], "sum"),
        (b"\x7e\x7d\x41\x00\x7e", "escape"),
        (b"\x7e\x10\x10\x7e", "short"),
        (frame(0, numerics({}), length=317), "length"),
        (frame(2, numerics({})), "main type"),
        (frame(1, (8, b"")), "offset"),
        (bytes.fromhex(MAKERS_START), "request"),
        (b"\x7e" + bytes(5000), "too long"),
    ],
)
def test_damage_is_refused_and_the_next_frame_read(damaged: bytes, reason: str) -> None:
    driver = GeS5()
    said = heard(damaged + GOOD, driver)
    assert read(said)["spo2"].value == Decimal("97.50")
    assert (driver.counts.frames, driver.counts.bad, driver.counts.reasons) == (1, 1, {reason: 1})
    assert driver.counts.skipped + driver.pending() == len(damaged)


def test_a_lost_flag_costs_one_frame() -> None:
    for stream in (GOOD[:-1] + GOOD + GOOD, GOOD[1:] + GOOD + GOOD, GOOD[100:] + GOOD, GOOD[:100] + GOOD + GOOD):
        driver = GeS5()
        said = heard(stream, driver)
        assert len([one for one in said if isinstance(one, Numeric) and one.channel == "spo2"]) >= 1
        assert driver.counts.bad <= 1


def test_our_own_requests_come_back_are_no_monitor() -> None:
    driver = GeS5()
    assert heard(b"".join(sorted(GeS5.info.sends)) * 3, driver) == []
    assert (driver.counts.frames, driver.counts.reasons) == (0, {"request": 12})


def test_what_stays_away_is_asked_for_again() -> None:
    driver = GeS5()
    everything = [Send(NUMERICS_EVERY_5_S), Send(WAVES_FROM_NOW), Send(ALARM_CHANGES)]
    assert driver.on_open(0) == everything
    assert driver.wake_at == 10 * SECOND
    assert driver.on_time(10 * SECOND + 1) == everything
    driver.on_bytes(GOOD, 19 * SECOND)
    driver.on_bytes(frame(1, (8, samples(1))), 19 * SECOND)
    assert driver.on_time(20 * SECOND) == []
    driver.on_bytes(GOOD, 29 * SECOND)
    driver.on_bytes(frame(4, (1, alarms())), 29 * SECOND)
    assert driver.on_time(30 * SECOND) == [Send(WAVES_FROM_NOW), Send(ALARMS_ONCE)]
    driver.on_bytes(frame(1, (8, samples(1))), 44 * SECOND)
    assert driver.on_time(45 * SECOND) == [Send(NUMERICS_EVERY_5_S), Send(ALARMS_ONCE)]
    assert driver.on_time(60 * SECOND) == everything
