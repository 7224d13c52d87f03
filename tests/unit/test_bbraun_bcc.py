"""bbraun_bcc against the printed example of the specification and messages made by its rules."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from drivers.contract import Alarm, DeviceTime, Numeric, Output, Phase, Send, Status, Why
from drivers.devices.bbraun_bcc import ACK, ALIVE, DOSE_UNITS, GET, PATIENCE_NS, POLL_NS, STUFFED, BbraunBcc, destuffed

RACK = "ComSystem/1/1>"
DOSES = """
23 ng
32 ug/mL
43 [IU]/kg
44 ng/min
50 ug/min
64 [IU]/d
71 ug/kg/min
85 [IU]/kg/d
97 ng/m2
104 ug/m2/d
116 [IU]/m2/d
117 m[IU]
124 m[IU]/kg/min
129 m[IU]/m2/d
130 k[IU]
143 M[IU]/kg/d
144 meq/m2
147 meq/m2/d
"""


def answer(*records: str, more: bool = False, bed: str = RACK) -> bytes:
    body = (bed + "\x1e".join(records) + ("\x17" if more else "\x03")).encode()
    head = b"\x01%05d\x02" % (len(body) + 13) + body
    return head + b"%05d\x04" % (sum(head) % 256)


def heard(driver: BbraunBcc, *chunks: bytes, now: int = 0) -> list[Output]:
    return [output for data in chunks for output in driver.on_bytes(data, now)]


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_requests_are_those_of_the_specification() -> None:
    assert ALIVE[False] == b"\x0100031\x021/1/1>ADMIN:ALIVE\x0300061\x04"
    assert ALIVE[True] == b"\x0100031\x021/1/1>AEXMIN:ALIVEE\x0300061\x04"
    assert {ACK, *ALIVE.values(), *GET.values()} == BbraunBcc.info.sends
    assert all(b"ADMIN:ALIVE" in destuffed(r) or b"MEM:GET" in destuffed(r) for r in BbraunBcc.info.sends - {ACK})


def test_every_part_is_acknowledged_and_the_rack_is_asked_again() -> None:
    driver = BbraunBcc()
    assert list(driver.on_open(0)) == [Send(ALIVE[False])]
    said = heard(driver, answer("206,50100,GNACK,0"))
    assert said == [Send(ACK), DeviceTime(ticks=206), Send(GET["ComSystem", False])]
    heard(driver, answer("207,50111,INRT,1", more=True), now=5)
    assert driver.wake_at == 5 + PATIENCE_NS
    heard(driver, answer("207,50112,INRT,1"), now=7)
    assert driver.wake_at == 7 + POLL_NS
    assert list(driver.on_time(8 + POLL_NS)) == [Send(GET["ComSystem", False])]


def test_a_silent_rack_is_greeted_with_and_without_stuffing() -> None:
    driver = BbraunBcc()
    list(driver.on_open(0))
    assert [list(driver.on_time(at)) for at in (1, 2)] == [[Send(ALIVE[True])], [Send(ALIVE[False])]]


def test_stuffed_answers_are_understood() -> None:
    stuffed = answer("1,50111,INSOL,Dexdee").decode().translate(STUFFED).encode()
    assert Status("INSOL", Phase.ON, "Dexdee", "bbraun_bcc:11") in heard(BbraunBcc(), stuffed)
    assert destuffed(b"eexEXEE") == b"exDE"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("INRT", "0.30", (Decimal("0.30"), "mL/h", None)),
        ("INRT", "0", (0, "mL/h", None)),
        ("INRT", "_NV", (None, "mL/h", Why.INVALID)),
        ("INVI", "_NA", (None, "mL", Why.UNAVAILABLE)),
        ("INRMT", "65535", (None, "s", Why.UNAVAILABLE)),
        ("INRMT", "65534", (65534, "s", None)),
    ],
)
def test_values_keep_their_digits(name: str, value: str, expected: tuple[Decimal | None, str, Why | None]) -> None:
    told = numerics(heard(BbraunBcc(), answer(f"1,5012A,{name},{value}")))
    assert told == {f"bbraun_bcc:2A.{name}": Numeric(f"bbraun_bcc:2A.{name}", *expected)}


@pytest.mark.parametrize(
    ("code", "unit"),
    [line.split() for line in DOSES.strip().splitlines()],
)
def test_dose_units(code: str, unit: str) -> None:
    assert DOSE_UNITS[code] == unit


def test_a_unit_stands_behind_its_value_and_an_unknown_one_makes_no_number() -> None:
    driver = BbraunBcc()
    told = numerics(heard(driver, answer("1,50111,INDORT,0.4", "1,50111,INDORTU,50")))
    assert told["bbraun_bcc:11.INDORT"] == Numeric("bbraun_bcc:11.INDORT", Decimal("0.4"), "ug/min")
    said = heard(driver, answer("2,50111,INDORT,0.5", "2,50111,INDORTU,999"))
    assert not numerics(said)
    assert Status("INDORT", Phase.ON, "0.5", "bbraun_bcc:11") in said


def test_alarms_and_states_are_said_when_they_change() -> None:
    driver = BbraunBcc()
    on, again, off = (heard(driver, answer(f"1,50113,INA3,{value}")) for value in (1, 1, 0))
    assert Alarm("INA3", "1", "unknown", Phase.ON, "bbraun_bcc:13") in on
    assert again == [Send(ACK)]
    assert off == [Send(ACK), Alarm("INA3", "0", "unknown", Phase.OFF, "bbraun_bcc:13")]


def test_a_pump_that_is_gone_loses_its_values() -> None:
    driver = BbraunBcc()
    heard(driver, answer("1,50100,GNACK,0"), answer("1,50111,INRT,5", "1,50112,INRT,7"))
    list(driver.on_time(POLL_NS + 1))
    told = numerics(heard(driver, answer("9,50111,INRT,5")))
    assert told["bbraun_bcc:12.INRT"] == Numeric("bbraun_bcc:12.INRT", None, "mL/h", Why.UNAVAILABLE)
    assert told["bbraun_bcc:11.INRT"].value == 5


def test_a_damaged_part_takes_no_pump_away() -> None:
    driver = BbraunBcc()
    heard(driver, answer("1,50100,GNACK,0"), answer("1,50111,INRT,5", "1,50112,INRT,7"))
    list(driver.on_time(POLL_NS + 1))
    damaged = answer("9,50112,INRT,7", more=True).replace(b"INRT,7", b"INRT,8")
    assert set(numerics(heard(driver, damaged, answer("9,50111,INRT,5")))) == {"bbraun_bcc:11.INRT"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda good: good.replace(b"INRT", b"INRU"), "checksum"),
        (lambda good: good.replace(b"INRT", b"IRT"), "length"),
        (lambda good: good[:20], "cut short"),
        (lambda good: answer("hello"), "not an answer"),
        (lambda good: answer("1,60111,INRT,5"), "not an answer"),
    ],
)
def test_damage_is_refused_and_the_next_message_is_whole(damage: object, reason: str) -> None:
    assert callable(damage)
    good = answer("1,50111,INRT,5")
    driver = BbraunBcc()
    told = numerics(heard(driver, damage(good), good))
    assert told["bbraun_bcc:11.INRT"].value == 5
    assert driver.counts.reasons == {reason: 1}
    assert driver.counts.frames == 1
