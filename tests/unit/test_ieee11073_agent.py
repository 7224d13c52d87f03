"""ieee11073_agent against the example APDUs, each length and special value, and agents made by the rules."""

import os
import random
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.capture import parse
from drivers.contract import Counts, DeviceTime, Identity, Numeric, Output, Phase, Send, Status, Why
from drivers.devices.ieee11073_agent import ACCEPTED, ACCEPTED_UNKNOWN, ASK_WHO, RELEASED, Ieee11073Agent
from drivers.framing import Bad, Frame
from drivers.ieee11073 import apdu
from drivers.ieee11073.fields import Fields, MalformedError, float32, moment, sfloat
from drivers.ieee11073.objects import STANDARD, channel, unit_of
from drivers.ieee11073.readings import OXIMETER
from tests.dated import times

CAPTURES = Path(__file__).parents[1] / "captures" / "ieee11073_agent"
ABORT, RELEASE = bytes.fromhex("E60000020002"), bytes.fromhex("E40000020000")
SYSTEM = "0022334455667788"


# In these examples a length or a count is wrong: 0036 for 004A, seven attributes that are eight, 002C for 002E.
BROKEN = {"scan_report_info_var", "H221_ID_02BC", "pulse_oximeter_buf_scan_report_mp_grouped"}


def listed(*items: bytes) -> bytes:
    body = b"".join(items)
    return len(items).to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def named(name: int, data: bytes) -> bytes:
    return name.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def message(choice: int, inner: bytes) -> bytes:
    body = b"\x12\x34" + named(choice, inner)
    return b"\xe7\0" + (len(body) + 2).to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def event(kind: int, info: bytes, choice: int = 0x0101) -> bytes:
    return message(choice, bytes.fromhex("0000FFFFFFFF") + named(kind, info))


def fixed(*objects: tuple[int, str], choice: int = 0x0101) -> bytes:
    seen = (named(handle, bytes.fromhex(data)) for handle, data in objects)
    return event(0x0D1D, b"\xf0\0\0\0" + listed(*seen), choice)


def agent(config: int, system: str = SYSTEM, version: str = "80000000", encoding: str = "8000") -> bytes:
    offer = bytes.fromhex(f"{version}{encoding}800000000000000000800000 0008{system}{config:04X}00010100")
    body = bytes.fromhex("80000000") + listed(named(0x5079, offer + listed()))
    return b"\xe2\0" + len(body).to_bytes(2, "big") + body


def heard(*chunks: bytes) -> tuple[list[Output], Ieee11073Agent]:
    driver = Ieee11073Agent()
    return [out for data in chunks for out in driver.on_bytes(data, 0)], driver


def numerics(said: Iterable[Output]) -> list[tuple[str, object, Why | None]]:
    return [(one.channel, one.value, one.why) for one in said if isinstance(one, Numeric)]


def sent(said: Iterable[Output]) -> list[bytes]:
    return [one.data for one in said if isinstance(one, Send)]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0x0062, "98"),
        (0xF3CF, "97.5"),
        (0xF258, "60.0"),
        (0xFFFF, "-0.1"),
        (0x1FFF, "-10"),
        (0x7001, "10000000"),
        (0x07FD, "2045"),
        (0x0803, "-2045"),
        (0, "0"),
    ],
)
def test_sfloat(word: int, value: str) -> None:
    assert str(sfloat(word)) == value


@pytest.mark.parametrize(
    ("word", "value"),
    [(0xFF00031C, "79.6"), (0x0300069F, "1695000"), (0xFE000ED8, "38.00"), (0xFFFFFFFF, "-0.1"), (0, "0")],
)
def test_float(word: int, value: str) -> None:
    assert str(float32(word)) == value


def test_special_values_are_no_numbers() -> None:
    for exponent in (0, 0xF):
        words = [exponent << 12 | at for at in (0x7FF, 0x800, 0x801, 0x7FE, 0x802)]
        assert [sfloat(word) for word in words] == [Why.UNAVAILABLE] * 3 + [Why.OVER, Why.UNDER]
    long = (0x7FFFFF, 0x800000, 0x800001, 0x7FFFFE, 0x800002)
    assert [float32(word) for word in long] == [Why.UNAVAILABLE] * 3 + [Why.OVER, Why.UNDER]


@pytest.mark.parametrize("data", ["", "2026130112300000", "20260601123A0000", "FFFFFFFFFFFFFFFF", "00000000000000"])
def test_no_such_time(data: str) -> None:
    assert moment(bytes.fromhex(data)) == ""
    assert moment(bytes.fromhex("2026060112305999")) == "2026-06-01T12:30:59"


def test_only_four_fixed_apdus_and_confirmations_can_be_sent_and_none_sets() -> None:
    assert Ieee11073Agent.info.sends == {ACCEPTED, ACCEPTED_UNKNOWN, RELEASED, ASK_WHO}
    assert ASK_WHO[8:10] == b"\x01\x03"
    example = bytes.fromhex("E300002C0003507900268000000080008000000000000000800000000008")
    assert ACCEPTED_UNKNOWN.startswith(example)
    assert len(ACCEPTED) == len(ACCEPTED_UNKNOWN) == 48
    assert not sent(heard(fixed((1, "0062")), message(0x0101, bytes(20)))[0])
    allows = Ieee11073Agent.info.allows
    confirmation = bytes.fromhex("E700001200100000 0201000A0000000000000D1D0000")
    assert allows(confirmation)
    for choice in range(0x10000):
        if choice != 0x0201:
            assert not allows(confirmation[:8] + choice.to_bytes(2, "big") + confirmation[10:])
    for kind in (0x0C1B, 0x0D21, 0):
        assert not allows(confirmation[:18] + kind.to_bytes(2, "big") + confirmation[20:])


def test_confirmations_are_the_standards_examples() -> None:
    measured = event(0x0D1D, b"\xf0\0\0\0" + listed())
    measured = measured[:6] + bytes.fromhex("4321") + measured[8:]
    assert apdu.confirmed(measured).hex().upper() == "E7000012001043210201000A0000000000000D1D0000"
    configured = event(0x0D1C, b"\x40\0" + listed())
    configured = configured[:6] + bytes.fromhex("7654") + configured[8:]
    assert apdu.confirmed(configured).hex().upper() == "E7000016001476540201000E0000000000000D1C000440000000"
    assert apdu.confirmed(event(0x0D1D, b"", 0x0100)) == apdu.confirmed(RELEASE) == apdu.confirmed(agent(0x190)) == b""


@pytest.mark.parametrize("kind", [*apdu.FORMS, apdu.CONFIG])
def test_every_kind_is_confirmed_with_its_numbers_and_no_other(kind: int) -> None:
    report = bytearray(event(kind, b"\xff\xfe" + bytes(8)))
    report[6:8], report[12:14] = b"\xab\xcd", b"\x01\x02"
    answer = apdu.confirmed(bytes(report))
    assert Ieee11073Agent.info.allows(answer)
    assert (answer[6:8], answer[12:14], answer[18:20]) == (b"\xab\xcd", b"\x01\x02", kind.to_bytes(2, "big"))
    assert answer[22:] == (b"\xff\xfe\0\0" if kind == apdu.CONFIG else b"")
    assert answer[3] == len(answer) - 4


def test_what_is_not_said_is_not_confirmed() -> None:
    known, unknown = fixed((1, "0061"), (10, "0048")), fixed((9, "0061"))
    assert sent(heard(agent(0x190), known)[0])[2:] == [apdu.confirmed(known)]
    assert sent(heard(agent(0x190), unknown)[0])[2:] == []
    assert sent(heard(agent(0x190), fixed((1, "0061"), (10, "0048"), choice=0x0100))[0])[2:] == []
    assert sent(heard(agent(0x190), event(apdu.SEGMENT, bytes(20)))[0])[2:] == []
    said, _ = heard(agent(0x190), known)
    assert said.index(Send(apdu.confirmed(known))) > max(at for at, one in enumerate(said) if isinstance(one, Numeric))


def test_a_reading_that_comes_again_is_confirmed_again() -> None:
    weight = fixed((1, "FF0002702007020112100000"))
    assert sent(heard(agent(0x5DC), weight, weight)[0]).count(apdu.confirmed(weight)) == 2


def test_a_standard_configuration_is_accepted_and_the_agent_asked_who_it_is() -> None:
    for config in STANDARD:
        assert sent(heard(agent(config))[0]) == [ACCEPTED, ASK_WHO]
    assert sent(heard(agent(0x4000))[0]) == sent(heard(agent(0x1F4))[0]) == [ACCEPTED_UNKNOWN]
    assert sent(heard(agent(0x190), RELEASE)[0])[-1] == RELEASED
    assert sent(heard(agent(0x190), ABORT)[0]) == [ACCEPTED, ASK_WHO]


@pytest.mark.parametrize("offer", [{"version": "40000000"}, {"encoding": "2000"}])
def test_an_agent_of_another_version_is_not_answered(offer: dict[str, str]) -> None:
    said, _ = heard(agent(0x190, **offer))
    assert said[1:] == [Status("version-not-understood", Phase.ON)]


def test_readings_of_the_standard_configurations() -> None:
    stamp = "2026060112300000"
    assert numerics(heard(agent(0x190), fixed((1, "0061"), (10, "0000")))[0]) == [
        ("spo2", 97, None),
        ("spo2.pr", 0, None),
    ]
    assert numerics(heard(agent(0x191), fixed((1, "F3CF" + stamp)))[0]) == [("spo2", Decimal("97.5"), None)]
    pressures = heard(agent(0x2BC), fixed((1, "000300060078005007FF" + stamp), (2, "0800" + stamp)))[0]
    assert [why for *_, why in numerics(pressures)] == [None, None, Why.UNAVAILABLE, Why.UNAVAILABLE]
    when = DeviceTime("2026-06-01T12:30:00")
    assert times(pressures) == [when]
    warm = heard(agent(0x320), fixed((1, "FF000174" + stamp)))[0]
    assert Numeric("temp.body", Decimal("37.2"), "Cel", taken=when) in warm
    heavy = heard(agent(0x5DC), fixed((1, "FF000270" + stamp)))[0]
    assert Numeric("body.weight", Decimal("62.4"), "kg", taken=when) in heavy


def test_a_report_that_needs_no_answer_is_read_too() -> None:
    assert numerics(heard(agent(0x190), fixed((1, "0061"), choice=0x0100))[0]) == [("spo2", 97, None)]


def test_nothing_is_said_where_the_configuration_does_not_explain_it() -> None:
    for report in (
        fixed((1, "00612026060112300000")),
        fixed((1, "00")),
        fixed((2, "0061")),
        fixed((1, "0061"), (9, "")),
    ):
        said, driver = heard(agent(0x190), report)
        assert not numerics(said)
        assert driver.counts.bad == 0
        assert sum(driver.counts.reasons.values()) == 1
    assert not numerics(heard(fixed((1, "0061")))[0])


def test_a_configuration_of_its_own_is_accepted_and_known_when_the_agent_comes_again() -> None:
    thing = bytes.fromhex("00060005") + listed(
        named(0x092F, bytes.fromhex("00024BB8")),
        named(0x0996, bytes.fromhex("0220")),
        named(0x0A55, listed(bytes.fromhex("0A4C0002"))),
    )
    told = event(0x0D1C, b"\x40\0" + listed(thing))
    report = fixed((5, "0062"))
    said, driver = heard(agent(0x4000), told, report, ABORT, agent(0x4000), report)
    accepted, answered = apdu.confirmed(told), apdu.confirmed(report)
    assert sent(said) == [ACCEPTED_UNKNOWN, accepted, ASK_WHO, answered, ACCEPTED, ASK_WHO, answered]
    assert numerics(said) == [("spo2", 98, None)] * 2
    assert sent(driver.on_bytes(agent(0x4000, "1111111111111111"), 0)) == [ACCEPTED_UNKNOWN]


def test_a_reading_with_its_time_is_said_once_and_one_without_each_time() -> None:
    weight = fixed((1, "FF0002702007020112100000"))
    again = heard(agent(0x5DC), weight, ABORT, agent(0x5DC), weight, weight)[0]
    assert len(numerics(again)) == 1
    later = fixed((1, "FF0002802007020112200000"))
    assert [value for _, value, _ in numerics(heard(agent(0x5DC), weight, later, weight)[0])] == [
        Decimal("62.4"),
        Decimal("64.0"),
    ]
    assert len(numerics(heard(agent(0x190), fixed((1, "0061")) * 3)[0])) == 3


def test_of_kept_readings_only_the_newest_is_a_reading() -> None:
    both = fixed((1, "FF0002712007020112200000"), (1, "FF0002722007020112150000"))
    said, _ = heard(agent(0x5DC), both, both)
    assert [one.value for one in said if isinstance(one, Numeric)] == [Decimal("62.5")]
    assert [one.text for one in said if isinstance(one, Status) and one.code == "earlier-reading"] == [
        "2007-02-01T12:15:00 62.6 kg"
    ]


def states(bits: str) -> list[str]:
    thing = bytes.fromhex("0005000B") + listed(named(0x092F, bytes.fromhex("00024C4C")))
    seen = bytes.fromhex("000B") + listed(named(0x0A66, bytes.fromhex(bits)))
    report = event(0x0D1E, b"\xf0\0\0\0" + listed(seen))
    said, _ = heard(agent(0x4000), event(0x0D1C, b"\x40\0" + listed(thing)), report)
    return [one.code for one in said if isinstance(one, Status) and one.channel == "spo2.device_status"]


def test_every_state_of_an_oximeter() -> None:
    assert [states(f"{0x8000 >> at:04X}") for at in range(16)] == [[name] for name in OXIMETER]
    assert states("0000") == []
    assert states("0820") == ["sensor-off", "signal-low-perfusion"]


@pytest.mark.parametrize(
    ("status", "value", "why"),
    [
        ("8000", None, Why.INVALID),
        ("2000", None, Why.UNAVAILABLE),
        ("4000", 98, Why.QUESTIONABLE),
        ("1000", 98, Why.CALIBRATING),
        ("0800", 98, Why.TEST),
        ("0400", 98, Why.DEMO),
        ("4C00", 98, Why.TEST),
        ("0080", 98, None),
    ],
)
def test_every_measurement_status(status: str, value: int | None, why: Why | None) -> None:
    seen = b"\0\x01" + listed(named(0x0A4C, b"\0\x62"), named(0x0947, bytes.fromhex(status)))
    said, _ = heard(agent(0x190), event(0x0D1E, b"\xf0\0\0\0" + listed(seen)))
    assert numerics(said) == [("spo2", value, why)]


def test_a_person_is_a_status_and_never_a_patient() -> None:
    person = b"\0\x34" + listed(named(1, bytes.fromhex("FF0002702007020112100000")))
    said, driver = heard(agent(0x5DC), event(0x0D1F, b"\xf0\0\0\0" + listed(person)))
    assert Status("person", Phase.ON, "52") in said
    assert Status("person", Phase.OFF) in list(driver.on_bytes(fixed((1, "FF0002712007020112110000")), 0))


def test_who_it_is() -> None:
    said, _ = heard(*(data for _, data in parse((CAPTURES / "oximeter.cap").read_text()).chunks()))
    assert [one for one in said if isinstance(one, Identity)] == [
        Identity(serial="1122334455667704"),
        Identity("TheCompany", "OximeterABC", "DE124567"),
    ]


@pytest.mark.parametrize(("kind", "with_person"), [(0x0D24, False), (0x0D2A, False), (0x0D27, True), (0x0D2D, True)])
def test_grouped_observations_of_a_scanner(kind: int, with_person: bool) -> None:
    value = listed(bytes.fromhex("0A4C0002"))
    things = [
        bytes.fromhex(f"0006{handle:04X}") + listed(named(0x092F, bytes.fromhex(f"0002{term:04X}")))
        for handle, term in ((1, 19384), (10, 18458))
    ]
    scanner = bytes.fromhex("00120000") + listed(named(0x0A53, listed(b"\0\1" + value, b"\0\x0a" + value)))
    group = (b"\0\1" if with_person else b"") + b"\0\4" + bytes.fromhex("F3CF0048")
    told = event(0x0D1C, b"\x40\0" + listed(*things, scanner))
    said, _ = heard(agent(0x4000), told, event(kind, b"\xf0\0\0\0" + listed(group)))
    assert numerics(said) == [("spo2", Decimal("97.5"), None), ("spo2.pr", 72, None)]


def test_units_and_channels() -> None:
    assert [unit_of(code) for code in (3872, 3843, 1760, 4416, 9)] == [
        "mm[Hg]",
        "kPa",
        "[lb_av]",
        "[degF]",
        "mdc:262153",
    ]
    assert channel(2, 0xF001, "BME") == "ieee11073_agent:BME"
    assert channel(2, 0xF001, "a b") == "ieee11073_agent:2-F001"
    assert channel(128, 0x1000) == "mdc:8392704"
    assert channel(2, 16770) == "mdc:147842"


def test_lists_fill_their_length() -> None:
    for data in ("0002000200", "0001000300010000", "00010001", "FFFF0000"):
        with pytest.raises(MalformedError):
            Fields(bytes.fromhex(data)).items(Fields.u16)


def test_damage_is_found_where_a_length_no_longer_fits() -> None:
    good = fixed((1, "0061"), (10, "0048"))
    lengths = [2, 3, 4, 5, 10, 11, 20, 21, 26, 27, 28, 29, 32, 33, 38, 39]
    for at in lengths:
        damaged = bytearray(good)
        damaged[at] ^= 1
        driver = Ieee11073Agent()
        said = [*driver.on_bytes(agent(0x190), 0), *driver.on_bytes(bytes(damaged) + RELEASE + agent(0x190), 0)]
        assert not numerics(said), at
        assert isinstance(apdu.cut(damaged), Bad) or not isinstance(apdu.cut(damaged), Frame)


def test_it_comes_back_after_a_cut_apdu() -> None:
    report = fixed((1, "0061"), (10, "0048"))
    for kept in range(1, len(report)):
        said, _ = heard(agent(0x190), report[:kept], agent(0x190), report, report)
        assert len(numerics(said)) >= 2, kept


def test_noise_is_nobody() -> None:
    rng = random.Random(11)
    said, driver = heard(*(rng.randbytes(4096) for _ in range(64)))
    assert said == []
    assert driver.counts.frames == 0
    assert driver.pending() <= apdu.LIMIT_BYTES


def test_every_example_is_an_apdu() -> None:
    root = os.environ.get("WARDLINK_CORPUS")
    folder = Path(root or "") / "ieee11073_20601_antidote"
    if not root or not folder.is_dir():
        pytest.skip("corpus ieee11073_20601_antidote is missing: set WARDLINK_CORPUS")
    whole = [path for path in folder.rglob("*") if path.is_file() and path.read_bytes()[:1] in (b"\xe2", b"\xe7")]
    refused = {path.name for path in whole if not isinstance(apdu.cut(bytearray(path.read_bytes())), Frame)}
    assert len(whole) == 35
    assert refused - BROKEN == {"H232", "H243"}  # a manager says these


def test_counts_of_a_whole_story() -> None:
    _, driver = heard(*(data for _, data in parse((CAPTURES / "cuff.cap").read_text()).chunks()))
    refused = 86  # scan_report_info_var
    assert driver.counts == Counts(12, 0, refused, {"short": 1, "unknown object": 1})
