"""capnostream_20 against messages made by the rules; there are no recorded bytes."""

from collections.abc import Iterable
from fractions import Fraction

import pytest

from drivers.contract import Alarm, Counts, DeviceTime, Identity, Mark, Numeric, Output, Phase, Send, Status, Wave, Why
from drivers.devices.capnostream_20 import ALIVE, ENABLE, START, Capnostream20, framed

SECOND_NS = 1_000_000_000
LIMITS = (60, 15, 30, 5, 8, 100, 85, 140, 50)


def curve(number: int, value: int, status: int = 0) -> bytes:
    return framed(0, bytes((number,)) + value.to_bytes(2, "big") + bytes((status,)))


def numerics(
    values: tuple[int, ...] = (38, 0, 14, 98, 72), *, slow: int = 0, co2: int = 0, spo2: int = 0, unit: int = 1,
    extended: int = 0, limits: tuple[int, ...] = LIMITS,
) -> bytes:  # fmt: skip
    time = (1412674380).to_bytes(4, "big")
    return framed(1, time + bytes((*values, slow, 0, 0, 0, co2, spo2, 0xFF, *limits, unit, extended)))


def heard(*pieces: bytes) -> tuple[list[Output], Capnostream20]:
    driver = Capnostream20()
    return [output for piece in pieces for output in driver.on_bytes(piece, 0)], driver


def told(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def waves(said: Iterable[Output]) -> list[Wave]:
    return [output for output in said if isinstance(output, Wave)]


def test_requests_are_those_openice_sends() -> None:
    assert [data.hex() for data in (ENABLE, START, ALIVE)] == ["85010100", "85010405", "85010607"]
    assert Capnostream20.info.sends == {ENABLE, START, ALIVE}


def test_identity_of_the_openice_test() -> None:
    said, _ = heard(framed(4, b"V45.67 02/24/2008 B355987654  ") * 2)
    assert said.count(Identity("Oridion", "Capnostream 20", "B355987654", "45.67 02/24/2008")) == 1


@pytest.mark.parametrize("value", [0x0000, 0x2580, 0x8585, 0x8005, 0x8000, 0x80FF, 0xFFFF])
@pytest.mark.parametrize("number", [0, 0x80, 0x85])
def test_escapes_are_undone_wherever_they_stand(value: int, number: int) -> None:
    said, driver = heard(curve(number, value))
    assert waves(said)[0].samples == (value,)
    assert waves(said)[0].first == number
    assert driver.counts == Counts(frames=1)


def test_a_checksum_may_itself_be_escaped() -> None:
    made = {curve(number, 0)[-2:] for number in range(256)}
    assert {b"\x80\x00", b"\x80\x05"} <= made
    for number in range(256):
        assert heard(curve(number, 0))[1].counts == Counts(frames=1)


def test_the_xor_is_the_same_over_the_bytes_as_they_travel() -> None:
    line = framed(0, b"\x80\x85\x12\x00")
    total = 0
    for byte in line[1:]:
        total ^= byte
    assert total == 0


def test_values_in_mmhg_are_told_on_their_channels() -> None:
    said, _ = heard(numerics() + curve(7, 38 * 256 + 128))
    values = told(said)
    assert values["co2.et"] == Numeric("co2.et", 38, "mm[Hg]")
    assert values["co2.insp"].value == 0, "zero is a reading"
    assert values["resp.rr_co2"] == Numeric("resp.rr_co2", 14, "/min")
    assert values["spo2"] == Numeric("spo2", 98, "%")
    assert values["spo2.pr"] == Numeric("spo2.pr", 72, "/min")
    assert values["capnostream_20:low-spo2"].value == 85
    assert DeviceTime("2014-10-07T09:33:00", 1412674380) in said
    wave = waves(said)[0]
    assert wave.samples[0] * wave.scale.gain == Fraction(77, 2)
    assert (wave.channel, wave.scale.unit, wave.scale.rate) == ("co2.wave", "mm[Hg]", 20)


def test_values_of_another_unit_are_told_raw_and_end_the_old_ones() -> None:
    said, _ = heard(numerics(), numerics(unit=2) + curve(0, 1254))
    assert told(said)["capnostream_20:etco2"] == Numeric("capnostream_20:etco2", 38, "")
    assert told(said)["co2.et"] == Numeric("co2.et", None, "mm[Hg]", Why.UNAVAILABLE)
    assert (waves(said)[0].channel, waves(said)[0].scale.unit) == ("capnostream_20:co2", "")
    assert "co2.et" not in told(heard(numerics(unit=3))[0])


@pytest.mark.parametrize(
    ("fast", "spo2", "why_co2", "why_spo2"),
    [
        (0x00, 0x00, Why.UNAVAILABLE, Why.UNAVAILABLE),
        (0x40, 0x40, Why.NO_SENSOR, Why.NO_SENSOR),
        (0x41, 0x20, Why.NO_SENSOR, Why.SENSOR_OFF),
        (0x30, 0x01, Why.UNAVAILABLE, Why.LOW_SIGNAL),
        (0x00, 0x60, Why.UNAVAILABLE, Why.NO_SENSOR),
    ],
)
def test_why_there_is_no_value(fast: int, spo2: int, why_co2: Why, why_spo2: Why) -> None:
    values = told(heard(curve(0, 0, fast) + numerics((0xFF,) * 5, spo2=spo2))[0])
    assert values["co2.et"] == Numeric("co2.et", None, "mm[Hg]", why_co2)
    assert values["resp.rr_co2"].why is why_co2
    assert values["spo2"].why is why_spo2
    assert values["spo2.pr"].why is why_spo2


@pytest.mark.parametrize("bit", range(8))
def test_every_state_begins_and_ends(bit: int) -> None:
    said, _ = heard(numerics(slow=1 << bit, extended=1 << bit) + curve(0, 0, 1 << bit), numerics() + curve(1, 0))
    on = [output.code for output in said if isinstance(output, Status) and output.phase is Phase.ON]
    off = [output.code for output in said if isinstance(output, Status) and output.phase is Phase.OFF]
    assert sorted(on) == sorted(off)
    assert len(on) == (bit < 7) + (bit in (0, 1, 2, 7)) + (bit not in (0, 3))


@pytest.mark.parametrize("bit", range(8))
def test_every_alarm_begins_and_ends_once(bit: int) -> None:
    calm, loud = numerics(), numerics(co2=1 << bit, spo2=1 << bit)
    said = [output for output in heard(calm, loud, loud, calm)[0] if isinstance(output, Alarm)]
    assert [output.phase for output in said] == [Phase.ON] * (len(said) // 2) + [Phase.OFF] * (len(said) // 2)
    assert len(said) // 2 == (bit < 6) + (bit < 7)


def test_limits_are_told_when_they_change() -> None:
    said, driver = heard(numerics())
    assert (
        sum(output.channel.startswith(("capnostream_20:high", "capnostream_20:low")) for output in told(said).values())
        == 9
    )
    again = told(driver.on_bytes(numerics(limits=(0xFF, *LIMITS[1:])), 0))
    assert [channel for channel in again if "-etco2" in channel or "-spo2" in channel] == ["capnostream_20:high-etco2"]
    assert again["capnostream_20:high-etco2"].value is None


def test_a_lost_curve_message_shows_in_the_numbers_and_a_wrap_does_not() -> None:
    said, _ = heard(b"".join(curve(number, number, 0x09) for number in (254, 255, 0, 2, 3)))
    assert [(wave.first, wave.samples, wave.wraps) for wave in waves(said)] == [
        (254, (254, 255, 0), 256),
        (2, (2, 3), 256),
    ]
    assert waves(said)[1].marks == tuple(Mark(at, kind) for at in (0, 1) for kind in ("invalid", "breath-end"))


@pytest.mark.parametrize(
    ("hurt", "reason"),
    [
        (curve(0, 513)[:-1] + b"\x00", "checksum"),
        (curve(0, 513)[:5], "cut short"),
        (framed(0, b"\x01\x02\x03"), "code or length"),
        (framed(1, bytes(26)), "code or length"),
        (framed(99, b"\x01"), "code or length"),
        (b"\x85\x05\x80\x07\x01", "escape"),
    ],
)
def test_damage_costs_the_message_and_no_other(hurt: bytes, reason: str) -> None:
    said, driver = heard(hurt + curve(9, 1))
    assert waves(said)[0].samples == (1,)
    assert driver.counts == Counts(frames=1, bad=1, skipped=len(hurt), reasons={reason: 1})


def test_patient_events_and_trends_are_not_told() -> None:
    said, driver = heard(*[framed(code, bytes(24)) for code in (2, 12, 21, 22, 55, 57)])
    assert [output for output in said if not isinstance(output, Send)] == []
    assert driver.counts == Counts(frames=6)


def test_the_talk_begins_goes_on_and_begins_again() -> None:
    driver = Capnostream20()
    assert [*driver.on_open(0), *driver.on_time(2 * SECOND_NS + 1)] == [Send(ENABLE), Send(ENABLE)]
    said = list(driver.on_bytes(numerics(), 3 * SECOND_NS))
    assert said[:2] == [Send(ALIVE), Send(START)]
    assert list(driver.on_time(5 * SECOND_NS)) == [Send(ALIVE)]
    assert driver.wake_at == 7 * SECOND_NS
    assert list(driver.on_time(9 * SECOND_NS)) == [Send(ENABLE)]
    assert [output for output in driver.on_bytes(curve(0, 0), 10 * SECOND_NS) if isinstance(output, Send)] != []
