"""healthypi against frames as the firmware writes them."""

from decimal import Decimal

import pytest

from drivers.contract import Mark, Numeric, Output, Phase, Status, Wave, Why
from drivers.devices.healthypi import BODY, END, HEAD, HealthyPi


def frame(
    ecg: int = 5, resp: int = -7, temperature: int = 3650, rr: int = 16, spo2: int = 97, hr: int = 72, leads: int = 0
) -> bytes:
    return HEAD + BODY.pack(ecg, resp, 1_000_000, -2, temperature, rr, spo2, hr, 80, 120, leads) + END


def heard(*chunks: bytes) -> list[Output]:
    driver = HealthyPi()
    return [output for data in chunks for output in driver.on_bytes(data, 0)]


def numerics(said: list[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def waves(said: list[Output]) -> dict[str, Wave]:
    return {output.channel: output for output in said if isinstance(output, Wave)}


def test_a_frame_has_27_bytes() -> None:
    assert len(frame()) == 27
    assert frame().hex().startswith("0afa1400020500f9ff40420f00feffffff420e106148")


def test_values() -> None:
    said = heard(frame())
    assert numerics(said) == {
        "ecg.hr": Numeric("ecg.hr", 72, "/min"),
        "resp.rr_impedance": Numeric("resp.rr_impedance", 16, "/min"),
        "spo2": Numeric("spo2", 97, "%"),
        "temp.skin": Numeric("temp.skin", Decimal("36.50"), "Cel"),
    }
    assert {channel: wave.samples for channel, wave in waves(said).items()} == {
        "ecg.unspecified": (5,),
        "resp.wave": (-7,),
        "pleth": (1_000_000,),
        "healthypi:red": (-2,),
    }


def test_the_firmwares_constants_are_no_blood_pressure() -> None:
    assert not any("nibp" in channel for channel in numerics(heard(frame())))
    assert not any(channel.startswith("nibp") for channel in HealthyPi.info.emits)


@pytest.mark.parametrize("leads", [0x01, 0x02, 0x04, 0x08, 0x10, 0x1F])
def test_lead_off_is_marked_and_its_zeros_are_no_rates(leads: int) -> None:
    said = heard(frame() + frame(ecg=0, resp=0, hr=0, rr=0, leads=leads) * 2 + frame())
    assert waves(said)["ecg.unspecified"].marks == (Mark(1, "lead-off"), Mark(2, "lead-off"))
    assert waves(said)["pleth"].marks == ()
    states = [output for output in said if isinstance(output, Status)]
    assert [(state.phase, state.text) for state in states] == [(Phase.ON, f"{leads:02X}"), (Phase.OFF, "")]
    absent = [o for o in said if isinstance(o, Numeric) and o.why is Why.SENSOR_OFF]
    assert {numeric.channel for numeric in absent} == {"ecg.hr", "resp.rr_impedance"}


@pytest.mark.parametrize("leads", [0x20, 0xC0])
def test_the_other_bits_of_the_status_are_no_leads(leads: int) -> None:
    assert not any(isinstance(output, Status) for output in heard(frame(leads=leads)))


def test_zero_stands_for_nothing() -> None:
    told = numerics(heard(frame(temperature=0, rr=0, spo2=0, hr=0)))
    assert all(numeric.value is None for numeric in told.values())
    assert told["spo2"].why is Why.INVALID
    assert told["ecg.hr"].why is Why.UNAVAILABLE
    assert numerics(heard(frame(spo2=101)))["spo2"].value is None


def test_numerics_come_once_a_second_and_when_they_change() -> None:
    said = heard(frame() * 250)
    assert sum(isinstance(output, Numeric) for output in said) == 8
    said = heard(frame() * 10 + frame(hr=73) * 10)
    assert sum(isinstance(output, Numeric) for output in said) == 5


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (frame()[:-1] + b"\x0c", {"no end": 1}),
        (frame()[:14], {"no end": 1}),
        (b"\x0a\xfa\x0c\x00\x02" + bytes(12) + END, {"other contents": 1}),
        (b"\x0a\xfa\x14\x00\x03" + bytes(20) + END, {"other contents": 1}),
        (b"Starts in v3 mode\r\n", {}),
    ],
)
def test_damage_and_other_boards_are_refused(damaged: bytes, reasons: dict[str, int]) -> None:
    driver = HealthyPi()
    said = list(driver.on_bytes(damaged + frame() * 2, 0))
    assert driver.counts.frames == 2
    assert driver.counts.reasons == reasons
    assert waves(said)["ecg.unspecified"].samples == (5, 5)
